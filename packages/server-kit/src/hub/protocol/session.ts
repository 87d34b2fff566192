/**
 * Owns the control plane of one connection: who it is, whether it lives, why it ends. Pure: time comes in with each
 * input. What it hears is in `session-subscriptions.ts`; the events themselves pass through `subscription.ts`.
 *
 * opening (the upgrade's own proof is looked at) → authenticating (an `auth` frame is due) → open → draining → closed.
 */
import type { CommandFrame } from '@guildkit/core/wire';
import type { HubErrorCode } from '../../errors.js';
import type { ParsedFrame } from './client-frame.js';
import { fullBudget, takeToken } from './frame-budget.js';
import { end, fail, go, RETRY_AFTER_MS, refusal, stay, tooSlow, withSub } from './session-steps.js';
import { drop, onAuthorized, onRead, onReadFailed, recheck, subscribe } from './session-subscriptions.js';
import type {
  SessionEffect,
  SessionInput,
  SessionKind,
  SessionLimits,
  SessionReducer,
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
    commands: new Map(),
    subscriptions: new Map(),
    tickets: 0,
  };
}

/** The state machine of a connection. */
export function createSessionReducer(limits: SessionLimits, kind: SessionKind = 'socket'): SessionReducer {
  const rules: Rules = { ...limits, kind };
  return { step: (state, input) => step(rules, state, input), deadline: (state) => deadline(kind, state) };
}

type Rules = SessionLimits & { readonly kind: SessionKind };

function deadline(kind: SessionKind, state: SessionState): number | undefined {
  const { phase, authBy, expiry, heartbeat, closeAt } = state;
  if (phase === 'closed') return undefined;
  // A socket is pinged again when it has answered; a stream's pongs are posted at times of their own.
  const beat = kind === 'socket' ? [heartbeat?.pongBy ?? heartbeat?.pingAt] : [heartbeat?.pongBy, heartbeat?.pingAt];
  const due = [authBy, expiry?.remindAt ?? expiry?.endsAt, ...beat, closeAt];
  const times = due.filter((time) => time !== undefined && Number.isFinite(time)) as number[];
  return times.length === 0 ? undefined : Math.min(...times);
}

