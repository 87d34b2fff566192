/**
 * Owns the control plane of one connection: who it is, whether it lives, what it may hear, why it ends. Pure: time
 * comes in with each input. The events themselves do not pass here but through `subscription.ts`.
 *
 * opening (the upgrade's own proof is looked at) → authenticating (an `auth` frame is due) → open → draining → closed.
 */
import type { Reducer, Stamp, TimerInput, Transition } from '@guildkit/core';
import type { ControlEvents, Position } from '@guildkit/core/wire';
import { parseRoom } from '@guildkit/core/wire';
import type { HubErrorCode } from '../../errors.js';
import type { Principal } from '../../principal.js';
import type { ParsedFrame } from './client-frame.js';
import { type FrameBudget, fullBudget, takeToken } from './frame-budget.js';
import type { RoomRead } from './records.js';

/** Settings of a session. Times in ms. */
export interface SessionLimits {
  readonly authTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly pongTimeoutMs: number;
  readonly reauthLeadMs: number;
  readonly maxSubscriptions: number;
  readonly maxFramesPerSecond: number;
  readonly maxLagEvents: number;
}

/** Where a connection stands. */
export type SessionPhase = 'opening' | 'authenticating' | 'open' | 'draining' | 'closed';

/** How a subscription stands. */
export type SubscriptionStage =
  /** `authorize` is asked. Nothing is sent. */
  | 'authorizing'
  /** Allowed; the live feed is joined and the history read. */
  | 'joining'
  /** Acknowledged; events flow. */
  | 'live'
  /** Acknowledged, but events were missing: the history is read again. */
  | 'resyncing';

/** One subscription. */
export interface SessionSubscription {
  readonly stage: SubscriptionStage;
  /** Names this subscription; an answer with another number is for one that is gone. */
  readonly ticket: number;
  /** The client's frame that waits for an answer. */
  readonly re: string | undefined;
  readonly since: Position | undefined;
  /** Names the newest permission check under way beside the one of `authorizing`. */
  readonly recheck: number | undefined;
}

/** State of a session. */
export interface SessionState {
  readonly phase: SessionPhase;
  readonly principal: Principal | undefined;
  /** The authentication under way. */
  readonly auth: { readonly attempt: number; readonly re: string | undefined } | undefined;
  readonly attempts: number;
  /** When `auth`, or the client's `auth` frame, is due. */
  readonly authBy: number | undefined;
  /** When the principal's proof ends, and when the client is reminded. */
  readonly expiry: { readonly endsAt: number; readonly remindAt: number | undefined } | undefined;
  readonly heartbeat: { readonly pingAt: number; readonly pongBy: number | undefined } | undefined;
  readonly closeAt: number | undefined;
  readonly budget: FrameBudget;
  readonly subscriptions: ReadonlyMap<string, SessionSubscription>;
  readonly tickets: number;
}

/** What happens to a session. */
export type SessionInput =
  /** First of all, once. */
  | { readonly type: 'opened' }
  /** `admitted: false`: the user has too many connections. */
  | {
      readonly type: 'authenticated';
      readonly attempt: number;
      readonly principal: Principal;
      readonly expiresInMs: number;
      readonly admitted: boolean;
    }
  | { readonly type: 'authFailed'; readonly attempt: number; readonly unavailable: boolean }
  /** `behind`: of a pong, how many marked events the client has not seen. */
  | { readonly type: 'frame'; readonly parsed: ParsedFrame; readonly behind?: number | undefined }
  /** The socket refused a frame for its size and closes itself. */
  | { readonly type: 'oversized' }
  /** The socket met a violation of RFC 6455 and closes itself. */
  | { readonly type: 'broken' }
  /** The next frame would exceed the byte bound. */
  | { readonly type: 'overflowed' }
  | {
      readonly type: 'authorized';
      readonly room: string;
      readonly ticket: number;
      readonly verdict: 'allowed' | 'denied' | 'failed';
    }
  | { readonly type: 'read'; readonly room: string; readonly ticket: number; readonly read: RoomRead }
  | { readonly type: 'readFailed'; readonly room: string; readonly ticket: number }
  | { readonly type: 'holeFound'; readonly room: string; readonly ticket: number }
  /** Permissions may have changed: of all rooms, or of one. */
  | { readonly type: 'revalidate'; readonly room?: string | undefined }
  | { readonly type: 'drain'; readonly reconnectInMs: number; readonly closeInMs: number }
  /** The socket is gone. */
  | { readonly type: 'socketClosed' };

