/** What must hold on every transition of a session. Each rule has a name; a broken one is reported by it. */
import type { Stamp, TimerInput } from '@guildkit/core';
import { closeCode } from '../../src/protocol/close-codes.js';
import { waitingIn } from '../../src/protocol/outbox.js';
import type { SessionReducer } from '../../src/protocol/session.js';
import type { SessionRules } from '../../src/protocol/session-rules.js';
import type { SessionEffect, SessionInput, SessionState } from '../../src/protocol/session-types.js';

export type Payload = number;
export type Input = (SessionInput<Payload> | TimerInput) & Stamp;
export type Effect = SessionEffect<Payload>;

export interface Transition {
  readonly from: SessionState;
  readonly input: Input;
  readonly to: SessionState;
  readonly effects: readonly Effect[];
}

/** What left, and when, as the server saw it: kept beside the session, not taken from it. */
export interface Wire {
  /** On the current socket. */
  readonly sent: readonly number[];
  readonly presences: readonly number[];
}

export const SILENT_WIRE: Wire = { sent: [], presences: [] };

interface Context extends Transition {
  readonly wire: Wire;
  readonly rules: SessionRules;
  readonly reducer: SessionReducer;
  of<T extends Effect['type']>(type: T): Extract<Effect, { type: T }>[];
}

export const isLive = ({ phase }: SessionState): boolean =>
  phase !== 'idle' && phase !== 'waiting' && phase !== 'closed';

const isHello = (input: Input): boolean => input.type === 'frame' && input.frame.kind === 'hello';

/** What waits for the peer, and when it runs out. */
function waits(state: SessionState): { dueAt: number; excused: boolean }[] {
  const phase = 'until' in state && isLive(state) ? [{ dueAt: state.until, excused: state.excused }] : [];
  if (!('heart' in state) || state.heart.unansweredSince === undefined) return phase;
  return [...phase, { dueAt: state.heart.nextAt, excused: state.heart.excused }];
}

const within = (log: readonly number[], windowMs: number, now: number): number =>
  log.filter((at) => at > now - windowMs).length;

/** Payloads that fit into a window beside the beats. */
function roomFor({ sendLimit: { limit, windowMs }, spareBeats }: SessionRules, state: SessionState): number {
  const everyMs = 'heart' in state ? state.heart.everyMs : 1;
  return Math.max(limit - Math.ceil(windowMs / everyMs) - spareBeats, Math.floor(limit / 2));
}

const isPresence = ({ from, input }: Transition, id: number): boolean =>
  from.outbox.presence?.id === id || (input.type === 'send' && input.id === id && input.presence === true);

/** The wire after one effect. */
function wireAfter(wire: Wire, effect: Effect, transition: Transition): Wire {
  const { now } = transition.input;
  switch (effect.type) {
    case 'openSocket':
      return { ...wire, sent: [] };
    case 'sendControl':
      return {
        sent: [...wire.sent, now],
        presences: effect.frame.kind === 'identify' ? [...wire.presences, now] : wire.presences,
      };
    case 'transmit':
      return {
        sent: [...wire.sent, now],
        presences: isPresence(transition, effect.id) ? [...wire.presences, now] : wire.presences,
      };
    default:
      return wire;
  }
}

/** The wire after a transition, without what is too old to matter. */
export function nextWire(wire: Wire, transition: Transition, rules: SessionRules): Wire {
  const { now } = transition.input;
  const { sent, presences } = transition.effects.reduce((all, effect) => wireAfter(all, effect, transition), wire);
  return {
    sent: sent.filter((at) => at > now - rules.sendLimit.windowMs),
    presences: presences.filter((at) => at > now - rules.presenceLimit.windowMs),
  };
}