function step(limits: Rules, state: SessionState, input: StampedInput): SessionStep {
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
    case 'renewed':
      return onRenewed(limits, state, input);
    case 'commandDone':
      return onCommandDone(state, input);
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

function onTimer(limits: Rules, state: SessionState, now: number): SessionStep {
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
  if (isDue(heartbeat.pongBy, now)) return tooSlow(state);
  if (limits.kind === 'stream') {
    if (!isDue(heartbeat.pingAt, now)) return stay(state);
    return go({ ...state, heartbeat: { ...heartbeat, pingAt: now + limits.heartbeatMs } }, { type: 'ping' });
  }
  if (heartbeat.pongBy !== undefined) return stay(state);
  if (!isDue(heartbeat.pingAt, now)) return stay(state);
  // The pong's deadline is the lag bound too: the ping queues behind every event sent before it.
  const next = { pingAt: now + limits.heartbeatMs, pongBy: now + limits.pongTimeoutMs };
  return go({ ...state, heartbeat: next }, { type: 'ping' });
}

function isDue(time: number | undefined, now: number): boolean {
  return time !== undefined && now >= time;
}

// ─── frames ─────────────────────────────────────────────────────────────────────────────────────────────────────

function onFrame(limits: Rules, state: SessionState, parsed: ParsedFrame, behind: number, now: number): SessionStep {
  if (parsed.kind === 'malformed') return fail(state, 4400, 'ERR_HUB_FRAME_MALFORMED');
  if (parsed.kind === 'unknown') return go(state, refusal('ERR_HUB_FRAME_UNKNOWN', parsed.id));
  if (parsed.kind === 'invalid') {
    return go(state, { ...refusal('ERR_HUB_FRAME_INVALID', parsed.id), detail: parsed.problem });
  }
  if (parsed.kind === 'ping') return stay(state);
  const { frame } = parsed;
  if (frame.type === 'auth') {
    if (state.auth !== undefined) return go(state, refusal('ERR_HUB_AUTH_PENDING', frame.id));
    return startAuth({ ...state, authBy: now + limits.authTimeoutMs }, frame.payload.token, frame.id);
  }
  if (frame.type === 'pong') return onPong(limits, state, behind, now);
  if (state.principal === undefined) return go(state, refusal('ERR_HUB_AUTH_REQUIRED', frame.id));
  if (frame.type === 'command') return onCommand(limits, state, frame);
  const { room } = frame.payload;
  if (frame.type === 'subscribe') return subscribe(limits, state, room, frame.id, frame.payload.since);
  const { state: next, effects } = drop(state, room);
  return { state: next, effects: [...effects, { type: 'ack', re: frame.id, event: 'unsubscribe', payload: { room } }] };
}

function onPong(limits: Rules, state: SessionState, behind: number, now: number): SessionStep {
  const { heartbeat } = state;
  if (behind > limits.maxLagEvents) return tooSlow(state);
  if (heartbeat === undefined) return stay(state);
  if (limits.kind === 'socket') {
    if (heartbeat.pongBy === undefined) return stay(state);
    return stay({ ...state, heartbeat: { ...heartbeat, pongBy: undefined } });
  }
  // What was sent before the last mark has been under way for this long.
  const underWayMs = now - (heartbeat.pingAt - limits.heartbeatMs);
  if (behind > 0 && underWayMs >= limits.pongTimeoutMs) return tooSlow(state);
  // A client that posts its position once is held to it; one that never does is bound by its bytes alone. One post may
  // get lost.
  return stay({ ...state, heartbeat: { ...heartbeat, pongBy: now + 2 * limits.heartbeatMs + limits.pongTimeoutMs } });
}

// ─── commands ───────────────────────────────────────────────────────────────────────────────────────────────────

function onCommand(limits: Rules, state: SessionState, { id, payload }: CommandFrame): SessionStep {
  if (state.phase === 'draining') return go(state, comeBack('ERR_HUB_DRAINING', id));
  if (state.commands.size >= limits.maxPendingCommands) return go(state, comeBack('ERR_HUB_COMMAND_LIMIT', id));
  const ticket = state.tickets + 1;
  const commands = new Map(state.commands).set(ticket, id);
  const { name, input } = payload;
  return go({ ...state, tickets: ticket, commands }, { type: 'command', ticket, id, name, input });
}

function onCommandDone(
  state: SessionState,
  { ticket, answer }: Extract<SessionInput, { type: 'commandDone' }>,
): SessionStep {
  const re = state.commands.get(ticket);
  if (re === undefined) return stay(state);
  const commands = new Map(state.commands);
  commands.delete(ticket);
  const next = { ...state, commands };
  if (!answer.ok) return go(next, { type: 'refuseCommand', re, error: answer.error });
  const { result = null, latencyMs } = answer;
  return go(next, { type: 'ack', re, event: 'command', payload: { result, latencyMs } });
}

function comeBack(code: HubErrorCode, re: string): SessionEffect {
  return { ...refusal(code, re), retryAfterMs: RETRY_AFTER_MS };
}

// ─── authentication ─────────────────────────────────────────────────────────────────────────────────────────────

function startAuth(state: SessionState, token: string | undefined, re: string | undefined): SessionStep {
  const attempt = state.attempts + 1;
  return go({ ...state, attempts: attempt, auth: { attempt, re } }, { type: 'authenticate', attempt, token });
}

function onAuthenticated(
  limits: Rules,
  state: SessionState,
  { principal, expiresInMs, admitted, now, random }: Extract<StampedInput, { type: 'authenticated' }>,
): SessionStep {
  const re = state.auth?.re;
  if (expiresInMs <= 0) {
    return state.phase === 'opening' && limits.kind === 'socket'
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
  const expiry = expiryOf(limits, now, expiresInMs);
  const known: SessionState = { ...state, principal, auth: undefined, authBy: undefined, expiry };
  // JSON has no Infinity.
  const expiresAt = Number.isFinite(principal.expiresAt) ? principal.expiresAt : null;
  const payload = { userId: principal.userId, expiresAt };
  const ack: readonly SessionEffect[] = re === undefined ? [] : [{ type: 'ack', re, event: 'auth', payload }];
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

function onRenewed(
  limits: Rules,
  state: SessionState,
  { principal, expiresInMs, rolesChanged, now }: Extract<StampedInput, { type: 'renewed' }>,
): SessionStep {
  if (state.principal?.userId !== principal.userId || expiresInMs <= 0) return stay(state);
  const known = { ...state, principal, expiry: expiryOf(limits, now, expiresInMs) };
  return rolesChanged ? recheck(known, undefined) : stay(known);
}

function expiryOf(limits: Rules, now: number, expiresInMs: number): SessionState['expiry'] {
  // A short-lived token is reminded of at half its life: earlier would be at once.
  const leadMs = Math.min(limits.reauthLeadMs, expiresInMs / 2);
  return { endsAt: now + expiresInMs, remindAt: now + expiresInMs - leadMs };
}

function onAuthFailed(
  limits: Rules,
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
  const mayAsk = state.phase === 'opening' && limits.kind === 'socket';
  return mayAsk ? askForAuth(limits, state, now) : fail(state, 4401, answer.code, { re });
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
