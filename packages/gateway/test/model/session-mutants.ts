/**
 * Sessions with one mistake each, as an implementer could make it, wrapped around the real one. The checks must catch
 * every one of them; `breaks` is the rule that the exhaustive search meets first.
 */
import type { Transition as CoreTransition, Stamp, TimerInput } from '@guildkit/core';
import { closeCode } from '../../src/protocol/close-codes.js';
import { EMPTY_OUTBOX, type Outbox } from '../../src/protocol/outbox.js';
import { createSession, type SessionReducer } from '../../src/protocol/session.js';
import type { SessionRules } from '../../src/protocol/session-rules.js';
import type { SessionEffect, SessionInput, SessionState } from '../../src/protocol/session-types.js';
import type { InvariantName } from './session-invariants.js';
import type { Scope } from './session-model.js';

type AnyInput = (SessionInput<unknown> | TimerInput) & Stamp;
type AnyEffect = SessionEffect<unknown>;
type AnyStep = CoreTransition<SessionState, AnyEffect>;
type Change = (step: AnyStep, from: SessionState, input: AnyInput, real: SessionReducer) => AnyStep;

export interface Mutant {
  readonly name: string;
  readonly breaks: InvariantName;
  /** Where the search finds it. @defaultValue `'life'` */
  readonly scope?: Scope;
  make(rules: SessionRules): SessionReducer;
}

/** Changes what a step returns. */
function after(change: Change): (rules: SessionRules) => SessionReducer {
  return (rules) => {
    const real = createSession(rules);
    return wrap(real, (state, input) => change(real.step(state, input), state, input, real));
  };
}

/** Changes what a step is given. */
function before(change: (state: SessionState, input: AnyInput) => [SessionState, AnyInput]) {
  return (rules: SessionRules): SessionReducer => {
    const real = createSession(rules);
    return wrap(real, (state, input) => real.step(...change(state, input)));
  };
}

function withRules(change: (rules: SessionRules) => Partial<SessionRules>) {
  return (rules: SessionRules): SessionReducer => createSession({ ...rules, ...change(rules) });
}

function wrap(real: SessionReducer, step: (state: SessionState, input: AnyInput) => AnyStep): SessionReducer {
  return { deadline: (state) => real.deadline(state), step: step as SessionReducer['step'] };
}

