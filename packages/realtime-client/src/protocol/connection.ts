/**
 * Owns the connection's life: dial, authenticate, subscribe again, notice silence, wait, give up. One pure
 * reducer for one client; rooms are kept by `room.ts`. Refuses sockets, clocks, tokens: the shell has them.
 */
import { type BackoffPolicy, backoffDelay, type Stamp, type TimerInput, type Transition } from '@guildkit/core';
import { type ClientFrame, closeActionOf, type Envelope } from '@guildkit/core/wire';
import type { RealtimeErrorCode } from '../errors.js';
import { fieldsOf, positive } from './frame.js';
import { answer, deny, detach, NEW_ROOM, type RoomChange, type RoomState, receive, restore } from './room.js';

/** What the connection does. `authenticating` and `recovering`: the socket is open. */
export type Phase = 'idle' | 'connecting' | 'authenticating' | 'recovering' | 'open' | 'waiting' | 'manual' | 'closed';

/** What is fixed for a client. Times in ms. */
export interface ConnectionSettings {
  /** Failed tries in a row before `manual`; `undefined` leaves it to the hub's welcome. */
  readonly maxAttempts: number | undefined;
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

/** The whole client. */
export interface ConnectionState {
  readonly phase: Phase;
  /** Number of the current socket. What an older one says is ignored. */
  readonly gen: number;
  /** Failed tries in a row. */
  readonly attempt: number;
  /** Tries in a row that were sent away without fault (4503): they lengthen the wait, nothing else. */
  readonly drains: number;
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
  readonly dueAt: number | undefined;
  /** When the next try starts. */
  readonly retryAt: number | undefined;
  /** When silence counts as a dead connection. */
  readonly silentAt: number | undefined;
  /** Silence was noticed late, as after sleep, and gets one more chance. */
  readonly checking: boolean;
  /** When the connection counts as stable; stays set afterwards. */
  readonly stableAt: number | undefined;
  readonly nextId: number;
  /** Id of the `auth` that waits for its answer. */
  readonly authId: string | undefined;
  readonly rooms: ReadonlyMap<string, RoomState>;
  /** Why the connection is not open. */
  readonly problem: Problem | undefined;
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
  | { readonly type: 'hangUp'; readonly gen: number; readonly code: number; readonly reason: string }
  | { readonly type: 'fetchToken'; readonly gen: number; readonly refused: boolean }
  /** Send an `auth` frame with the token that was fetched. */
  | { readonly type: 'sendAuth'; readonly gen: number; readonly id: string }
  | { readonly type: 'send'; readonly gen: number; readonly frame: ClientFrame }
  | { readonly type: 'deliver'; readonly room: string; readonly frame: Envelope }
  | { readonly type: 'report'; readonly problem: Problem };

type Draft = { -readonly [K in keyof ConnectionState]: ConnectionState[K] };

const DEFAULT_RETRY: RetryPolicy = { maxAttempts: 5, baseMs: 500, capMs: 30_000, minMs: 100 };
const DEFAULT_HEARTBEAT_MS = 15_000;
/** A timer this late means that the machine slept or the tab was frozen, ms. */
const LATE_MS = 2_000;

/** Where a client starts. */
export const INITIAL: ConnectionState = {
  phase: 'idle',
  gen: 0,
  attempt: 0,
  drains: 0,
  refused: false,
  online: true,
  wasOpen: false,
  degraded: false,
  token: 'pending',
  retry: DEFAULT_RETRY,
  heartbeatMs: DEFAULT_HEARTBEAT_MS,
  holdMs: 0,
  dueAt: undefined,
  retryAt: undefined,
  silentAt: undefined,
  checking: false,
  stableAt: undefined,
  nextId: 1,
  authId: undefined,
  rooms: new Map(),
  problem: undefined,
};

/** When the machine wants the `timer` input. */
export function deadline(state: ConnectionState): number | undefined {
  const { dueAt, retryAt, silentAt, stableAt, attempt, drains, refused, rooms } = state;
  let next = Math.min(
    dueAt ?? Number.POSITIVE_INFINITY,
    retryAt ?? Number.POSITIVE_INFINITY,
    silentAt ?? Number.POSITIVE_INFINITY,
  );
  if (attempt + drains > 0 || refused) next = Math.min(next, stableAt ?? Number.POSITIVE_INFINITY);
  for (const { ask, releaseAt } of rooms.values())
    next = Math.min(next, ask?.by ?? Number.POSITIVE_INFINITY, releaseAt ?? Number.POSITIVE_INFINITY);
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}

/** Makes the reducer of a client. */
export function createStep(
  settings: ConnectionSettings,
): (
  state: ConnectionState,
  input: (ConnectionInput | TimerInput) & Stamp,
) => Transition<ConnectionState, ConnectionEffect> {
  return (state, input) => {
    const s: Draft = { ...state };
    const effects: ConnectionEffect[] = [];
    new Step(settings, s, effects, input.now, input.random).take(input);
    return { state: s, effects };
  };
}

/** One step under way: a draft of the next state and the effects so far. It does not outlive the step. */
class Step {
  constructor(
    private readonly settings: ConnectionSettings,
    private readonly s: Draft,
    private readonly effects: ConnectionEffect[],
    private readonly now: number,
    private readonly random: number,
  ) {}

