/**
 * Owns one gateway session as a pure state machine: the connection's life, heartbeats, resume, the sequence, sends
 * that wait. Refuses bytes, sockets, clocks and what a dispatch says. Its states, inputs and effects are in
 * `session-types.ts`, its numbers in `session-rules.ts`, how it loses a connection in `session-loss.ts`; the diagram is
 * `docs/architecture/gateway-states.md`.
 */
import type { Stamp, TimerInput } from '@guildkit/core';
import type { Frame } from './frames.js';
import { counted, EMPTY_OUTBOX, expire, outboxDeadline, post, release, withdraw } from './outbox.js';
import { drop, end, foundGap, refused } from './session-loss.js';
import { common, control, isLive, reject, type Stamped, type Step, stay, unexpected } from './session-parts.js';
import { SESSION_RULES, type SessionRules } from './session-rules.js';
import type {
  Heart,
  In,
  Live,
  Session,
  SessionCause,
  SessionEffect,
  SessionInput,
  SessionPhase,
  SessionReason,
  SessionState,
} from './session-types.js';

/** The session's reducer, for core's driver. */
export interface SessionReducer {
  step<Payload>(state: SessionState, input: Stamped<SessionInput<Payload> | TimerInput>): Step<Payload>;
  deadline(state: SessionState): number | undefined;
}

/** A session that has not begun; with `session` it will try to resume that one. */
export function initialSession(session?: Session): SessionState {
  return {
    phase: 'idle',
    gen: 0,
    attempts: 0,
    session,
    outbox: EMPTY_OUTBOX,
    outage: undefined,
    gapAt: undefined,
    gapRestUntil: undefined,
    excused: false,
    cause: { reason: 'created', code: undefined },
  };
}

/** Binds the state machine to its rules. */
export function createSession(rules: SessionRules = SESSION_RULES): SessionReducer {
  return {
    step: (state, input) => step(rules, state, input),
    deadline: (state) => deadline(rules, state),
  };
}

function deadline(rules: SessionRules, state: SessionState): number | undefined {
  if (state.phase === 'closed') return undefined;
  let at = Number.POSITIVE_INFINITY;
  if ('until' in state) at = state.until;
  if ('heart' in state && state.heart.nextAt < at) at = state.heart.nextAt;
  at = Math.min(at, outboxDeadline(rules, state.outbox, state.phase === 'ready' ? state.heart.everyMs : undefined));
  if (state.outage !== undefined && !state.outage.told) at = Math.min(at, state.outage.since + rules.degradedAfterMs);
  return at === Number.POSITIVE_INFINITY ? undefined : at;
}

function step<P>(rules: SessionRules, state: SessionState, input: Stamped<SessionInput<P> | TimerInput>): Step<P> {
  if (state.phase === 'closed') {
    return input.type === 'send' ? { state, effects: [reject(input.id, 'closed')] } : stay(state);
  }
  switch (input.type) {
    case 'connect':
      if (state.phase !== 'idle') return stay(state);
      return open({ ...state, outage: { since: input.now, told: false } }, rules, input.now, 'connect');
    case 'close':
      return end(state, { reason: 'closeCalled', code: undefined }, false);
    case 'detach':
      return end(state, { reason: 'detachCalled', code: undefined }, false);
    case 'send':
      return send(rules, state, input);
    case 'cancelSend': {
      const outbox = withdraw(state.outbox, input.id);
      if (outbox === state.outbox) return stay(state);
      return { state: { ...state, outbox }, effects: [reject(input.id, 'aborted')] };
    }
    case 'timer':
      return timer(rules, state, input);
    default:
      // Whatever a socket does that is no longer ours does not concern us.
      return input.gen === state.gen && isLive(state) ? socketInput(rules, state, input) : stay(state);
  }
}