const frameOf = (input: AnyInput) => (input.type === 'frame' ? input.frame : undefined);

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'queued payloads are sent on READY, forgotten on RESUMED',
    breaks: 'every send settles once or waits',
    make: after((step) =>
      step.state.cause.reason === 'resumed'
        ? { ...step, effects: step.effects.filter(({ type }) => type !== 'transmit') }
        : step,
    ),
  },
  {
    name: 'the last number is taken, not the highest',
    breaks: 'the sequence never goes back',
    make: after((step, from, input) => {
      const frame = frameOf(input);
      if (frame?.kind !== 'resumed' || step.state.phase !== 'ready' || from.session === undefined) return step;
      if (from.phase === 'ready' && frame.seq > from.session.seq) return step;
      return { ...step, state: { ...step.state, session: { ...from.session, seq: frame.seq - 1 } } };
    }),
  },
  {
    name: 'callbacks of an old socket are listened to',
    breaks: 'a stale input does nothing',
    make: before((state, input) => [state, 'gen' in input ? { ...input, gen: state.gen } : input]),
  },
  {
    name: 'a missing heartbeat ACK goes unnoticed',
    breaks: 'an unanswered beat ends the connection when the next is due',
    make: before((state, input) => [
      input.type === 'timer' && 'heart' in state
        ? { ...state, heart: { ...state.heart, unansweredSince: undefined } }
        : state,
      input,
    ]),
  },
  {
    name: 'requested beats put off the watchdog',
    breaks: 'a wait is put off once, for a moment',
    make: after((step, _from, input) => {
      if (frameOf(input)?.kind !== 'heartbeatRequest' || !('heart' in step.state)) return step;
      const { heart } = step.state;
      return { ...step, state: { ...step.state, heart: { ...heart, nextAt: input.now + heart.everyMs } } };
    }),
  },
  {
    name: 'the RESUMED of an earlier resume, replayed, uses up no number',
    breaks: 'a number that came is not asked for again',
    make: after((step, from, input) =>
      frameOf(input)?.kind === 'resumed' && from.phase === 'ready' ? { state: from, effects: [] } : step,
    ),
  },
  {
    name: 'a blocked event loop is taken for a dead peer',
    breaks: 'a late timer ends nothing before what has come is read',
    make: withRules(() => ({ lateTimerMs: Number.POSITIVE_INFINITY })),
  },
  {
    name: 'late timers are excused again and again',
    breaks: 'a wait is put off once, for a moment',
    make: before((state, input) => [
      input.type === 'timer' && 'heart' in state
        ? { ...state, heart: { ...state.heart, excused: false }, excused: false }
        : state,
      input,
    ]),
  },
  {
    name: 'IDENTIFY does not wait for its permit',
    breaks: 'no IDENTIFY without permit',
    make: after((step, _from, input) => {
      const { state } = step;
      if (frameOf(input)?.kind !== 'hello' || state.phase !== 'awaitingPermit') return step;
      const identify = { type: 'sendControl', gen: state.gen, frame: { kind: 'identify' } } as const;
      return { state: { ...state, phase: 'identifying' }, effects: [identify] };
    }),
  },
  {
    name: '4009 is answered with RESUME',
    breaks: 'close codes do what the table says',
    make: withRules(() => ({
      closeCode: (code) => (code === 4009 ? { name: 'session timed out', next: 'resume' } : closeCode(code)),
    })),
  },
  {
    name: '4004 is tried again',
    breaks: 'close codes do what the table says',
    make: withRules(() => ({
      closeCode: (code) => (code === 4004 ? { name: 'authentication failed', next: 'identify' } : closeCode(code)),
    })),
  },
  {
    name: 'the backoff is reset when the server says HELLO',
    breaks: 'failed tries are forgotten when ready, not before',
    make: after((step, _from, input) =>
      frameOf(input)?.kind === 'hello' && step.state.phase !== 'closed'
        ? { ...step, state: { ...step.state, attempts: 0 } }
        : step,
    ),
  },
  {
    name: 'waiting for RESUMED has no deadline',
    breaks: 'every waiting phase has a deadline',
    make: after((step) =>
      step.state.phase === 'resuming'
        ? {
            ...step,
            state: {
              ...step.state,
              until: Number.MAX_SAFE_INTEGER,
              heart: NO_HEART,
              outbox: EMPTY_OUTBOX,
              outage: TOLD,
            },
          }
        : step,
    ),
  },
  {
    name: 'INVALID_SESSION is not waited out',
    breaks: 'INVALID_SESSION keeps a resumable session, and waits',
    make: withRules(() => ({ invalidSessionWaitMs: { min: 0, max: 0 } })),
  },
  {
    name: 'an unresumable session is kept',
    breaks: 'INVALID_SESSION keeps a resumable session, and waits',
    make: after((step, from, input) => {
      const frame = frameOf(input);
      if (frame?.kind !== 'invalidSession' || frame.resumable || step.state.phase !== 'waiting') return step;
      const close = { type: 'closeSocket', gen: from.gen, how: 'keep' } as const;
      const effects = step.effects.filter(({ type }) => type !== 'sessionLost');
      return {
        state: { ...step.state, session: from.session },
        effects: effects.map((effect) => (effect.type === 'closeSocket' ? close : effect)),
      };
    }),
  },
  {
    name: 'a declined RESUME waits for the backoff of the outage too',
    breaks: 'INVALID_SESSION keeps a resumable session, and waits',
    make: after((step, from, input) =>
      frameOf(input)?.kind === 'invalidSession' && from.phase === 'resuming' && step.state.phase === 'waiting'
        ? { ...step, state: { ...step.state, until: step.state.until + 40 } }
        : step,
    ),
  },
  {
    name: 'a session waits before it asks again for what was skipped',
    breaks: 'a gap is mended by a resume at once, then by a new session',
    make: after((step, from, input) =>
      step.effects[0]?.type === 'gap' && from.gapAt === undefined && step.state.phase === 'waiting'
        ? { ...step, state: { ...step.state, until: input.now + 20 } }
        : step,
    ),
  },
  {
    name: 'every gap is asked for at once, however many there are',
    breaks: 'tries do not come faster than the backoff',
    make: after((step, _from, input) =>
      step.effects[0]?.type === 'gap' && step.state.phase === 'waiting'
        ? { ...step, state: { ...step.state, until: input.now } }
        : step,
    ),
  },
  {
    name: 'a jump in the numbers is passed over',
    breaks: 'events are delivered once, in order, without holes unless told',
    make: after((step, from, input) => {
      const frame = frameOf(input);
      if (frame?.kind !== 'dispatch' || step.state.cause.reason !== 'sequenceGap' || from.phase !== 'ready')
        return step;
      if (from.session === undefined) return step;
      const deliver = { type: 'deliver', payload: frame.payload, seq: frame.seq, replayed: false } as const;
      return { state: { ...from, session: { ...from.session, seq: frame.seq } }, effects: [deliver] };
    }),
  },
  {
    name: 'duplicates are delivered',
    breaks: 'events are delivered once, in order, without holes unless told',
    make: after((step, from, input) => {
      const frame = frameOf(input);
      if (frame?.kind !== 'dispatch' || step.effects[0]?.type !== 'drop' || from.session === undefined) return step;
      const { seq } = from.session;
      return { ...step, effects: [{ type: 'deliver', payload: frame.payload, seq, replayed: false }] };
    }),
  },
  {
    name: 'payloads are sent while resuming',
    breaks: 'payloads of the user go out when ready only',
    make: after((step, from, input) =>
      input.type === 'send' && from.phase === 'resuming'
        ? { state: from, effects: [{ type: 'transmit', gen: from.gen, id: input.id }] }
        : step,
    ),
  },
  {
    name: 'sends queue without bound',
    breaks: 'the queue is bounded',
    make: withRules(({ maxQueuedSends }) => ({ maxQueuedSends: maxQueuedSends + 1 })),
  },
  {
    name: 'close() leaves waiting sends unsettled',
    breaks: 'every send settles once or waits',
    make: after((step) => ({
      ...step,
      effects: step.state.phase === 'closed' ? step.effects.filter(({ type }) => type !== 'rejectSend') : step.effects,
    })),
  },
  {
    name: 'a dead peer gets a closing handshake',
    breaks: 'a dead peer is not waited for',
    make: after((step) => ({
      ...step,
      effects: step.effects.map((effect) =>
        effect.type === 'closeSocket' && effect.how === 'terminate' ? { ...effect, how: 'keep' } : effect,
      ),
    })),
  },
  {
    name: 'a session to be resumed is closed with 1000',
    breaks: 'a session that is kept is not closed with 1000',
    make: after((step) => ({
      ...step,
      effects: step.effects.map((effect) =>
        effect.type === 'closeSocket' && effect.how === 'keep' ? { ...effect, how: 'end' } : effect,
      ),
    })),
  },
  {
    name: 'RECONNECT opens the new socket beside the old one',
    breaks: 'one socket at a time',
    make: after((step, _from, input) =>
      frameOf(input)?.kind === 'reconnect'
        ? { ...step, effects: step.effects.filter(({ type }) => type !== 'closeSocket') }
        : step,
    ),
  },
  {
    name: 'a permit that is no longer wanted is not given back',
    breaks: 'a permit is asked for, and given back, with its phase',
    make: after((step) => ({ ...step, effects: step.effects.filter(({ type }) => type !== 'cancelPermit') })),
  },
  {
    name: 'no room is kept for heartbeats',
    breaks: 'payloads leave room for heartbeats in every window',
    scope: 'sends',
    make: withRules(({ sendLimit }) => ({ sendLimit: { ...sendLimit, limit: sendLimit.limit + 1 } })),
  },
  {
    name: "the session's own frames are not counted",
    breaks: 'payloads leave room for heartbeats in every window',
    scope: 'sends',
    make: after((step, from) => {
      const control = step.effects.some(({ type }) => type === 'sendControl');
      return control ? withOutbox(step, { sent: from.outbox.sent }) : step;
    }),
  },
  {
    name: 'windows begin by the clock',
    breaks: 'payloads leave room for heartbeats in every window',
    scope: 'sends',
    make: (rules) => {
      const real = createSession(rules);
      const { windowMs } = rules.sendLimit;
      return wrap(real, (state, input) => {
        if (state.phase !== 'ready') return real.step(state, input);
        const start = Math.floor(input.now / windowMs) * windowMs;
        const sent = state.outbox.sent.filter((at) => at >= start);
        return real.step({ ...state, outbox: { ...state.outbox, sent } }, input);
      });
    },
  },
  {
    name: 'a beat waits until the window has room',
    breaks: 'a due beat is not delayed, and goes first',
    scope: 'sends',
    make: (rules) => {
      const real = createSession(rules);
      return wrap(real, (state, input) => {
        const step = real.step(state, input);
        const isFull = state.outbox.sent.filter((at) => at > input.now - rules.sendLimit.windowMs).length >= 2;
        if (input.type !== 'timer' || !isFull || !('heart' in state) || !('heart' in step.state)) return step;
        const beats = step.effects.filter(({ type }) => type !== 'sendControl');
        return beats.length === step.effects.length
          ? step
          : { effects: beats, state: { ...step.state, heart: { ...state.heart, nextAt: input.now + 10 } } };
      });
    },
  },
  {
    name: 'beats go behind the payloads',
    breaks: 'a due beat is not delayed, and goes first',
    scope: 'sends',
    make: after((step, _from, input) =>
      input.type === 'timer'
        ? {
            ...step,
            effects: [...step.effects].sort(
              (a, b) => (a.type === 'sendControl' ? 1 : 0) - (b.type === 'sendControl' ? 1 : 0),
            ),
          }
        : step,
    ),
  },
  {
    name: 'the window goes on with the next socket',
    breaks: 'nothing waits that may leave',
    scope: 'sends',
    make: after((step, from, input) =>
      from.phase === 'ready' && step.state.phase === 'waiting' && input.type === 'socketClosed'
        ? withOutbox(step, { sent: from.outbox.sent })
        : step,
    ),
  },
  {
    name: 'presences begin anew with the next socket',
    breaks: 'presences keep to their limit, whatever the socket',
    scope: 'sends',
    make: after((step, from) =>
      from.phase === 'ready' && step.state.phase === 'waiting' ? withOutbox(step, { presences: [] }) : step,
    ),
  },
  {
    name: 'presences have no limit of their own',
    breaks: 'presences keep to their limit, whatever the socket',
    scope: 'sends',
    make: withRules(() => ({ presenceLimit: { limit: 1, windowMs: 0 } })),
  },
  {
    name: 'a presence that gave way never settles',
    breaks: 'every send settles once or waits',
    scope: 'sends',
    make: after((step) => ({ ...step, effects: step.effects.filter(({ type }) => type !== 'supersedeSend') })),
  },
  {
    name: 'the first presence stays, the later one gives way',
    breaks: 'only a later presence takes the place of one that waits',
    scope: 'sends',
    make: after((step, from, input) => {
      const { presence } = from.outbox;
      if (input.type !== 'send' || presence === undefined || step.state.outbox.presence?.id !== input.id) return step;
      const effects = step.effects.map((effect) =>
        effect.type === 'supersedeSend' ? { ...effect, id: input.id } : effect,
      );
      return withOutbox({ ...step, effects }, { presence });
    }),
  },
  {
    name: 'what waits for the window is sent in turn, the last first',
    breaks: 'payloads leave in order',
    scope: 'sends',
    make: before((state, input) => [
      input.type === 'timer'
        ? ({ ...state, outbox: { ...state.outbox, queue: [...state.outbox.queue].reverse() } } as SessionState)
        : state,
      input,
    ]),
  },
  {
    name: 'what the window held back is sent with the next send only',
    breaks: 'nothing waits that may leave',
    scope: 'sends',
    make: after((step, from, input) => {
      if (input.type !== 'timer' || from.phase !== 'ready' || step.state.phase !== 'ready') return step;
      const effects = step.effects.filter(({ type }) => type !== 'transmit');
      return effects.length === step.effects.length ? step : { effects, state: { ...step.state, outbox: from.outbox } };
    }),
  },
];

/** A step whose outbox is partly another. */
function withOutbox(step: AnyStep, outbox: Partial<Outbox>): AnyStep {
  return { ...step, state: { ...step.state, outbox: { ...step.state.outbox, ...outbox } } };
}

const NO_HEART = { everyMs: 1, nextAt: Number.MAX_SAFE_INTEGER, unansweredSince: undefined, excused: false };
const TOLD = { since: 0, told: true };