/** The close codes that a session uses: the hub's, and 1013 for "try again later" (IANA registry of close codes). */
export type SessionCloseCode = 4400 | 4401 | 4408 | 4413 | 4429 | 4503 | 1013;

/** What a session wants done, in this order. */
export type SessionEffect =
  /** Ask `authenticate`; without a token, by the upgrade request. */
  | { readonly type: 'authenticate'; readonly attempt: number; readonly token: string | undefined }
  | { readonly type: 'welcome'; readonly authTimeoutMs: number }
  /** Once, when the connection has become someone's. */
  | { readonly type: 'admitted'; readonly principal: Principal }
  | { readonly type: 'ack'; readonly re: string; readonly event: 'auth' | 'unsubscribe'; readonly payload: object }
  /** Send an `error` frame and count it. */
  | {
      readonly type: 'refuse';
      readonly code: HubErrorCode;
      readonly re: string | undefined;
      readonly room?: string | undefined;
      readonly detail?: string | undefined;
      readonly retryAfterMs?: number | undefined;
    }
  /** Count only: there is no one to tell. */
  | { readonly type: 'count'; readonly code: HubErrorCode }
  | ControlEffect<'sys.reauth' | 'sys.drain' | 'sys.unsubscribed'>
  /** Send `sys.ping` and mark every subscription's place. */
  | { readonly type: 'ping' }
  | { readonly type: 'authorize'; readonly room: string; readonly ticket: number }
  /** Join the live feed, then read the history. */
  | { readonly type: 'join'; readonly room: string; readonly ticket: number; readonly since: Position | undefined }
  /** Read the history again, from the last event sent. */
  | { readonly type: 'catchUp'; readonly room: string; readonly ticket: number }
  /** Tell what was read (as the ack of `re`; without one as `sys.snapshot` where needed) and let events flow. */
  | {
      readonly type: 'start';
      readonly room: string;
      readonly ticket: number;
      readonly re: string | undefined;
      readonly read: RoomRead;
    }
  | { readonly type: 'leave'; readonly room: string; readonly ticket: number }
  | { readonly type: 'close'; readonly code: SessionCloseCode; readonly cause: HubErrorCode }
  /** The last effect of every session: give back all that it held. */
  | { readonly type: 'release' };

type ControlEffect<Name extends keyof ControlEvents> = {
  [N in Name]: { readonly type: 'control'; readonly event: N; readonly payload: ControlEvents[N] };
}[Name];

type Step = Transition<SessionState, SessionEffect>;
type Taken = (SessionInput | TimerInput) & Stamp;

/** A client that was told to come back is asked to wait this long. */
const RETRY_AFTER_MS = 1_000;
const RETRY_AFTER_CONNECTION_LIMIT_MS = 5_000;

/** Frames that may come at once: after a reconnect a client subscribes to all its rooms in one go. */
export function frameBurst({ maxFramesPerSecond, maxSubscriptions }: SessionLimits): number {
  return maxFramesPerSecond + maxSubscriptions;
}

/** The state before `opened`. */
export function newSession(limits: SessionLimits, now: number): SessionState {
  return {
    phase: 'opening',
    principal: undefined,
    auth: undefined,
    attempts: 0,
    authBy: now + limits.authTimeoutMs,
    expiry: undefined,
    heartbeat: undefined,
    closeAt: undefined,
    budget: fullBudget(frameBurst(limits), now),
    subscriptions: new Map(),
    tickets: 0,
  };
}

/** The state machine of a connection. */
export function createSessionReducer(limits: SessionLimits): Reducer<SessionState, SessionInput, SessionEffect> {
  return { step: (state, input) => step(limits, state, input), deadline };
}

function deadline({ phase, authBy, expiry, heartbeat, closeAt }: SessionState): number | undefined {
  if (phase === 'closed') return undefined;
  const due = [authBy, expiry?.remindAt ?? expiry?.endsAt, heartbeat?.pongBy ?? heartbeat?.pingAt, closeAt];
  const times = due.filter((time) => time !== undefined && Number.isFinite(time)) as number[];
  return times.length === 0 ? undefined : Math.min(...times);
}