function socketInput<P>(
  rules: SessionRules,
  state: Live,
  input: Stamped<Extract<SessionInput<P>, { gen: number }>>,
): Step<P> {
  switch (input.type) {
    case 'permitGranted':
      if (state.phase !== 'awaitingPermit') return stay(state);
      return {
        state: {
          ...state,
          phase: 'identifying',
          // It may carry a presence.
          outbox: counted(rules, state.outbox, input.now, true),
          until: input.now + rules.readyTimeoutMs,
          excused: false,
          cause: { reason: 'permit', code: undefined },
        },
        effects: [control(state, { kind: 'identify' })],
      };
    case 'permitDenied':
      if (state.phase !== 'awaitingPermit') return stay(state);
      return drop(rules, state, input, {
        reason: 'permitDenied',
        close: 'end',
        minDelayMs: Math.min(input.retryAfterMs, rules.maxPermitDelayMs),
      });
    case 'socketClosed': {
      const { next } = rules.closeCode(input.code);
      const cause: SessionCause = { reason: 'socketClosed', code: input.code };
      if (next === 'stop') return end(state, cause, true);
      return drop(rules, state, input, { ...cause, newSession: next === 'identify' });
    }
    case 'upgradeRefused':
      return refused(rules, state, input);
    case 'streamCorrupt':
      return drop(rules, state, input, { reason: 'streamCorrupt', close: 'keep' });
    case 'frame':
      return frame(rules, state, input.frame, input);
  }
}

function frame<P>(rules: SessionRules, state: Live, received: Frame<P>, stamp: Stamp): Step<P> {
  switch (received.kind) {
    case 'hello':
      return state.phase === 'connecting' ? hello(rules, state, received.heartbeatIntervalMs, stamp) : stay(state);
    case 'heartbeatAck':
      return acknowledged(state, stamp.now);
    case 'heartbeatRequest':
      return requestedBeat(rules, state, stamp.now);
    case 'reconnect':
      // Docs, Gateway Events: Reconnect: come back and resume at once.
      return drop(rules, state, stamp, { reason: 'reconnectRequested', close: 'keep', atOnce: true });
    case 'invalidSession': {
      const { min, max } = rules.invalidSessionWaitMs;
      return drop(rules, state, stamp, {
        reason: 'sessionInvalid',
        close: received.resumable ? 'keep' : 'end',
        newSession: !received.resumable,
        minDelayMs: min + Math.floor(stamp.random * (max - min)),
        // Whoever answers a RESUME is there: what the outage had grown the backoff to is not waited for.
        noBackoff: state.phase === 'resuming' && !received.resumable,
      });
    }
    case 'ready':
      return ready(rules, state, received, stamp.now);
    case 'resumed':
      return resumed(rules, state, received, stamp);
    case 'dispatch':
      return dispatch(rules, state, received, stamp);
  }
}

function hello<P>(rules: SessionRules, state: In<'connecting'>, intervalMs: number, stamp: Stamp): Step<P> {
  const { now, random } = stamp;
  const everyMs = Math.min(intervalMs, rules.maxHeartbeatMs);
  // Docs, Gateway: Heartbeat Interval: the first beat comes after interval × jitter.
  const heart: Heart = {
    everyMs,
    nextAt: now + Math.floor(everyMs * random),
    unansweredSince: undefined,
    excused: false,
  };
  const next = { ...state, heart, excused: false, cause: { reason: 'hello', code: undefined } } as const;
  const { session } = state;
  if (session === undefined) {
    return {
      state: { ...next, phase: 'awaitingPermit', until: now + rules.permitTimeoutMs },
      effects: [{ type: 'requestPermit', gen: state.gen }],
    };
  }
  return {
    state: {
      ...next,
      phase: 'resuming',
      until: now + rules.resumeTimeoutMs,
      replayed: 0,
      outbox: counted(rules, state.outbox, now),
    },
    effects: [control(state, { kind: 'resume', sessionId: session.id, seq: session.seq })],
  };
}

function ready<P>(
  rules: SessionRules,
  state: Live,
  received: Extract<Frame<P>, { kind: 'ready' }>,
  now: number,
): Step<P> {
  if (state.phase !== 'identifying') return unexpected(state);
  const session: Session = { id: received.sessionId, seq: received.seq, resumeUrl: received.resumeUrl };
  return sendWaiting(rules, { ...readyState(state, 'ready', session), gapAt: undefined }, now, [
    { type: 'sessionStarted', session },
    { type: 'deliver', payload: received.payload, seq: received.seq, replayed: false },
    { type: 'ready' },
  ]);
}

