/**
 * Owns the connection's life: dial, authenticate, subscribe again, notice silence, wait, give up. One pure
 * reducer for one client; rooms are kept by `room.ts`. Refuses sockets, clocks, tokens: the shell has them.
 */
import { backoffDelay, type Stamp, type TimerInput, type Transition } from '@guildkit/core';
import type { ClientFrame, Envelope } from '@guildkit/core/wire';
import { RealtimeError, type RealtimeErrorCode, type RealtimeErrorInit } from '../errors.js';
import {
  type ConnectionEffect,
  type ConnectionInput,
  type ConnectionSettings,
  type ConnectionState,
  hasReached,
  type Phase,
  type Policy,
} from './connection-state.js';
import { type Fields, fieldsOf, positive, textOf } from './frame.js';
import { deny, detach, NEVER, NEW_ROOM, type RoomChange, type RoomState, receive, restore, show } from './room.js';

/** One function for each type of a union. */
export type Handlers<T extends { readonly type: string }> = {
  readonly [K in T['type']]: (each: Extract<T, { readonly type: K }>) => void;
};

type Draft = { -readonly [K in keyof ConnectionState]: ConnectionState[K] } & { rooms: Map<string, RoomState> };
/** An error's code without what all of them begin with. */
type Condition = RealtimeErrorCode extends `ERR_REALTIME_${infer What}` ? What : never;
type FrameType = ClientFrame['type'];
type PayloadOf<T extends FrameType> = Extract<ClientFrame, { readonly type: T }>['payload'];

/** How long a connection lasts before failed tries are forgotten, ms: a hub that crashes on connect must not look alive. */
const STABLE_MS = 5_000;
/** How long a room is kept after the last one let go of it, ms: a page change, React's Strict Mode. */
const LINGER_MS = 500;
/** A timer this late means that the machine slept or the tab was frozen, ms. */
const LATE_MS = 2_000;

/** No failed try counts any more. */
const FRESH = { attempt: 0, refused: false } as const;
/** What holds without a connection. */
const DISCONNECTED = { dueAt: NEVER, stableAt: NEVER, degraded: false, authId: undefined } as const;

/** Where a client starts. */
export const INITIAL: ConnectionState = {
  ...FRESH,
  ...DISCONNECTED,
  phase: 'idle',
  gen: 0,
  // Until a welcome says otherwise.
  policy: { maxAttempts: 5, baseMs: 500, capMs: 30_000, minMs: 100, heartbeatMs: 15_000 },
  holdUntil: 0,
  nextId: 1,
  rooms: new Map(),
};

/** When the machine wants the `timer` input. */
export function deadline({ dueAt, stableAt, attempt, refused, rooms }: ConnectionState): number | undefined {
  let next = Math.min(dueAt, attempt > 0 || refused ? stableAt : NEVER);
  for (const { ask, releaseAt } of rooms.values()) next = Math.min(next, ask?.by ?? NEVER, releaseAt);
  return next < NEVER ? next : undefined;
}

/** A pure step of a client. */
export type ConnectionStep = (
  state: ConnectionState,
  input: (ConnectionInput | TimerInput) & Stamp,
) => Transition<ConnectionState, ConnectionEffect>;

