/**
 * Owns the connection's life: dial, authenticate, subscribe again, notice silence, wait, give up. One pure
 * reducer for one client; rooms are kept by `room.ts`. Refuses sockets, clocks, tokens: the shell has them.
 */
import { type BackoffPolicy, backoffDelay, type Stamp, type TimerInput, type Transition } from '@guildkit/core';
import { type ClientFrame, closeActionOf, type Envelope } from '@guildkit/core/wire';
import type { RealtimeErrorCode } from '../errors.js';
import { fieldsOf, positive } from './frame.js';
import { answer, deny, detach, NEVER, NEW_ROOM, type RoomChange, type RoomState, receive, restore } from './room.js';

/** What the connection does. `authenticating` and `recovering`: the socket is open. */
export type Phase = 'idle' | 'connecting' | 'authenticating' | 'recovering' | 'open' | 'waiting' | 'manual' | 'closed';

/** What is fixed for a client. Times in ms. */
export interface ConnectionSettings {
  /** Failed tries in a row before `manual`; without it the hub's welcome decides. */
  readonly maxAttempts?: number | undefined;
  /** Whether a token can be had. */
  readonly hasToken: boolean;
  /** From dialling to the welcome, and again to the answer to `auth`. */
  readonly connectTimeoutMs: number;
  /** For the answer to a subscribe, and for the missed events to arrive. */
  readonly subscribeTimeoutMs: number;
  /** How long a connection must last before failed tries are forgotten. */
  readonly stableAfterMs: number;
  /** How long a room is kept after the last one let go of it. */
  readonly roomLingerMs: number;
}

/** How tries are spaced and counted. The welcome may change it. */
export interface RetryPolicy extends BackoffPolicy {
  readonly maxAttempts: number;
}

/** What went wrong, without an Error: the shell makes one. */
export interface Problem {
  readonly code: RealtimeErrorCode;
  readonly closeCode?: number | undefined;
  /** The hub's own code or the close reason. */
  readonly detail?: string | undefined;
  readonly room?: string | undefined;
}

/** The whole client. A time that will not come is {@link NEVER}. */
export interface ConnectionState {
  readonly phase: Phase;
  /** Number of the current socket. What an older one says is ignored. */
  readonly gen: number;
  /** Failed tries in a row. */
  readonly attempt: number;
  /** The hub refused the last token; the next refusal ends it. */
  readonly refused: boolean;
  readonly online: boolean;
  /** Has been open since `connect()`. */
  readonly wasOpen: boolean;
  /** The hub says that what it shows may be old. */
  readonly degraded: boolean;
  readonly token: 'pending' | 'ready' | 'failed';
  readonly retry: RetryPolicy;
  readonly heartbeatMs: number;
  /** The least wait that the hub has named, ms. */
  readonly holdMs: number;
  /** When patience with the welcome or with `auth` ends. */
  readonly dueAt: number;
  /** When the next try starts. */
  readonly retryAt: number;
  /** When silence counts as a dead connection. */
  readonly silentAt: number;
  /** When the connection counts as stable; stays set afterwards. */
  readonly stableAt: number;
  readonly nextId: number;
  /** Id of the `auth` that waits for its answer. */
  readonly authId?: string | undefined;
  readonly rooms: ReadonlyMap<string, RoomState>;
  /** Why the connection is not open. */
  readonly problem?: Problem | undefined;
}

/** What happens to a client. */
export type ConnectionInput =
  | { readonly type: 'connect' | 'reconnect' | 'close' | 'online' | 'offline' | 'visible' }
  | { readonly type: 'want' | 'release'; readonly room: string }
  /** `valid: false`: a schema refused the payload. */
  | { readonly type: 'frame'; readonly gen: number; readonly frame: Envelope; readonly valid: boolean }
  /** What came was no frame at all. */
  | { readonly type: 'garbage'; readonly gen: number }
  | { readonly type: 'lost'; readonly gen: number; readonly code: number; readonly reason: string }
  /** Dialling is impossible: a try later would fail in the same way. */
  | { readonly type: 'undialable'; readonly gen: number; readonly reason: string }
  | { readonly type: 'token'; readonly gen: number; readonly ok: boolean };