function resumed<P>(
  rules: SessionRules,
  state: Live,
  received: Extract<Frame<P>, { kind: 'resumed' }>,
  stamp: Stamp,
): Step<P> {
  // A replay can hold the RESUMED of an earlier resume; then the one that ends it is an event like others.
  if (state.phase === 'ready') return dispatch(rules, state, { ...received, kind: 'dispatch' }, stamp);
  if (state.phase !== 'resuming' || state.session === undefined) return unexpected(state);
  const { session } = state;
  const gap = received.seq > session.seq + 1 ? foundGap<P>(rules, state, session, received.seq, stamp) : undefined;
  if (gap?.mend !== undefined) return gap.mend;
  // Whether RESUMED has a number of its own is not documented: one that we know already is no duplicate.
  const next: Session = { ...session, seq: Math.max(session.seq, received.seq) };
  return sendWaiting(rules, readyState(state, 'resumed', next), stamp.now, [
    ...(gap?.effects ?? []),
    { type: 'deliver', payload: received.payload, seq: next.seq, replayed: false },
    { type: 'resumed', replayed: state.replayed },
  ]);
}

function dispatch<P>(
  rules: SessionRules,
  state: Live,
  received: Extract<Frame<P>, { kind: 'dispatch' }>,
  stamp: Stamp,
): Step<P> {
  const { session } = state;
  if (session === undefined || (state.phase !== 'ready' && state.phase !== 'resuming')) return unexpected(state);
  const { seq, payload } = received;
  if (seq <= session.seq) return { state, effects: [{ type: 'drop', what: 'duplicate' }] };
  const gap = seq > session.seq + 1 ? foundGap<P>(rules, state, session, seq, stamp) : undefined;
  if (gap?.mend !== undefined) return gap.mend;
  const next: Session = { id: session.id, seq, resumeUrl: session.resumeUrl };
  const delivery = { type: 'deliver', payload, seq, replayed: state.phase === 'resuming' } as const;
  return {
    state:
      state.phase === 'resuming'
        ? { ...state, session: next, replayed: state.replayed + 1 }
        : { ...state, session: next },
    effects: gap === undefined ? [delivery] : [...gap.effects, delivery],
  };
}

function acknowledged<P>(state: Live, now: number): Step<P> {
  if (!('heart' in state) || state.heart.unansweredSince === undefined) return stay(state);
  const latencyMs = now - state.heart.unansweredSince;
  return {
    state: { ...state, heart: { ...state.heart, unansweredSince: undefined, excused: false } },
    effects: [{ type: 'heartbeat', latencyMs }],
  };
}

/** Docs, Gateway: Heartbeat Requests: op 1 from the server wants a beat now. */
function requestedBeat<P>(rules: SessionRules, state: Live, now: number): Step<P> {
  if (!('heart' in state)) return stay(state);
  const effects = [beat(state)];
  const outbox = counted(rules, state.outbox, now);
  // A beat that is unanswered keeps its deadline: a server that asks without end must not keep a dead link alive.
  if (state.heart.unansweredSince !== undefined) return { state: { ...state, outbox }, effects };
  return { state: { ...state, outbox, heart: beaten(state.heart, now) }, effects };
}

function send<P>(
  rules: SessionRules,
  before: SessionState,
  input: Stamped<Extract<SessionInput, { type: 'send' }>>,
): Step<P> {
  const { id, now } = input;
  const effects: SessionEffect<P>[] = [];
  // Room that has come about meanwhile, before the timer.
  const state = before.phase === 'ready' ? sendWaiting(rules, before, now, effects).state : before;
  const posted = post(rules, state.outbox, { id, presence: input.presence === true, now });
  if (posted.refused) return { state, effects: [...effects, reject(id, 'queueFull')] };
  if (posted.superseded !== undefined) effects.push({ type: 'supersedeSend', id: posted.superseded });
  const next = { ...state, outbox: posted.box };
  return next.phase === 'ready' ? sendWaiting(rules, next, now, effects) : { state: next, effects };
}

/** Behind `effects` goes what the limits allow. */
function sendWaiting<P>(rules: SessionRules, state: In<'ready'>, now: number, effects: SessionEffect<P>[]): Step<P> {
  const { box, ids } = release(rules, state.outbox, state.heart.everyMs, now);
  for (const id of ids) effects.push({ type: 'transmit', gen: state.gen, id });
  return { state: box === state.outbox ? state : { ...state, outbox: box }, effects };
}