function step(limits: SessionLimits, state: SessionState, input: Taken): Step {
  if (state.phase === 'closed') return stay(state);
  switch (input.type) {
    case 'opened':
      return startAuth(state, undefined, undefined);
    case 'timer':
      return onTimer(limits, state, input.now);
    case 'frame': {
      const budget = takeToken(state.budget, input.now, limits.maxFramesPerSecond, frameBurst(limits));
      if (budget === undefined) {
        return fail(state, 4429, 'ERR_HUB_FRAME_RATE', { retryAfterMs: RETRY_AFTER_MS });
      }
      return onFrame(limits, { ...state, budget }, input.parsed, input.behind ?? 0, input.now);
    }
    case 'authenticated':
      return input.attempt === state.auth?.attempt ? onAuthenticated(limits, state, input) : stay(state);
    case 'authFailed':
      return input.attempt === state.auth?.attempt ? onAuthFailed(limits, state, input) : stay(state);
    case 'authorized':
      return onAuthorized(state, input);
    case 'read':
      return onRead(state, input);
    case 'readFailed':
      return onReadFailed(state, input);
    case 'holeFound': {
      const sub = state.subscriptions.get(input.room);
      if (sub?.ticket !== input.ticket || sub.stage !== 'live') return stay(state);
      const { room, ticket } = input;
      return go(withSub(state, room, { ...sub, stage: 'resyncing' }), { type: 'catchUp', room, ticket });
    }
    case 'revalidate':
      return recheck(state, input.room);
    case 'drain':
      return onDrain(state, input);
    case 'oversized':
      return fail(state, 4413, 'ERR_HUB_FRAME_TOO_LARGE');
    case 'broken':
      return end(state, [{ type: 'count', code: 'ERR_HUB_SOCKET_FAILED' }]);
    case 'overflowed':
      return tooSlow(state);
    case 'socketClosed':
      return end(state, []);
  }
}

// ─── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

function onTimer(limits: SessionLimits, state: SessionState, now: number): Step {
  const { authBy, expiry, heartbeat, closeAt, auth } = state;
  if (isDue(closeAt, now)) return end(state, [{ type: 'close', code: 4503, cause: 'ERR_HUB_DRAINING' }]);
  if (isDue(authBy, now)) {
    if (state.principal === undefined) {
      // While `authenticate` is asked the client has done its part: the delay is ours.
      return auth === undefined
        ? fail(state, 4401, 'ERR_HUB_AUTH_TIMEOUT')
        : fail(state, 1013, 'ERR_HUB_AUTH_UNAVAILABLE', { re: auth.re });
    }
    return go({ ...state, auth: undefined, authBy: undefined }, refusal('ERR_HUB_AUTH_UNAVAILABLE', auth?.re));
  }
  if (expiry !== undefined && isDue(expiry.endsAt, now)) return fail(state, 4401, 'ERR_HUB_AUTH_EXPIRED');
  if (expiry !== undefined && isDue(expiry.remindAt, now)) {
    return go(
      { ...state, expiry: { ...expiry, remindAt: undefined } },
      { type: 'control', event: 'sys.reauth', payload: { expiresAt: state.principal?.expiresAt ?? 0 } },
    );
  }
  if (heartbeat === undefined) return stay(state);
  if (heartbeat.pongBy !== undefined) return isDue(heartbeat.pongBy, now) ? tooSlow(state) : stay(state);
  if (!isDue(heartbeat.pingAt, now)) return stay(state);
  // The pong's deadline is the lag bound too: the ping queues behind every event sent before it.
  const next = { pingAt: now + limits.heartbeatMs, pongBy: now + limits.pongTimeoutMs };
  return go({ ...state, heartbeat: next }, { type: 'ping' });
}

function isDue(time: number | undefined, now: number): boolean {
  return time !== undefined && now >= time;
}

// ─── frames ─────────────────────────────────────────────────────────────────────────────────────────────────────