  take(input: ConnectionInput | TimerInput): void {
    const { s } = this;
    if ('gen' in input && (input.gen !== s.gen || !this.connected())) return;
    switch (input.type) {
      case 'connect':
      case 'reconnect':
        // The user acts: tries are counted anew, and a browser that thinks it is offline is not believed.
        if (s.phase === 'idle' || s.phase === 'manual' || s.phase === 'closed') this.begin();
        else if (s.phase === 'waiting' && input.type === 'reconnect') this.begin();
        break;
      case 'close':
        this.end('closed', undefined, 1000);
        s.wasOpen = false;
        for (const [name, room] of s.rooms) if (room.releaseAt !== undefined) this.setRoom(name, undefined);
        break;
      case 'online':
        s.online = true;
        if (s.phase === 'waiting') this.dial();
        else this.check();
        break;
      case 'offline':
        s.online = false;
        // A socket may outlive this; a try would be wasted.
        s.retryAt = undefined;
        break;
      case 'visible':
        this.check();
        break;
      case 'want':
        this.want(input.room);
        break;
      case 'release':
        this.release(input.room);
        break;
      case 'token':
        // Not waited for: the upgrade's cookie was enough.
        if (s.token !== 'pending') return;
        s.token = input.ok ? 'ready' : 'failed';
        if (s.phase !== 'connecting') this.authenticate();
        break;
      case 'lost':
        this.lost(input.code, input.reason);
        break;
      case 'undialable':
        this.stop({ code: 'ERR_REALTIME_URL_INVALID', detail: input.reason });
        break;
      case 'garbage':
        this.heard();
        this.report({ code: 'ERR_REALTIME_FRAME_MALFORMED' });
        break;
      case 'frame':
        this.heard();
        this.frame(input.frame, input.valid);
        break;
      case 'timer':
        this.timer();
        break;
    }
  }

  // --- the connection ---

  private connected(): boolean {
    return this.s.dueAt !== undefined || this.authenticated();
  }

  private authenticated(): boolean {
    return this.s.phase === 'recovering' || this.s.phase === 'open';
  }

  private begin(): void {
    Object.assign(this.s, { attempt: 0, drains: 0, refused: false, holdMs: 0, problem: undefined });
    this.dial();
  }

  private dial(): void {
    const { s, settings } = this;
    s.gen += 1;
    s.phase = 'connecting';
    s.retryAt = undefined;
    s.holdMs = 0;
    s.dueAt = this.now + settings.connectTimeoutMs;
    s.token = 'pending';
    const { gen, refused } = s;
    this.effects.push({ type: 'dial', gen });
    // While the socket opens: the hub's patience with `auth` starts at the welcome.
    if (settings.hasToken) this.effects.push({ type: 'fetchToken', gen, refused });
  }

  /** Lets go of the socket. `code` is absent when the other side has closed it. */
  private end(phase: Phase, problem: Problem | undefined, code?: number): void {
    const { s } = this;
    if (code !== undefined && this.connected()) {
      this.effects.push({ type: 'hangUp', gen: s.gen, code, reason: problem?.code ?? '' });
    }
    Object.assign(s, { phase, problem, dueAt: undefined, retryAt: undefined, silentAt: undefined });
    Object.assign(s, { stableAt: undefined, authId: undefined, checking: false, degraded: false });
    // Nobody watches the page from here on: what it said last may not hold at the next `connect()`.
    if (phase === 'closed') s.online = true;
    s.rooms = new Map([...s.rooms].map(([name, room]) => [name, detach(room)]));
    if (problem !== undefined) this.report(problem);
  }