function timer<P>(rules: SessionRules, before: SessionState, stamp: Stamp): Step<P> {
  const { now } = stamp;
  const effects: SessionEffect<P>[] = [];
  let state = before;
  const expired = expire(state.outbox, now);
  for (const id of expired.ids) effects.push(reject(id, 'timeout'));
  if (expired.ids.length > 0) state = { ...state, outbox: expired.box };
  const { outage } = state;
  if (outage !== undefined && !outage.told && now >= outage.since + rules.degradedAfterMs) {
    effects.push({ type: 'degraded', outageMs: now - outage.since });
    state = { ...state, outage: { ...outage, told: true } };
  }
  const due = phaseTimer<P>(rules, state, stamp);
  effects.push(...due.effects);
  // Behind a beat that was due.
  return due.state.phase === 'ready' ? sendWaiting(rules, due.state, now, effects) : { state: due.state, effects };
}

const TIMEOUT_REASONS = {
  connecting: 'helloTimeout',
  awaitingPermit: 'permitTimeout',
  identifying: 'readyTimeout',
  resuming: 'resumeTimeout',
} as const satisfies Partial<Record<SessionPhase, SessionReason>>;

function phaseTimer<P>(rules: SessionRules, before: SessionState, stamp: Stamp): Step<P> {
  const { now } = stamp;
  if (before.phase === 'waiting') return now >= before.until ? open(before, rules, now, 'retry') : stay(before);
  if (!isLive(before)) return stay(before);
  let state = before;
  if ('until' in state && now >= state.until) {
    if (!isHeldUp(rules, state, state.until, now)) {
      // Silent for that long is dead, except while it was us who made it wait.
      const close = state.phase === 'awaitingPermit' ? 'end' : 'terminate';
      return drop(rules, state, stamp, { reason: TIMEOUT_REASONS[state.phase], close });
    }
    state = { ...state, until: now + rules.lateGraceMs, excused: true };
  }
  if (!('heart' in state) || now < state.heart.nextAt) return stay(state);
  const { heart } = state;
  if (heart.unansweredSince === undefined) {
    const outbox = counted(rules, state.outbox, now);
    return { state: { ...state, outbox, heart: beaten(heart, now) }, effects: [beat(state)] };
  }
  if (!isHeldUp(rules, heart, heart.nextAt, now)) {
    return drop(rules, state, stamp, { reason: 'heartbeatTimeout', close: 'terminate' });
  }
  return stay({ ...state, heart: { ...heart, nextAt: now + rules.lateGraceMs, excused: true } });
}

/**
 * Timers run before sockets are read: after a blocked event loop, or a machine that slept, the answer may have come
 * long ago. So a late timer looks again a moment later, once for each wait.
 */
function isHeldUp(rules: SessionRules, wait: { excused: boolean }, dueAt: number, now: number): boolean {
  return !wait.excused && now - dueAt > rules.lateTimerMs;
}

function open<P>(state: In<'idle' | 'waiting'>, rules: SessionRules, now: number, reason: SessionReason): Step<P> {
  const gen = state.gen + 1;
  // A resume address that keeps failing may be gone with its host: then every second try goes to the main one.
  const resumeAddress = state.attempts < 3 || state.attempts % 2 === 0;
  return {
    state: {
      ...common(state),
      phase: 'connecting',
      until: now + rules.helloTimeoutMs,
      gen,
      cause: { reason, code: undefined },
    },
    effects: [{ type: 'openSocket', gen, url: resumeAddress ? state.session?.resumeUrl : undefined }],
  };
}

function readyState(state: In<'identifying' | 'resuming'>, reason: 'ready' | 'resumed', session: Session): In<'ready'> {
  return {
    ...common(state),
    phase: 'ready',
    heart: state.heart,
    session,
    // Here and nowhere else: a server that accepts connections and then drops them must not be hammered.
    attempts: 0,
    outage: undefined,
    cause: { reason, code: undefined },
  };
}

function beaten(heart: Heart, now: number): Heart {
  return { everyMs: heart.everyMs, nextAt: now + heart.everyMs, unansweredSince: now, excused: false };
}

function beat(state: Live): Extract<SessionEffect<never>, { type: 'sendControl' }> {
  return control(state, { kind: 'heartbeat', seq: state.session?.seq ?? null });
}