/** Each says whether its rule holds. */
export const INVARIANTS = {
  'frames go to the live socket only': ({ from, of }) =>
    [...of('sendControl'), ...of('transmit')].every(({ gen }) => isLive(from) && gen === from.gen),

  'nothing is sent before HELLO': ({ from, input, of }) =>
    from.phase !== 'connecting' || of('sendControl').length === 0 || isHello(input),

  'payloads of the user go out when ready only': ({ to, of }) => of('transmit').length === 0 || to.phase === 'ready',

  'no IDENTIFY without permit': ({ from, input, of }) =>
    of('sendControl').every(
      ({ frame }) => frame.kind !== 'identify' || (input.type === 'permitGranted' && from.phase === 'awaitingPermit'),
    ),

  'RESUME names the session and its last number': ({ from, of }) =>
    of('sendControl').every(
      ({ frame }) =>
        frame.kind !== 'resume' || (frame.sessionId === from.session?.id && frame.seq === from.session.seq),
    ),

  'a heartbeat carries the last number': ({ from, of }) =>
    of('sendControl').every(({ frame }) => frame.kind !== 'heartbeat' || frame.seq === (from.session?.seq ?? null)),

  'the sequence never goes back': ({ from, to }) =>
    from.session === undefined || to.session?.id !== from.session.id || to.session.seq >= from.session.seq,

  'events are delivered once, in order, without holes unless told': ({ from, to, of }) => {
    const [event, ...more] = of('deliver');
    if (event === undefined) return true;
    if (more.length > 0 || to.session?.seq !== event.seq) return false;
    // READY begins a session; RESUMED may have no number of its own.
    if (from.phase === 'identifying' || to.cause.reason === 'resumed') return true;
    const expected = (from.session?.seq ?? 0) + 1;
    return event.seq === expected || of('gap').some((gap) => gap.expected === expected && gap.recovery === 'none');
  },

  'the number moves with a delivery only': ({ from, to, of }) =>
    from.session === undefined ||
    to.session?.id !== from.session.id ||
    to.session.seq === from.session.seq ||
    of('deliver').length === 1,

  'a number that came is not asked for again': ({ from, input, to }) => {
    if (input.type !== 'frame' || input.gen !== from.gen || from.phase !== 'ready') return true;
    const { frame } = input;
    const isNext =
      (frame.kind === 'dispatch' || frame.kind === 'resumed') && frame.seq === (from.session?.seq ?? 0) + 1;
    return !isNext || to.session?.seq === frame.seq;
  },

  'a stale input does nothing': ({ from, input, to, effects }) =>
    !('gen' in input) || input.gen === from.gen || (from === to && effects.length === 0),

  'nothing happens after the end': ({ from, to, effects }) =>
    from.phase !== 'closed' || (to === from && effects.every(({ type }) => type === 'rejectSend')),

  'no timer after the end': ({ to, reducer }) => to.phase !== 'closed' || reducer.deadline(to) === undefined,

  'every waiting phase has a deadline': ({ to, input, reducer, rules }) => {
    if (to.phase === 'idle' || to.phase === 'closed') return true;
    const at = reducer.deadline(to);
    const longest = Math.max(
      rules.permitTimeoutMs,
      rules.maxRetryAfterMs,
      rules.maxPermitDelayMs,
      rules.maxHeartbeatMs,
    );
    if (at === undefined || at - input.now > longest) return false;
    return to.phase === 'ready' || 'until' in to;
  },

  'an unanswered beat ends the connection when the next is due': ({ from, to, input, rules }) => {
    if (!('heart' in to)) return true;
    const since = to.heart.unansweredSince;
    // Only an ACK answers a beat.
    const forgotten =
      'heart' in from && from.heart.unansweredSince !== undefined && since !== from.heart.unansweredSince;
    if (forgotten && !(input.type === 'frame' && input.frame.kind === 'heartbeatAck')) return false;
    if (since === undefined || input.type !== 'timer' || to.heart.excused) return true;
    return input.now < since + Math.min(to.heart.everyMs, rules.maxHeartbeatMs);
  },

  'a late timer ends nothing before what has come is read': ({ from, to, input, rules }) => {
    if (input.type !== 'timer' || !isLive(from) || to.phase !== 'waiting') return true;
    // Ended by a wait that was over in time, or that had been put off.
    return waits(from).some(
      ({ dueAt, excused }) => dueAt <= input.now && (excused || input.now - dueAt <= rules.lateTimerMs),
    );
  },

  'a wait is put off once, for a moment': ({ from, to, input, rules }) => {
    const before = waits(from);
    return waits(to).every(({ dueAt, excused }, index) => {
      const was = before[index];
      if (!excused || was === undefined || from.phase !== to.phase || dueAt === was.dueAt) return true;
      return !was.excused && dueAt <= input.now + rules.lateGraceMs;
    });
  },

  'what ran out is ended or put off': ({ to, input }) =>
    input.type !== 'timer' || waits(to).every(({ dueAt }) => dueAt > input.now),

  'a dead peer is not waited for': ({ to, of }) =>
    !['heartbeatTimeout', 'helloTimeout', 'readyTimeout', 'resumeTimeout'].includes(to.cause.reason) ||
    of('closeSocket').every(({ how }) => how === 'terminate'),

  'one socket at a time': ({ from, to, input, of }) => {
    const opened = of('openSocket');
    if (opened.length > 0) return !isLive(from) && to.phase === 'connecting' && opened[0]?.gen === from.gen + 1;
    const closes = of('closeSocket');
    if (isLive(from) && !isLive(to)) {
      return input.type === 'socketClosed' ? closes.length === 0 : closes.length === 1 && closes[0]?.gen === from.gen;
    }
    return closes.length === 0 && to.gen === from.gen;
  },

  'a session that is kept is not closed with 1000': ({ to, of }) =>
    of('closeSocket').every(({ how }) => how !== 'end' || to.session === undefined),

  'close codes do what the table says': ({ from, input, to }) => {
    if (input.type !== 'socketClosed' || input.gen !== from.gen || !isLive(from)) return true;
    const { next } = closeCode(input.code);
    if (next === 'stop') return to.phase === 'closed' && to.session === undefined;
    return to.phase === 'waiting' && to.session === (next === 'identify' ? undefined : from.session);
  },

  'INVALID_SESSION keeps a resumable session, and waits': ({ from, input, to, rules }) => {
    if (input.type !== 'frame' || input.frame.kind !== 'invalidSession') return true;
    if (input.gen !== from.gen || !isLive(from)) return true;
    const { min, max } = rules.invalidSessionWaitMs;
    if (to.phase !== 'waiting' || to.until < input.now + min) return false;
    // A resume that was declined: however long the outage was, the server is there now.
    if (from.phase === 'resuming' && !input.frame.resumable && to.until > input.now + max) return false;
    return to.session === (input.frame.resumable ? from.session : undefined);
  },

  'RECONNECT keeps the session and comes back at once': ({ from, input, to }) => {
    if (input.type !== 'frame' || input.frame.kind !== 'reconnect') return true;
    if (input.gen !== from.gen || !isLive(from)) return true;
    return to.phase === 'waiting' && to.session === from.session && (from.attempts > 0 || to.until === input.now);
  },

  'a requested beat is sent': ({ from, input, of }) =>
    input.type !== 'frame' ||
    input.frame.kind !== 'heartbeatRequest' ||
    input.gen !== from.gen ||
    !('heart' in from) ||
    of('sendControl').length === 1,

  'failed tries are forgotten when ready, not before': ({ from, to }) =>
    to.attempts >= from.attempts || (from.phase !== 'ready' && to.phase === 'ready'),

  'tries do not come faster than the backoff': ({ from, to, input, rules }) =>
    from.phase === 'waiting' ||
    to.phase !== 'waiting' ||
    to.cause.reason === 'reconnectRequested' ||
    (to.cause.reason === 'sequenceGap' && from.gapAt === undefined) ||
    to.until >= input.now + (rules.backoff.minMs ?? 0),

  'every send settles once or waits': ({ from, input, to, effects }) => {
    const settled = effects.flatMap((effect) =>
      effect.type === 'transmit' || effect.type === 'rejectSend' || effect.type === 'supersedeSend' ? [effect.id] : [],
    );
    const waits = waitingIn(to.outbox).map(({ id }) => id);
    const owed = [...waitingIn(from.outbox).map(({ id }) => id), ...(input.type === 'send' ? [input.id] : [])];
    const found = [...settled, ...waits];
    return (
      new Set(found).size === found.length && owed.length === found.length && owed.every((id) => found.includes(id))
    );
  },

  'nothing waits after the end': ({ to }) => to.phase !== 'closed' || waitingIn(to.outbox).length === 0,

  'nothing waits that may leave': ({ from, to, input, wire, effects, rules }) => {
    if (to.phase !== 'ready' || (input.type !== 'timer' && input.type !== 'send' && from.phase === 'ready'))
      return true;
    const { sent, presences } = nextWire(wire, { from, to, input, effects }, rules);
    if (sent.length >= roomFor(rules, to)) return true;
    const { queue, presence } = to.outbox;
    return queue.length === 0 && (presence === undefined || presences.length >= rules.presenceLimit.limit);
  },

  'payloads leave room for heartbeats in every window': ({ from, to, input, wire, effects, rules }) => {
    let seen = wire;
    return effects.every((effect) => {
      const before = within(seen.sent, rules.sendLimit.windowMs, input.now);
      seen = wireAfter(seen, effect, { from, to, input, effects });
      return effect.type !== 'transmit' || before < roomFor(rules, to);
    });
  },

  'presences keep to their limit, whatever the socket': ({ from, to, input, wire, effects, rules }) => {
    let seen = wire;
    return effects.every((effect) => {
      const { limit, windowMs } = rules.presenceLimit;
      const before = within(seen.presences, windowMs, input.now);
      seen = wireAfter(seen, effect, { from, to, input, effects });
      return effect.type !== 'transmit' || before < limit || !isPresence({ from, to, input, effects }, effect.id);
    });
  },

  'a due beat is not delayed, and goes first': ({ from, to, input, effects }) => {
    if (input.type !== 'timer' || !('heart' in from) || !isLive(to)) return true;
    const { nextAt, unansweredSince } = from.heart;
    if (input.now < nextAt || unansweredSince !== undefined) return true;
    const beat = effects.findIndex((effect) => effect.type === 'sendControl' && effect.frame.kind === 'heartbeat');
    return beat >= 0 && effects.slice(0, beat).every(({ type }) => type !== 'transmit');
  },

  'payloads leave in order': ({ from, to, input, of }) => {
    const refused = of('rejectSend').map(({ id }) => id);
    const owed = [...from.outbox.queue.map(({ id }) => id), ...(input.type === 'send' ? [input.id] : [])].filter(
      (id) => !refused.includes(id) && !isPresence({ from, to, input, effects: [] }, id),
    );
    const left = of('transmit')
      .map(({ id }) => id)
      .filter((id) => !isPresence({ from, to, input, effects: [] }, id));
    return [...left, ...to.outbox.queue.map(({ id }) => id)].join() === owed.join();
  },

  'only a later presence takes the place of one that waits': ({ from, input, to, of }) => {
    const [superseded, ...more] = of('supersedeSend');
    const later = input.type === 'send' && input.presence === true && from.outbox.presence !== undefined;
    // Its room may have come about just before.
    const isGone = of('transmit').some(({ id }) => id === from.outbox.presence?.id);
    if (!later || isGone || from.phase === 'closed') return superseded === undefined;
    if (more.length > 0 || superseded?.id !== from.outbox.presence.id) return false;
    return to.outbox.presence === undefined || to.outbox.presence.id === input.id;
  },

  'a send does not wait past its time': ({ to, input }) =>
    input.type !== 'timer' || waitingIn(to.outbox).every(({ expiresAt }) => input.now < expiresAt),

  'the queue is bounded': ({ to, rules }) => to.outbox.queue.length <= rules.maxQueuedSends,

  'a lost session is told': ({ from, to, of }) =>
    of('sessionLost').length === (from.session !== undefined && to.session === undefined ? 1 : 0),

  'a permit is asked for, and given back, with its phase': ({ from, to, input, of }) => {
    if (from.phase !== 'awaitingPermit' && to.phase === 'awaitingPermit') return of('requestPermit').length === 1;
    if (from.phase === 'awaitingPermit' && to.phase !== 'awaitingPermit' && input.type !== 'permitGranted') {
      return of('cancelPermit').length === 1;
    }
    return of('requestPermit').length === 0 && of('cancelPermit').length === 0;
  },

  'the end is told once': ({ from, to, of }) =>
    of('ended').length === (from.phase !== 'closed' && to.phase === 'closed' ? 1 : 0),

  'many failed tries raise an alert': ({ from, to, of, rules }) =>
    of('alert').length ===
    (to.attempts === rules.alertAfterAttempts && from.attempts === rules.alertAfterAttempts - 1 ? 1 : 0),

  'a long outage is told': ({ to, input, rules }) =>
    input.type !== 'timer' ||
    to.outage === undefined ||
    to.outage.told ||
    input.now < to.outage.since + rules.degradedAfterMs,

  'an outage lasts from leaving to reaching ready': ({ from, to }) => {
    if (to.phase === 'idle' || to.phase === 'closed' || to.phase === 'ready') return to.outage === undefined;
    return to.outage !== undefined && (from.outage === undefined || from.outage.since === to.outage.since);
  },

  'a gap is mended by a resume at once, then by a new session': ({ from, to, input, of }) =>
    of('gap').every(({ recovery, expected, received }) => {
      if (received <= expected) return false;
      if (recovery === 'none') return true;
      if (to.phase !== 'waiting') return false;
      return recovery === 'resume'
        ? to.session === from.session &&
            from.gapAt !== expected &&
            (from.gapAt !== undefined || from.attempts > 0 || to.until === input.now)
        : to.session === undefined && from.gapAt === expected;
    }),
} as const satisfies Readonly<Record<string, (context: Context) => boolean>>;

export type InvariantName = keyof typeof INVARIANTS;

/** The first broken rule. */
export function brokenInvariant(
  transition: Transition,
  rules: SessionRules,
  reducer: SessionReducer,
  wire: Wire,
): InvariantName | undefined {
  const { from, input, to, effects } = transition;
  const of = <T extends Effect['type']>(type: T) =>
    effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
  const context: Context = { from, input, to, effects, rules, reducer, wire, of };
  for (const [name, holds] of Object.entries(INVARIANTS)) if (!holds(context)) return name as InvariantName;
  return undefined;
}