  /** The hub says that coming back is pointless. */
  private stop(problem: Problem, code?: number): void {
    this.end('closed', problem, code);
  }

  /** Comes back later. A connection that was stable ended; one that was not is a failed try. */
  private fail(problem: Problem, options: { code?: number; counted?: boolean } = {}): void {
    const { s } = this;
    const wasStable = s.stableAt !== undefined && this.now >= s.stableAt;
    if (wasStable) Object.assign(s, { attempt: 0, drains: 0, refused: false });
    if (options.counted === false) s.drains += 1;
    // Offline, no try can tell anything about the hub.
    else if (!wasStable && s.online) s.attempt += 1;
    const maxAttempts = this.settings.maxAttempts ?? s.retry.maxAttempts;
    if (s.attempt >= maxAttempts) {
      this.end('manual', problem, options.code);
      return;
    }
    this.end('waiting', problem, options.code);
    const delay = backoffDelay(s.attempt + s.drains - 1, this.random, s.retry);
    if (s.online) s.retryAt = this.now + s.holdMs + delay;
  }

  private lost(closeCode: number, reason: string): void {
    const problem: Problem = { code: 'ERR_REALTIME_CONNECTION_LOST', closeCode, detail: reason };
    switch (closeActionOf(closeCode)) {
      case 'stop':
        this.stop({ ...problem, code: 'ERR_REALTIME_CONNECTION_REFUSED' });
        return;
      case 'refreshToken':
        this.refuse({ ...problem, code: 'ERR_REALTIME_AUTH_REFUSED' });
        return;
      case 'reconnectUncounted':
        this.fail(problem, { counted: false });
        return;
      default:
        this.fail(problem);
        return;
    }
  }

  /** The token was not taken: once more with a fresh one, at once and uncounted, then it is over. */
  private refuse(problem: Problem, code?: number): void {
    if (this.s.refused) {
      this.stop(problem, code);
      return;
    }
    this.end('waiting', problem, code);
    this.s.refused = true;
    this.dial();
  }

  /** Something came. */
  private heard(): void {
    const { s } = this;
    if (s.silentAt === undefined) return;
    s.silentAt = this.now + 2 * s.heartbeatMs;
    s.checking = false;
  }

  /** Makes the hub answer soon: the connection may be dead without having said so. */
  private check(): void {
    if (!this.authenticated()) return;
    for (const [name, room] of this.s.rooms) {
      if (room.ask !== undefined) return;
      // A subscribe from the known position is answered and brings nothing but what was missed.
      if (room.phase === 'live') {
        this.ask(name, room, true);
        return;
      }
    }
    // Nothing to ask for: the next ping has to come.
    this.s.silentAt = Math.min(this.s.silentAt ?? Number.POSITIVE_INFINITY, this.now + this.s.heartbeatMs + LATE_MS);
  }

  private timer(): void {
    const { s, now } = this;
    if (s.retryAt !== undefined && now >= s.retryAt) {
      this.dial();
      return;
    }
    if (s.dueAt !== undefined && now >= s.dueAt) {
      this.timeout();
      return;
    }
    if (s.silentAt !== undefined && now >= s.silentAt) {
      if (s.checking || now < s.silentAt + LATE_MS) {
        this.fail({ code: 'ERR_REALTIME_CONNECTION_SILENT' }, { code: 4000 });
        return;
      }
      // Late: frames may lie unread behind this very timer.
      s.checking = true;
      s.silentAt = now + s.heartbeatMs + LATE_MS;
      this.check();
    }
    if (s.stableAt !== undefined && now >= s.stableAt) Object.assign(s, { attempt: 0, drains: 0, refused: false });
    for (const [name, room] of s.rooms) {
      if (room.releaseAt !== undefined && now >= room.releaseAt) this.drop(name, room);
      else if (room.ask !== undefined && now >= room.ask.by) {
        if (room.ask.later !== true) {
          this.timeout();
          return;
        }
        this.ask(name, room, true);
      }
    }
  }