/** What the shell has to do. */
export type ConnectionEffect =
  | { readonly type: 'dial'; readonly gen: number }
  | { readonly type: 'hangUp'; readonly code: number; readonly reason: string }
  | { readonly type: 'fetchToken'; readonly gen: number; readonly refused: boolean }
  /** Send an `auth` frame with the token that was fetched. */
  | { readonly type: 'sendAuth'; readonly id: string }
  | { readonly type: 'send'; readonly frame: ClientFrame }
  | { readonly type: 'deliver'; readonly room: string; readonly frame: Envelope }
  | { readonly type: 'report'; readonly problem: Problem };

type Draft = { -readonly [K in keyof ConnectionState]: ConnectionState[K] };

/** A timer this late means that the machine slept or the tab was frozen, ms. */
const LATE_MS = 2_000;

/** What the welcome may say about tries. */
const RETRY_KEYS = ['maxAttempts', 'baseMs', 'capMs'] as const;

/** No failed try counts any more. */
const FRESH = { attempt: 0, refused: false } as const;
/** What holds without a connection. */
const DISCONNECTED = {
  dueAt: NEVER,
  retryAt: NEVER,
  silentAt: NEVER,
  stableAt: NEVER,
  degraded: false,
  authId: undefined,
} as const;

/** Where a client starts. */
export const INITIAL: ConnectionState = {
  ...FRESH,
  ...DISCONNECTED,
  phase: 'idle',
  gen: 0,
  online: true,
  wasOpen: false,
  token: 'pending',
  // Until a welcome says otherwise.
  retry: { maxAttempts: 5, baseMs: 500, capMs: 30_000, minMs: 100 },
  heartbeatMs: 15_000,
  holdMs: 0,
  nextId: 1,
  rooms: new Map(),
};

/** When the machine wants the `timer` input. */
export function deadline(state: ConnectionState): number | undefined {
  const { dueAt, retryAt, silentAt, stableAt, attempt, refused, rooms } = state;
  const times = [dueAt, retryAt, silentAt];
  if (attempt > 0 || refused) times.push(stableAt);
  for (const { ask, releaseAt } of rooms.values()) times.push(ask?.by ?? NEVER, releaseAt);
  const next = Math.min(...times);
  return next < NEVER ? next : undefined;
}

/** A pure step of a client. */
export type ConnectionStep = (
  state: ConnectionState,
  input: (ConnectionInput | TimerInput) & Stamp,
) => Transition<ConnectionState, ConnectionEffect>;