function onFrame(limits: SessionLimits, state: SessionState, parsed: ParsedFrame, behind: number, now: number): Step {
  if (parsed.kind === 'malformed') return fail(state, 4400, 'ERR_HUB_FRAME_MALFORMED');
  if (parsed.kind === 'unknown') return go(state, refusal('ERR_HUB_FRAME_UNKNOWN', parsed.id));
  if (parsed.kind === 'invalid') {
    return go(state, { ...refusal('ERR_HUB_FRAME_INVALID', parsed.id), detail: parsed.problem });
  }
  const { frame } = parsed;
  if (frame.type === 'auth') {
    if (state.auth !== undefined) return go(state, refusal('ERR_HUB_AUTH_PENDING', frame.id));
    return startAuth({ ...state, authBy: now + limits.authTimeoutMs }, frame.payload.token, frame.id);
  }
  if (frame.type === 'pong') {
    if (behind > limits.maxLagEvents) return tooSlow(state);
    const { heartbeat } = state;
    if (heartbeat?.pongBy === undefined) return stay(state);
    return stay({ ...state, heartbeat: { ...heartbeat, pongBy: undefined } });
  }
  if (state.principal === undefined) return go(state, refusal('ERR_HUB_AUTH_REQUIRED', frame.id));
  if (frame.type === 'command') return go(state, refusal('ERR_HUB_COMMAND_UNKNOWN', frame.id));
  const { room } = frame.payload;
  if (frame.type === 'subscribe') return subscribe(limits, state, room, frame.id, frame.payload.since);
  const { state: next, effects } = drop(state, room);
  return { state: next, effects: [...effects, { type: 'ack', re: frame.id, event: 'unsubscribe', payload: { room } }] };
}

// ─── authentication ─────────────────────────────────────────────────────────────────────────────────────────────

function startAuth(state: SessionState, token: string | undefined, re: string | undefined): Step {
  const attempt = state.attempts + 1;
  return go({ ...state, attempts: attempt, auth: { attempt, re } }, { type: 'authenticate', attempt, token });
}

function onAuthenticated(
  limits: SessionLimits,
  state: SessionState,
  { principal, expiresInMs, admitted, now, random }: Extract<Taken, { type: 'authenticated' }>,
): Step {
  const re = state.auth?.re;
  if (expiresInMs <= 0) {
    return state.phase === 'opening'
      ? askForAuth(limits, state, now)
      : fail(state, 4401, 'ERR_HUB_AUTH_EXPIRED', { re });
  }
  if (!admitted) {
    return fail(state, 4429, 'ERR_HUB_CONNECTION_LIMIT', { re, retryAfterMs: RETRY_AFTER_CONNECTION_LIMIT_MS });
  }
  const before = state.principal;
  if (before !== undefined && before.userId !== principal.userId) {
    return fail(state, 4401, 'ERR_HUB_AUTH_USER_CHANGED', { re });
  }
  // A short-lived token is reminded of at half its life: earlier would be at once.
  const leadMs = Math.min(limits.reauthLeadMs, expiresInMs / 2);
  const known: SessionState = {
    ...state,
    principal,
    auth: undefined,
    authBy: undefined,
    expiry: { endsAt: now + expiresInMs, remindAt: now + expiresInMs - leadMs },
  };
  const ack: readonly SessionEffect[] =
    re === undefined
      ? []
      : [{ type: 'ack', re, event: 'auth', payload: { userId: principal.userId, expiresAt: principal.expiresAt } }];
  if (before !== undefined) {
    // The new proof may carry other roles.
    const { state: next, effects } = recheck(known, undefined);
    return { state: next, effects: [...ack, ...effects] };
  }
  const welcome: readonly SessionEffect[] = state.phase === 'opening' ? [{ type: 'welcome', authTimeoutMs: 0 }] : [];
  // Spread over half an interval: connections that came together do not beat together.
  const pingAt = now + limits.heartbeatMs * (0.5 + random / 2);
  return {
    state: { ...known, phase: 'open', heartbeat: { pingAt, pongBy: undefined } },
    effects: [...welcome, ...ack, { type: 'admitted', principal }],
  };
}