  private timeout(): void {
    this.fail({ code: 'ERR_REALTIME_CONNECTION_TIMEOUT' }, { code: 4000 });
  }

  // --- frames ---

  private frame(frame: Envelope, valid: boolean): void {
    const { event, room: name } = frame;
    if (frame.type !== 'event') {
      this.reply(frame);
      return;
    }
    if (event.startsWith('sys.')) {
      if (valid) this.control(frame);
      else this.report({ code: 'ERR_REALTIME_PAYLOAD_INVALID', detail: event });
      return;
    }
    const room = name === undefined ? undefined : this.s.rooms.get(name);
    if (name === undefined || room === undefined || !this.authenticated()) return;
    this.change(name, room, receive(room, frame, valid), event);
  }

  private control(frame: Envelope): void {
    const { s } = this;
    const fields = fieldsOf(frame.payload);
    const name = String(fields.room);
    const room = s.rooms.get(name);
    switch (frame.event) {
      case 'sys.welcome': {
        if (s.phase !== 'connecting') return;
        const retry = fieldsOf(fields.retry);
        s.retry = {
          ...s.retry,
          maxAttempts: positive(retry.maxAttempts, s.retry.maxAttempts),
          baseMs: positive(retry.baseMs, s.retry.baseMs),
          capMs: positive(retry.capMs, s.retry.capMs),
        };
        s.heartbeatMs = positive(fields.heartbeatMs, DEFAULT_HEARTBEAT_MS);
        s.silentAt = this.now + 2 * s.heartbeatMs;
        s.phase = 'authenticating';
        s.dueAt = this.now + this.settings.connectTimeoutMs;
        if (fields.authTimeoutMs === 0) {
          this.welcomed();
          return;
        }
        this.authenticate();
        return;
      }
      case 'sys.ping':
        this.pong();
        return;
      case 'sys.reauth':
        if (!this.settings.hasToken || s.token === 'pending') return;
        s.token = 'pending';
        this.effects.push({ type: 'fetchToken', gen: s.gen, refused: false });
        return;
      case 'sys.drain':
        s.holdMs = positive(fields.reconnectInMs, 0);
        return;
      case 'sys.degraded':
        s.degraded = fields.degraded === true;
        return;
      case 'sys.snapshot':
        if (room !== undefined && this.authenticated()) this.change(name, room, restore(room, frame), frame.event);
        return;
      case 'sys.unsubscribed':
        if (room !== undefined) this.denied(name, room, String(fields.code));
    }
  }

  private reply(frame: Envelope): void {
    const { s } = this;
    const { re } = frame;
    const failed = frame.type === 'error';
    const { code, retryAfterMs } = fieldsOf(frame.payload);
    const detail = failed ? String(code) : undefined;
    const waitMs = failed ? positive(retryAfterMs, 0) : 0;
    if (re !== undefined && re === s.authId) {
      s.authId = undefined;
      if (!failed) {
        if (s.phase === 'authenticating') this.welcomed();
        return;
      }
      const problem: Problem = { code: 'ERR_REALTIME_AUTH_REFUSED', detail };
      if (waitMs === 0) {
        this.refuse(problem, 1000);
        return;
      }
      s.holdMs = waitMs;
      this.fail(problem, { code: 1000 });
      return;
    }
    for (const [name, room] of s.rooms) {
      if (re === undefined || room.ask?.id !== re) continue;
      if (!failed) {
        this.change(name, room, answer(room, frame), 'ack');
        return;
      }
      if (waitMs === 0) {
        this.denied(name, room, detail ?? '');
        return;
      }
      this.setRoom(name, { ...room, ask: { ...room.ask, by: this.now + waitMs, later: true } });
      this.settle();
      return;
    }
    if (!failed) return;
    // Said before a close: how long to stay away (4429).
    s.holdMs = Math.max(s.holdMs, waitMs);
    this.report({ code: 'ERR_REALTIME_SERVER_ERROR', detail });
  }

  private authenticate(): void {
    const { s } = this;
    const problem: Problem = { code: 'ERR_REALTIME_TOKEN_UNAVAILABLE' };
    if (!this.settings.hasToken) {
      this.stop(problem, 1000);
      return;
    }
    if (s.token === 'pending') return;
    // Asked for again on an open connection: the old token still holds, and its end closes with 4401.
    if (s.token === 'failed') {
      if (s.phase === 'authenticating') this.fail(problem, { code: 1000 });
      else this.report(problem);
      return;
    }
    s.authId = this.id();
    this.effects.push({ type: 'sendAuth', gen: s.gen, id: s.authId });
  }