/** Makes the reducer of a client. */
export function createStep(settings: ConnectionSettings): ConnectionStep {
  // One step under way: a draft of the next state and what belongs to it. None of it outlives the step; kept here
  // and not in a class, because a bundler shortens the names of variables but not of members.
  let s: Draft;
  let effects: ConnectionEffect[];
  let now: number;
  let random: number;

  function take(input: ConnectionInput | TimerInput): void {
    if ('gen' in input && (input.gen !== s.gen || !isConnected())) return;
    switch (input.type) {
      case 'connect':
      case 'reconnect':
        // The user acts: tries are counted anew, and a page that thinks it is offline is not believed.
        if (['idle', 'manual', 'closed'].includes(s.phase) || (s.phase === 'waiting' && input.type === 'reconnect')) {
          Object.assign(s, FRESH, { holdMs: 0, problem: undefined });
          dial();
        }
        break;
      case 'close':
        end('closed', undefined, 1000);
        s.wasOpen = false;
        for (const [name, room] of s.rooms) if (room.releaseAt < NEVER) setRoom(name);
        break;
      case 'online':
        s.online = true;
        if (s.phase === 'waiting') dial();
        else check();
        break;
      case 'offline':
        s.online = false;
        // A socket may outlive this; a try would be wasted.
        s.retryAt = NEVER;
        break;
      case 'visible':
        check();
        break;
      case 'want':
        want(input.room);
        break;
      case 'release':
        release(input.room);
        break;
      case 'token':
        // Not waited for: the upgrade's cookie was enough.
        if (s.token !== 'pending') break;
        s.token = input.ok ? 'ready' : 'failed';
        if (s.phase !== 'connecting') authenticate();
        break;
      case 'lost':
        lost(input.code, input.reason);
        break;
      case 'undialable':
        end('closed', { code: 'ERR_REALTIME_URL_INVALID', detail: input.reason });
        break;
      case 'garbage':
        heard();
        report({ code: 'ERR_REALTIME_FRAME_MALFORMED' });
        break;
      case 'frame':
        heard();
        receiveFrame(input.frame, input.valid);
        break;
      case 'timer':
        timer();
    }
  }

  // --- the connection ---

  const isAuthenticated = (): boolean => s.phase === 'recovering' || s.phase === 'open';
  const isConnected = (): boolean => s.dueAt < NEVER || isAuthenticated();
  const report = (problem: Problem): void => void effects.push({ type: 'report', problem });
  const send = (frame: ClientFrame): void => void effects.push({ type: 'send', frame });
  const nextId = (): string => `${s.nextId++}`;

  function dial(): void {
    s.gen += 1;
    s.phase = 'connecting';
    s.retryAt = NEVER;
    s.holdMs = 0;
    s.dueAt = now + settings.connectTimeoutMs;
    effects.push({ type: 'dial', gen: s.gen });
    // While the socket opens: the hub's patience with `auth` starts at the welcome.
    if (settings.hasToken) fetchToken(s.refused);
  }

  function fetchToken(refused: boolean): void {
    s.token = 'pending';
    effects.push({ type: 'fetchToken', gen: s.gen, refused });
  }

  /** Lets go of the socket. `code` is absent when the other side has closed it. */
  function end(phase: Phase, problem?: Problem, code?: number): void {
    if (code !== undefined && isConnected()) {
      effects.push({ type: 'hangUp', code, reason: problem?.code ?? '' });
    }
    Object.assign(s, DISCONNECTED, {
      phase,
      problem,
      rooms: new Map([...s.rooms].map(([name, room]) => [name, detach(room)])),
    });
    // Nobody watches the page from here on: what it said last may not hold at the next `connect()`.
    if (phase === 'closed') s.online = true;
    if (problem !== undefined) report(problem);
  }

  /** Comes back later. A connection that was stable ended; one that was not is a failed try. */
  function fail(problem: Problem, code?: number, counted = true): void {
    const wasStable = now >= s.stableAt;
    if (wasStable) Object.assign(s, FRESH);
    // Offline, no try can tell anything about the hub.
    if (counted && !wasStable && s.online) s.attempt += 1;
    const isLast = s.attempt >= (settings.maxAttempts ?? s.retry.maxAttempts);
    end(isLast ? 'manual' : 'waiting', problem, code);
    const delay = backoffDelay(s.attempt - 1, random, s.retry);
    if (!isLast && s.online) s.retryAt = now + s.holdMs + delay;
  }

  function lost(closeCode: number, detail: string): void {
    const problem: Problem = { code: 'ERR_REALTIME_CONNECTION_LOST', closeCode, detail };
    const action = closeActionOf(closeCode);
    if (action === 'stop') end('closed', { ...problem, code: 'ERR_REALTIME_CONNECTION_REFUSED' });
    else if (action === 'refreshToken') refuse({ ...problem, code: 'ERR_REALTIME_AUTH_REFUSED' });
    else fail(problem, undefined, action === 'reconnect');
  }

  /** The token was not taken: once more with a fresh one, at once and uncounted, then it is over. */
  function refuse(problem: Problem, code?: number): void {
    end(s.refused ? 'closed' : 'waiting', problem, code);
    if (s.refused) return;
    s.refused = true;
    dial();
  }

  /** Something came. */
  function heard(): void {
    if (s.silentAt < NEVER) s.silentAt = now + 2 * s.heartbeatMs;
  }

  /** Makes the hub answer soon: the connection may be dead without having said so. */
  function check(): void {
    if (!isAuthenticated()) return;
    for (const [name, room] of s.rooms) {
      if (room.ask !== undefined) return;
      // A subscribe from the known position is answered and brings nothing but what was missed.
      if (room.phase === 'live') {
        ask(name, room);
        return;
      }
    }
    // Nothing to ask for: the next ping has to come.
    s.silentAt = Math.min(s.silentAt, now + s.heartbeatMs + LATE_MS);
  }

  function timer(): void {
    if (now >= s.retryAt) dial();
    if (now >= s.stableAt) Object.assign(s, FRESH);
    if (now >= s.dueAt) {
      timeout();
    } else if (now >= s.silentAt) {
      if (now < s.silentAt + LATE_MS) {
        fail({ code: 'ERR_REALTIME_CONNECTION_SILENT' }, 4000);
      } else {
        // Late, as after sleep: frames may lie unread behind this very timer.
        s.silentAt = now + s.heartbeatMs + LATE_MS;
        check();
      }
    }
    for (const [name, { ask: asked, releaseAt }] of s.rooms) {
      if (now >= releaseAt) drop(name);
      else if (asked !== undefined && now >= asked.by) {
        if (asked.id !== '') {
          timeout();
          return;
        }
        ask(name, s.rooms.get(name) as RoomState);
      }
    }
  }

  const timeout = (): void => fail({ code: 'ERR_REALTIME_CONNECTION_TIMEOUT' }, 4000);

  // --- frames ---

  function receiveFrame(frame: Envelope, valid: boolean): void {
    const { event, type } = frame;
    if (type !== 'event') reply(frame, type === 'error');
    else if (!event.startsWith('sys.')) {
      const room = s.rooms.get(frame.room ?? '');
      if (room !== undefined && isAuthenticated()) change(frame.room ?? '', room, receive(room, frame, valid), event);
    } else if (valid) control(frame);
    else report({ code: 'ERR_REALTIME_PAYLOAD_INVALID', detail: event });
  }

  function control(frame: Envelope): void {
    const fields = fieldsOf(frame.payload);
    const name = String(fields.room);
    const room = s.rooms.get(name);
    switch (frame.event) {
      case 'sys.welcome': {
        if (s.phase !== 'connecting') break;
        const retry: { -readonly [K in keyof RetryPolicy]: RetryPolicy[K] } = { ...s.retry };
        for (const key of RETRY_KEYS) retry[key] = positive(fieldsOf(fields.retry)[key], retry[key]);
        s.retry = retry;
        s.heartbeatMs = positive(fields.heartbeatMs, s.heartbeatMs);
        s.silentAt = now + 2 * s.heartbeatMs;
        s.phase = 'authenticating';
        s.dueAt = now + settings.connectTimeoutMs;
        if (fields.authTimeoutMs === 0) welcomed();
        else authenticate();
        break;
      }
      case 'sys.ping': {
        const seqs: Record<string, number> = {};
        for (const [key, { position }] of s.rooms) if (position !== undefined) seqs[key] = position.seq;
        send({ v: 1, type: 'pong', id: nextId(), payload: { seqs } });
        break;
      }
      case 'sys.reauth':
        if (settings.hasToken && isAuthenticated()) fetchToken(false);
        break;
      case 'sys.drain':
        s.holdMs = positive(fields.reconnectInMs, 0);
        break;
      case 'sys.degraded':
        s.degraded = fields.degraded === true;
        break;
      case 'sys.snapshot':
        if (room !== undefined && isAuthenticated()) change(name, room, restore(room, frame), frame.event);
        break;
      case 'sys.unsubscribed':
        if (room !== undefined) denied(name, room, String(fields.code));
    }
  }

  function reply(frame: Envelope, isError: boolean): void {
    const { re } = frame;
    const { code, retryAfterMs } = fieldsOf(frame.payload);
    const detail = String(code);
    const waitMs = isError ? positive(retryAfterMs, 0) : 0;
    if (re !== undefined && re === s.authId) {
      s.authId = undefined;
      const problem: Problem = { code: 'ERR_REALTIME_AUTH_REFUSED', detail };
      if (isAuthenticated()) {
        // A renewal that failed costs nothing yet: the old token holds until the hub closes with 4401.
        if (isError) report(problem);
      } else if (isError) {
        s.holdMs = waitMs;
        (waitMs > 0 ? fail : refuse)(problem, 1000);
      } else welcomed();
      return;
    }
    for (const [name, room] of s.rooms) {
      const asked = room.ask;
      if (asked === undefined || asked.id !== re) continue;
      if (!isError) change(name, room, answer(room, frame), 'ack');
      else if (waitMs === 0) denied(name, room, detail);
      else {
        setRoom(name, { ...room, ask: { id: '', by: now + waitMs } });
        settle();
      }
      return;
    }
    if (!isError) return;
    // Said before a close: how long to stay away (4429).
    s.holdMs = Math.max(s.holdMs, waitMs);
    report({ code: 'ERR_REALTIME_SERVER_ERROR', detail });
  }

  function authenticate(): void {
    const problem: Problem = { code: 'ERR_REALTIME_TOKEN_UNAVAILABLE' };
    if (!settings.hasToken) end('closed', problem, 1000);
    else if (s.token === 'ready') {
      s.authId = nextId();
      effects.push({ type: 'sendAuth', id: s.authId });
    } else if (s.token === 'failed') {
      // Asked for again on an open connection: the old token still holds, and its end closes with 4401.
      if (isAuthenticated()) report(problem);
      else fail(problem, 1000);
    }
  }

  function welcomed(): void {
    s.phase = 'recovering';
    s.dueAt = NEVER;
    s.token = 'ready';
    for (const [name, room] of s.rooms) ask(name, room);
    settle();
  }

  /** Open once every room has its answer. */
  function settle(): void {
    if (s.phase !== 'recovering') return;
    for (const { ask } of s.rooms.values()) if (ask?.id) return;
    Object.assign(s, { phase: 'open', wasOpen: true, problem: undefined, stableAt: now + settings.stableAfterMs });
  }

  // --- rooms ---

  function want(name: string): void {
    const known = s.rooms.get(name);
    const room = { ...(known ?? NEW_ROOM), releaseAt: NEVER };
    setRoom(name, room);
    if ((known === undefined || known.phase === 'denied') && isAuthenticated()) ask(name, room);
  }

  function release(name: string): void {
    const room = s.rooms.get(name);
    if (room === undefined) return;
    // Another page or a second mount may want it in a moment: leaving and coming back would cost a snapshot.
    const isOff = s.phase === 'idle' || s.phase === 'closed';
    setRoom(name, isOff ? undefined : { ...room, releaseAt: now + settings.roomLingerMs });
  }

  function drop(name: string): void {
    setRoom(name);
    if (!isAuthenticated()) return;
    send({ v: 1, type: 'unsubscribe', id: nextId(), payload: { room: name } });
    settle();
  }

  function denied(name: string, room: RoomState, detail: string): void {
    setRoom(name, deny(room, detail));
    report({ code: 'ERR_REALTIME_ROOM_DENIED', detail, room: name });
    settle();
  }

  function change(name: string, before: RoomState, { room, deliver, behind, bad }: RoomChange, event: string): void {
    setRoom(name, room);
    for (const frame of deliver) effects.push({ type: 'deliver', room: name, frame });
    if (bad === true) {
      const problem: Problem = { code: 'ERR_REALTIME_PAYLOAD_INVALID', detail: event, room: name };
      // Asked again, the hub would give the same senseless answer: that is a failed try.
      if (event === 'ack' && behind !== true) {
        fail(problem, 4000);
        return;
      }
      report(problem);
    }
    // An ask under way asks from the position that was: useless once that is given up.
    if (behind === true && (room.ask === undefined || room.position === undefined)) {
      ask(name, { ...room, phase: 'behind' });
    }
    if (before.ask !== undefined) settle();
  }

  /** Subscribes from the position on; without one the answer is the whole state. */
  function ask(name: string, room: RoomState): void {
    const since = room.position;
    const id = nextId();
    const by = now + settings.subscribeTimeoutMs;
    setRoom(name, { ...room, phase: room.phase === 'live' ? 'live' : 'behind', ask: { id, by }, reason: undefined });
    send({ v: 1, type: 'subscribe', id, payload: { room: name, ...(since !== undefined && { since }) } });
  }

  function setRoom(name: string, room?: RoomState): void {
    const rooms = new Map(s.rooms);
    if (room === undefined) rooms.delete(name);
    else rooms.set(name, room);
    s.rooms = rooms;
  }

  return (state, input) => {
    s = { ...state };
    effects = [];
    ({ now, random } = input);
    take(input);
    return { state: s, effects };
  };
}