/** Makes the reducer of a client. */
export function createStep({ maxAttempts, hasToken, timeoutMs }: ConnectionSettings): ConnectionStep {
  // One step under way: a draft of the next state and what belongs to it. None of it outlives the step; kept here
  // and not in a class, because a bundler shortens the names of variables but not of members.
  let s: Draft;
  let effects: ConnectionEffect[];
  let now: number;
  let random: number;

  const handlers: Handlers<ConnectionInput | TimerInput> = {
    connect() {
      if (!reached('waiting')) start();
    },
    reconnect() {
      if (!reached('connecting')) start();
    },
    close() {
      end('closed');
      s.wasOpen = false;
      for (const [name, room] of s.rooms) if (room.releaseAt < NEVER) s.rooms.delete(name);
    },
    online() {
      s.offline = false;
      if (s.phase === 'waiting') dial();
      else check();
    },
    offline() {
      s.offline = true;
      // A socket may outlive this; a try would be wasted.
      if (s.phase === 'waiting') s.dueAt = NEVER;
    },
    visible: check,
    want({ room: name }) {
      const known = s.rooms.get(name);
      const room = { ...(known ?? NEW_ROOM), releaseAt: NEVER };
      setRoom(name, room);
      if (room.phase !== 'live' && !room.ask && isAuthenticated()) ask(name, room);
    },
    release({ room: name }) {
      const room = s.rooms.get(name);
      // Another page or a second mount may want it in a moment: leaving and coming back would cost a snapshot.
      if (room && reached('manual')) setRoom(name, { ...room, releaseAt: now + LINGER_MS });
      else s.rooms.delete(name);
    },
    token({ ok }) {
      // Not waited for: the upgrade's cookie was enough.
      if (s.gotToken !== undefined) return;
      s.gotToken = ok;
      if (s.phase !== 'connecting') authenticate();
    },
    lost({ code: closeCode, reason: detail }) {
      const problem = (what: Condition): RealtimeError => error(what, { closeCode, detail });
      // As core's `closeActionOf`, by hand: its table is twice as long as this.
      if (closeCode === 4400 || closeCode === 4403) end('closed', problem('CONNECTION_REFUSED'));
      else if (closeCode === 4401) refuse(problem('AUTH_REFUSED'));
      else fail(problem('CONNECTION_LOST'), closeCode !== 4503);
    },
    broken({ reason: detail }) {
      end('closed', error('URL_INVALID', { detail }));
    },
    frame({ frame }) {
      if (frame === undefined) {
        report(error('FRAME_MALFORMED'));
      } else {
        const { event, type, payload } = frame;
        const fields = fieldsOf(payload);
        if (type !== 'event') reply(frame, fields);
        else if (!event.startsWith('sys.')) change(frame.room, frame, receive);
        else if (payload === undefined) report(error('PAYLOAD_INVALID', { detail: event }));
        else control[event]?.(fields, frame);
      }
      // Something came: the connection lives.
      if (isAuthenticated()) s.dueAt = now + 2 * s.policy.heartbeatMs;
    },
    timer() {
      if (now >= s.stableAt) Object.assign(s, FRESH);
      if (now >= s.dueAt) {
        if (s.phase === 'waiting') dial();
        else if (!isAuthenticated()) timeout();
        else if (now < s.dueAt + LATE_MS) fail(error('CONNECTION_SILENT'));
        else {
          // Late, as after sleep: frames may lie unread behind this very timer.
          s.dueAt = NEVER;
          check();
        }
      }
      for (const [name, room] of s.rooms) {
        if (now >= room.releaseAt) {
          s.rooms.delete(name);
          if (isAuthenticated()) send('unsubscribe', { room: name });
          settle();
        } else if (room.ask && now >= room.ask.by) {
          if (room.ask.id !== '') {
            timeout();
            return;
          }
          ask(name, room, room.phase);
        }
      }
    },
  };

  // --- the connection ---

  const reached = (least: Phase): boolean => hasReached(s.phase, least);
  const isAuthenticated = (): boolean => reached('recovering');
  const error = (what: Condition, more?: Omit<RealtimeErrorInit, 'code'>): RealtimeError =>
    new RealtimeError({ code: `ERR_REALTIME_${what}`, ...more });
  const report = (each: RealtimeError): void => {
    effects.push({ type: 'report', error: each });
  };
  const timeout = (): void => fail(error('CONNECTION_TIMEOUT'));

  /** Sends a frame and returns its id. */
  function send<T extends FrameType>(type: T, payload: PayloadOf<T>): string {
    const id = `${s.nextId++}`;
    effects.push({ type: 'send', frame: { v: 1, type, id, payload } as ClientFrame });
    return id;
  }

  /** The user acts: tries are counted anew, and a page that thinks it is offline is not believed. */
  function start(): void {
    Object.assign(s, FRESH, { problem: undefined });
    dial();
  }

  function dial(): void {
    s.gen += 1;
    s.phase = 'connecting';
    s.dueAt = now + timeoutMs;
    effects.push({ type: 'dial', gen: s.gen });
    // While the socket opens: the hub's patience with `auth` starts at the welcome.
    if (hasToken) fetchToken();
  }

  function fetchToken(): void {
    s.gotToken = undefined;
    effects.push({ type: 'fetchToken', gen: s.gen, refused: s.refused });
  }

  /** Lets go of the socket. */
  function end(phase: Phase, problem?: RealtimeError): void {
    if (reached('connecting')) {
      effects.push({ type: 'hangUp', reason: problem?.code });
    }
    Object.assign(s, DISCONNECTED, { phase, problem });
    for (const [name, room] of s.rooms) setRoom(name, detach(room));
    // Nobody watches the page from here on: what it said last may not hold at the next `connect()`.
    if (phase === 'closed') s.offline = false;
    if (problem) report(problem);
  }

  /** Comes back later. A connection that was stable ended; one that was not is a failed try. */
  function fail(problem: RealtimeError, counted = true): void {
    if (now >= s.stableAt) Object.assign(s, FRESH);
    // Offline, no try can tell anything about the hub.
    else if (counted && !s.offline) s.attempt += 1;
    const isLast = s.attempt >= (maxAttempts ?? s.policy.maxAttempts);
    end(isLast ? 'manual' : 'waiting', problem);
    if (!isLast && !s.offline) s.dueAt = Math.max(now, s.holdUntil) + backoffDelay(s.attempt - 1, random, s.policy);
  }

  /** The token was not taken: once more with a fresh one, at once and uncounted, then it is over. */
  function refuse(problem: RealtimeError): void {
    end(s.refused ? 'closed' : 'waiting', problem);
    if (s.refused) return;
    s.refused = true;
    dial();
  }

  /** Makes the hub answer soon: the connection may be dead without having said so. */
  function check(): void {
    if (!isAuthenticated()) return;
    // The next ping has to come.
    s.dueAt = Math.min(s.dueAt, now + s.policy.heartbeatMs + LATE_MS);
    for (const [name, room] of s.rooms) {
      // Or this answer, sooner: a subscribe from the known position brings nothing but what was missed.
      if (room.phase === 'live' && !room.ask) {
        ask(name, room, room.phase);
        return;
      }
    }
  }

  function authenticate(): void {
    const problem = error('TOKEN_UNAVAILABLE');
    if (!hasToken) end('closed', problem);
    else if (s.gotToken) s.authId = send('auth', { token: '' });
    else if (s.gotToken === false) {
      // Asked for again on an open connection: the old token still holds, and its end closes with 4401.
      (isAuthenticated() ? report : fail)(problem);
    }
  }

  function welcomed(): void {
    s.phase = 'recovering';
    s.gotToken = true;
    for (const [name, room] of s.rooms) ask(name, room);
    settle();
  }

  /** Open once every room has its answer. */
  function settle(): void {
    if (s.phase !== 'recovering') return;
    for (const { ask } of s.rooms.values()) if (ask?.id) return;
    Object.assign(s, { phase: 'open', wasOpen: true, problem: undefined, stableAt: now + STABLE_MS });
  }

  // --- frames ---

  const control: Readonly<Record<string, (fields: Fields, frame: Envelope) => void>> = {
    'sys.welcome'(fields) {
      if (s.phase !== 'connecting') return;
      const said: Fields = { ...fields, ...fieldsOf(fields.retry) };
      const policy = { ...s.policy } as unknown as Record<string, number>;
      for (const [key, value] of Object.entries(policy)) policy[key] = positive(said[key], value);
      s.policy = policy as unknown as Policy;
      s.phase = 'greeted';
      s.dueAt = now + timeoutMs;
      if (fields.authTimeoutMs === 0) welcomed();
      else authenticate();
    },
    'sys.ping'() {
      const seqs: Record<string, number> = {};
      for (const [name, { position }] of s.rooms) if (position) seqs[name] = position.seq;
      send('pong', { seqs });
    },
    'sys.reauth'() {
      if (hasToken && isAuthenticated()) fetchToken();
    },
    'sys.drain'({ reconnectInMs }) {
      s.holdUntil = now + positive(reconnectInMs, 0);
    },
    'sys.degraded'({ degraded }) {
      s.degraded = degraded === true;
    },
    'sys.snapshot': ({ room }, frame) => change(room, frame, restore),
    'sys.unsubscribed'({ room: name, code }) {
      const room = s.rooms.get(name as string);
      if (room) denied(name as string, room, code);
    },
  };

  /** Takes the answer to a frame of ours, or what the hub has to complain about. */
  function reply(frame: Envelope, { code, retryAfterMs }: Fields): void {
    const { re } = frame;
    const isError = frame.type === 'error';
    const detail = textOf(code);
    const waitMs = positive(retryAfterMs, 0);
    if (waitMs > 0) s.holdUntil = now + waitMs;
    const asker = [...s.rooms].find(([, room]) => room.ask && room.ask.id === re);
    if (re !== undefined && re === s.authId) {
      s.authId = undefined;
      if (isError) {
        // A renewal that failed costs nothing yet: the old token holds until the hub closes with 4401.
        const then = isAuthenticated() ? report : waitMs > 0 ? fail : refuse;
        then(error('AUTH_REFUSED', { detail }));
      } else if (!isAuthenticated()) welcomed();
    } else if (asker === undefined) {
      if (isError) report(error('SERVER_ERROR', { detail }));
    } else if (!isError) {
      change(asker[0], frame, restore);
    } else if (waitMs === 0) {
      denied(...asker, detail);
    } else {
      setRoom(asker[0], { ...asker[1], ask: { id: '', by: now + waitMs } });
      settle();
    }
  }

  // --- rooms ---

  /** Hands a frame to the room that it is about, if somebody wants it. */
  function change(name: unknown, frame: Envelope, take: (room: RoomState, frame: Envelope) => RoomChange): void {
    const before = s.rooms.get(name as string);
    if (!before || before.phase === 'denied' || !isAuthenticated()) return;
    const { room, deliver = [], behind, bad } = take(before, frame);
    setRoom(name as string, room);
    for (const each of deliver) effects.push({ type: 'deliver', room: name as string, frame: each });
    if (bad) {
      const problem = error('PAYLOAD_INVALID', { detail: frame.event, room: name as string });
      // Asked again, the hub would give the same senseless answer: that is a failed try.
      if (frame.type === 'ack' && !behind) {
        fail(problem);
        return;
      }
      report(problem);
    }
    // An ask under way asks from the position that was: useless once that is given up.
    if (behind && !(room.ask && room.position)) ask(name as string, room);
    settle();
  }

  /** Subscribes from the position on; without one the answer is the whole state. */
  function ask(name: string, room: RoomState, phase: RoomState['phase'] = 'behind'): void {
    const id = send('subscribe', { room: name, since: room.position });
    setRoom(name, { ...room, phase, ask: { id, by: now + timeoutMs }, reason: undefined });
  }

  function denied(name: string, room: RoomState, code: unknown): void {
    const detail = textOf(code);
    setRoom(name, deny(room, detail));
    report(error('ROOM_DENIED', { detail, room: name }));
    settle();
  }

  function setRoom(name: string, room: RoomState): void {
    s.rooms.set(name, show(room));
  }

  return (state, input) => {
    s = { ...state, rooms: new Map(state.rooms) };
    effects = [];
    ({ now, random } = input);
    // What an older socket says counts no more, nor what the current one says once it was let go of.
    if (!('gen' in input) || (input.gen === s.gen && reached('connecting'))) {
      (handlers[input.type] as (each: typeof input) => void)(input);
    }
    return { state: s, effects };
  };
}