  private welcomed(): void {
    const { s } = this;
    s.phase = 'recovering';
    s.dueAt = undefined;
    s.token = 'ready';
    for (const [name, room] of s.rooms) this.ask(name, room, true);
    this.settle();
  }

  /** Open once every room has its answer. */
  private settle(): void {
    const { s } = this;
    if (s.phase !== 'recovering') return;
    for (const { ask } of s.rooms.values()) if (ask !== undefined && ask.later !== true) return;
    Object.assign(s, { phase: 'open', wasOpen: true, problem: undefined });
    s.stableAt = this.now + this.settings.stableAfterMs;
  }

  private pong(): void {
    const seqs: Record<string, number> = {};
    for (const [name, { position }] of this.s.rooms) if (position !== undefined) seqs[name] = position.seq;
    this.send({ v: 1, type: 'pong', id: this.id(), payload: { seqs } });
  }

  // --- rooms ---

  private want(name: string): void {
    const known = this.s.rooms.get(name);
    const room = { ...(known ?? NEW_ROOM), releaseAt: undefined };
    this.setRoom(name, room);
    if ((known === undefined || known.phase === 'denied') && this.authenticated()) this.ask(name, room, true);
  }

  private release(name: string): void {
    const room = this.s.rooms.get(name);
    if (room === undefined) return;
    // Another page or a second mount may want it in a moment: leaving and coming back would cost a snapshot.
    if (this.s.phase === 'idle' || this.s.phase === 'closed') this.setRoom(name, undefined);
    else this.setRoom(name, { ...room, releaseAt: this.now + this.settings.roomLingerMs });
  }

  private drop(name: string, room: RoomState): void {
    this.setRoom(name, undefined);
    if (!this.authenticated()) return;
    if (room.phase !== 'denied') this.send({ v: 1, type: 'unsubscribe', id: this.id(), payload: { room: name } });
    this.settle();
  }

  private denied(name: string, room: RoomState, detail: string): void {
    this.setRoom(name, deny(room, detail));
    this.report({ code: 'ERR_REALTIME_ROOM_DENIED', detail, room: name });
    this.settle();
  }

  private change(name: string, before: RoomState, change: RoomChange, event: string): void {
    const { room, need } = change;
    this.setRoom(name, room);
    for (const frame of change.deliver) this.effects.push({ type: 'deliver', room: name, frame });
    if (change.bad === true) {
      const problem: Problem = { code: 'ERR_REALTIME_PAYLOAD_INVALID', detail: event, room: name };
      // Asked again, the hub would give the same senseless answer: that is a failed try.
      if (event === 'ack' && need === undefined) {
        this.fail(problem, { code: 4000 });
        return;
      }
      this.report(problem);
    }
    if (need === 'snapshot' || (need === 'events' && room.ask === undefined)) {
      this.ask(name, { ...room, phase: 'behind' }, need === 'events');
    }
    if (before.ask !== undefined) this.settle();
  }

  private ask(name: string, room: RoomState, fromPosition: boolean): void {
    const id = this.id();
    const since = fromPosition ? room.position : undefined;
    const by = this.now + this.settings.subscribeTimeoutMs;
    this.setRoom(name, {
      ...room,
      phase: room.phase === 'live' ? 'live' : 'behind',
      ask: { id, by },
      reason: undefined,
    });
    this.send({ v: 1, type: 'subscribe', id, payload: { room: name, ...(since !== undefined && { since }) } });
  }

  // --- small change ---

  private setRoom(name: string, room: RoomState | undefined): void {
    const rooms = new Map(this.s.rooms);
    if (room === undefined) rooms.delete(name);
    else rooms.set(name, room);
    this.s.rooms = rooms;
  }

  private id(): string {
    this.s.nextId += 1;
    return String(this.s.nextId);
  }

  private send(frame: ClientFrame): void {
    this.effects.push({ type: 'send', gen: this.s.gen, frame });
  }

  private report(problem: Problem): void {
    this.effects.push({ type: 'report', problem });
  }
}