function onAuthFailed(
  limits: SessionLimits,
  state: SessionState,
  { unavailable, now }: Extract<Taken, { type: 'authFailed' }>,
): Step {
  const re = state.auth?.re;
  const code = unavailable ? 'ERR_HUB_AUTH_UNAVAILABLE' : 'ERR_HUB_AUTH_REFUSED';
  // A refused renewal costs nothing yet: the proof that was given before still holds until it ends.
  if (state.principal !== undefined) {
    return go({ ...state, auth: undefined, authBy: undefined }, refusal(code, re));
  }
  if (unavailable) return fail(state, 1013, code, { re });
  return state.phase === 'opening' ? askForAuth(limits, state, now) : fail(state, 4401, code, { re });
}

function askForAuth(limits: SessionLimits, state: SessionState, now: number): Step {
  const { authTimeoutMs } = limits;
  return go(
    { ...state, phase: 'authenticating', auth: undefined, authBy: now + authTimeoutMs },
    { type: 'welcome', authTimeoutMs },
  );
}

// ─── subscriptions ──────────────────────────────────────────────────────────────────────────────────────────────

function subscribe(
  limits: SessionLimits,
  state: SessionState,
  room: string,
  re: string,
  since: Position | undefined,
): Step {
  if (state.phase === 'draining') {
    return go(state, { ...refusal('ERR_HUB_DRAINING', re, room), retryAfterMs: RETRY_AFTER_MS });
  }
  if (parseRoom(room) === undefined) return go(state, refusal('ERR_HUB_ROOM_INVALID', re, room));
  // A client that found a hole subscribes anew from where it is: the old subscription makes way.
  const { state: free, effects } = drop(state, room);
  if (free.subscriptions.size >= limits.maxSubscriptions) {
    return { state: free, effects: [...effects, refusal('ERR_HUB_SUBSCRIPTION_LIMIT', re, room)] };
  }
  const ticket = free.tickets + 1;
  const sub: SessionSubscription = { stage: 'authorizing', ticket, re, since, recheck: undefined };
  return {
    state: { ...withSub(free, room, sub), tickets: ticket },
    effects: [...effects, { type: 'authorize', room, ticket }],
  };
}

function onAuthorized(
  state: SessionState,
  { room, ticket, verdict }: Extract<SessionInput, { type: 'authorized' }>,
): Step {
  const sub = state.subscriptions.get(room);
  if (sub === undefined) return stay(state);
  const code = verdict === 'denied' ? 'ERR_HUB_ROOM_FORBIDDEN' : 'ERR_HUB_SUBSCRIPTION_FAILED';
  if (sub.stage === 'authorizing' && sub.ticket === ticket) {
    if (verdict !== 'allowed') return revoke(state, room, code);
    return go(withSub(state, room, { ...sub, stage: 'joining' }), { type: 'join', room, ticket, since: sub.since });
  }
  if (sub.recheck !== ticket) return stay(state);
  // A check that failed is not a yes.
  if (verdict !== 'allowed') return revoke(state, room, code);
  return stay(withSub(state, room, { ...sub, recheck: undefined }));
}

function onRead(state: SessionState, { room, ticket, read }: Extract<SessionInput, { type: 'read' }>): Step {
  const sub = state.subscriptions.get(room);
  if (sub?.ticket !== ticket || (sub.stage !== 'joining' && sub.stage !== 'resyncing')) return stay(state);
  const live = withSub(state, room, { ...sub, stage: 'live', re: undefined, since: undefined });
  return go(live, { type: 'start', room, ticket, re: sub.re, read });
}

function onReadFailed(state: SessionState, { room, ticket }: Extract<SessionInput, { type: 'readFailed' }>): Step {
  const sub = state.subscriptions.get(room);
  if (sub?.ticket !== ticket || (sub.stage !== 'joining' && sub.stage !== 'resyncing')) return stay(state);
  return revoke(state, room, 'ERR_HUB_SUBSCRIPTION_FAILED');
}

/** Asks again for what is or is about to be heard. */
function recheck(state: SessionState, only: string | undefined): Step {
  const subscriptions = new Map(state.subscriptions);
  const effects: SessionEffect[] = [];
  let { tickets } = state;
  for (const [room, sub] of state.subscriptions) {
    if (only !== undefined && only !== room) continue;
    tickets += 1;
    effects.push({ type: 'authorize', room, ticket: tickets });
    // The answer under way may be from before the change: it is not waited for.
    subscriptions.set(room, sub.stage === 'authorizing' ? { ...sub, ticket: tickets } : { ...sub, recheck: tickets });
  }
  return effects.length === 0 ? stay(state) : { state: { ...state, subscriptions, tickets }, effects };
}

