/**
 * Owns the control plane of one connection: who it is, whether it lives, why it ends. Pure: time comes in with each
 * input. What it hears is in `session-subscriptions.ts`; the events themselves pass through `subscription.ts`.
 *
 * opening (the upgrade's own proof is looked at) → authenticating (an `auth` frame is due) → open → draining → closed.
 */
import type { Reducer } from '@guildkit/core';
import type { ParsedFrame } from './client-frame.js';
import { fullBudget, takeToken } from './frame-budget.js';
import { end, fail, go, RETRY_AFTER_MS, refusal, stay, tooSlow, withSub } from './session-steps.js';
import { drop, onAuthorized, onRead, onReadFailed, recheck, subscribe } from './session-subscriptions.js';
import type {
  SessionEffect,
  SessionInput,
  SessionLimits,
  SessionState,
  SessionStep,
  StampedInput,
} from './session-types.js';

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

function step(limits: SessionLimits, state: SessionState, input: StampedInput): SessionStep {
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

function onTimer(limits: SessionLimits, state: SessionState, now: number): SessionStep {
  const { authBy, expiry, heartbeat, closeAt, auth } = state;
  if (isDue(closeAt, now)) return end(state, [{ type: 'close', code: 4503, cause: 'ERR_HUB_DRAINING' }]);
  if (isDue(authBy, now)) {
    if (state.principal === undefined) {
      // While `authenticate` is asked the client has done its part: the delay is ours.
      return auth === undefined
        ? fail(state, 4401, 'ERR_HUB_AUTH_TIMEOUT')
        : fail(state, 1013, 'ERR_HUB_AUTH_UNAVAILABLE', { re: auth.re, retryAfterMs: RETRY_AFTER_MS });
    }
    return go({ ...state, auth: undefined, authBy: undefined }, unavailable(auth?.re));
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

function onFrame(
  limits: SessionLimits,
  state: SessionState,
  parsed: ParsedFrame,
  behind: number,
  now: number,
): SessionStep {
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

function startAuth(state: SessionState, token: string | undefined, re: string | undefined): SessionStep {
  const attempt = state.attempts + 1;
  return go({ ...state, attempts: attempt, auth: { attempt, re } }, { type: 'authenticate', attempt, token });
}

function onAuthenticated(
  limits: SessionLimits,
  state: SessionState,
  { principal, expiresInMs, admitted, now, random }: Extract<StampedInput, { type: 'authenticated' }>,
): SessionStep {
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
  { unavailable: isUnavailable, now }: Extract<StampedInput, { type: 'authFailed' }>,
): SessionStep {
  const re = state.auth?.re;
  const answer = isUnavailable ? unavailable(re) : refusal('ERR_HUB_AUTH_REFUSED', re);
  // A refused renewal costs nothing yet: the proof that was given before still holds until it ends.
  if (state.principal !== undefined) {
    return go({ ...state, auth: undefined, authBy: undefined }, answer);
  }
  if (isUnavailable) return fail(state, 1013, answer.code, answer);
  return state.phase === 'opening' ? askForAuth(limits, state, now) : fail(state, 4401, answer.code, { re });
}

/** The proof may be good: the client is asked to come back with it. */
function unavailable(re: string | undefined) {
  return { ...refusal('ERR_HUB_AUTH_UNAVAILABLE', re), retryAfterMs: RETRY_AFTER_MS };
}

function askForAuth(limits: SessionLimits, state: SessionState, now: number): SessionStep {
  const { authTimeoutMs } = limits;
  return go(
    { ...state, phase: 'authenticating', auth: undefined, authBy: now + authTimeoutMs },
    { type: 'welcome', authTimeoutMs },
  );
}

// ─── ends ───────────────────────────────────────────────────────────────────────────────────────────────────────

function onDrain(
  state: SessionState,
  { reconnectInMs, closeInMs, now }: Extract<StampedInput, { type: 'drain' }>,
): SessionStep {
  if (state.phase === 'draining') return stay(state);
  const told: SessionEffect = { type: 'control', event: 'sys.drain', payload: { reconnectInMs } };
  // Nobody listens yet: there is nothing to finish.
  if (state.phase !== 'open' || closeInMs <= 0) {
    return end(state, [told, { type: 'close', code: 4503, cause: 'ERR_HUB_DRAINING' }]);
  }
  return go({ ...state, phase: 'draining', closeAt: now + closeInMs }, told);
}