/** Ends a subscription against the client's will, and says so. */
function revoke(state: SessionState, room: string, code: HubErrorCode): Step {
  const sub = state.subscriptions.get(room) as SessionSubscription;
  const retry = code === 'ERR_HUB_SUBSCRIPTION_FAILED' ? { retryAfterMs: RETRY_AFTER_MS } : {};
  const told: readonly SessionEffect[] =
    sub.re === undefined
      ? [
          { type: 'count', code },
          { type: 'control', event: 'sys.unsubscribed', payload: { room, code } },
        ]
      : [{ ...refusal(code, sub.re, room), ...retry }];
  return { state: withoutSub(state, room), effects: [...leave(room, sub), ...told] };
}

/** Ends a subscription by the client's will. A `subscribe` that waits is answered first. */
function drop(state: SessionState, room: string): Step {
  const sub = state.subscriptions.get(room);
  if (sub === undefined) return stay(state);
  const answer = sub.re === undefined ? [] : [refusal('ERR_HUB_SUBSCRIPTION_CANCELLED', sub.re, room)];
  return { state: withoutSub(state, room), effects: [...leave(room, sub), ...answer] };
}

function leave(room: string, { stage, ticket }: SessionSubscription): readonly SessionEffect[] {
  return stage === 'authorizing' ? [] : [{ type: 'leave', room, ticket }];
}

// ─── ends ───────────────────────────────────────────────────────────────────────────────────────────────────────

function onDrain(state: SessionState, { reconnectInMs, closeInMs, now }: Extract<Taken, { type: 'drain' }>): Step {
  if (state.phase === 'draining') return stay(state);
  const told: SessionEffect = { type: 'control', event: 'sys.drain', payload: { reconnectInMs } };
  // Nobody listens yet: there is nothing to finish.
  if (state.phase !== 'open' || closeInMs <= 0) {
    return end(state, [told, { type: 'close', code: 4503, cause: 'ERR_HUB_DRAINING' }]);
  }
  return go({ ...state, phase: 'draining', closeAt: now + closeInMs }, told);
}

function tooSlow(state: SessionState): Step {
  // No error frame: it would only join the queue that is not read.
  return end(state, [
    { type: 'count', code: 'ERR_HUB_CONNECTION_SLOW' },
    { type: 'close', code: 4408, cause: 'ERR_HUB_CONNECTION_SLOW' },
  ]);
}

function fail(
  state: SessionState,
  code: SessionCloseCode,
  cause: HubErrorCode,
  { re, retryAfterMs }: { readonly re?: string | undefined; readonly retryAfterMs?: number } = {},
): Step {
  const said = { ...refusal(cause, re), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return end(state, [said, { type: 'close', code, cause }]);
}

function end(state: SessionState, effects: readonly SessionEffect[]): Step {
  const closed: SessionState = {
    ...state,
    phase: 'closed',
    auth: undefined,
    authBy: undefined,
    expiry: undefined,
    heartbeat: undefined,
    closeAt: undefined,
    subscriptions: new Map(),
  };
  return { state: closed, effects: [...effects, { type: 'release' }] };
}

// ─── small parts ────────────────────────────────────────────────────────────────────────────────────────────────

function stay(state: SessionState): Step {
  return { state, effects: [] };
}

function go(state: SessionState, effect: SessionEffect): Step {
  return { state, effects: [effect] };
}

function refusal(
  code: HubErrorCode,
  re: string | undefined,
  room?: string,
): Extract<SessionEffect, { type: 'refuse' }> {
  return { type: 'refuse', code, re, ...(room === undefined ? {} : { room }) };
}

function withSub(state: SessionState, room: string, sub: SessionSubscription): SessionState {
  return { ...state, subscriptions: new Map(state.subscriptions).set(room, sub) };
}

function withoutSub(state: SessionState, room: string): SessionState {
  const subscriptions = new Map(state.subscriptions);
  subscriptions.delete(room);
  return { ...state, subscriptions };
}
