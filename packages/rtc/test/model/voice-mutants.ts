/** Mistakes that have been made in voice clients, each of which the search has to find. */

import { voiceCloseCode } from '../../src/protocol/voice-close-codes.js';
import type { VoiceRules } from '../../src/protocol/voice-rules.js';
import { createVoiceSession, type VoiceReducer } from '../../src/protocol/voice-session.js';
import type { VoiceState } from '../../src/protocol/voice-types.js';
import type { Effect, Input, InvariantName, News } from './voice-invariants.js';
import type { Scope } from './voice-model.js';

interface Step {
  readonly state: VoiceState;
  readonly effects: readonly Effect[];
}

export interface Mutant {
  readonly name: string;
  /** The rule that tells. */
  readonly breaks: InvariantName;
  /** Where the search finds it. @defaultValue `'life'` */
  readonly scope?: Scope;
  make(rules: VoiceRules): VoiceReducer;
}

function wrap(real: VoiceReducer, step: (state: VoiceState, input: Input) => Step): VoiceReducer {
  return { deadline: (state) => real.deadline(state), step: step as VoiceReducer['step'] };
}

/** Changes what a step returns. */
function after(change: (step: Step, from: VoiceState, input: Input) => Step) {
  return (rules: VoiceRules): VoiceReducer => {
    const real = createVoiceSession(rules);
    return wrap(real, (state, input) => change(real.step<News>(state, input), state, input));
  };
}

/** Changes what a step is given. */
function before(change: (state: VoiceState, input: Input) => [VoiceState, Input]) {
  return (rules: VoiceRules): VoiceReducer => {
    const real = createVoiceSession(rules);
    return wrap(real, (state, input) => real.step<News>(...change(state, input)));
  };
}

function withRules(change: Partial<VoiceRules>) {
  return (rules: VoiceRules): VoiceReducer => createVoiceSession({ ...rules, ...change });
}

const without =
  (type: Effect['type'], when: (step: Step, from: VoiceState) => boolean = () => true) =>
  (step: Step, from: VoiceState): Step =>
    when(step, from) ? { ...step, effects: step.effects.filter((effect) => effect.type !== type) } : step;

const frameOf = (input: Input) => (input.type === 'frame' ? input.frame : undefined);

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'callbacks of an old socket are listened to',
    breaks: 'nothing is left open when idle',
    make: before((state, input) => [state, 'gen' in input ? { ...input, gen: state.gen } : input]),
  },
  {
    name: 'answers on an old UDP socket are taken',
    breaks: 'a stale input does nothing',
    scope: 'path',
    make: before((state, input) => [state, 'udpGen' in input ? { ...input, udpGen: state.udpGen } : input]),
  },
  {
    name: '4014 is signalled again at once',
    breaks: 'after 4014 and 4022 a server update is waited for, nothing is asked',
    make: withRules({
      closeCode: (code) => (code === 4014 ? { name: 'disconnected', next: 'signal' } : voiceCloseCode(code)),
    }),
  },
  {
    name: '4004 is tried again',
    breaks: 'fatal close codes stop',
    make: withRules({
      closeCode: (code) => (code === 4004 ? { name: 'authentication failed', next: 'signal' } : voiceCloseCode(code)),
    }),
  },
  {
    name: '4006 is resumed',
    breaks: 'only 4015 and codes below 4000 are resumed',
    make: withRules({
      closeCode: (code) => (code === 4006 ? { name: 'session no longer valid', next: 'resume' } : voiceCloseCode(code)),
    }),
  },
  {
    name: 'the server update alone opens the socket',
    breaks: 'no socket without voice state and server update',
    make: before((state, input) => [
      state.phase === 'signalling' && input.type === 'voiceServer'
        ? { ...state, voiceState: state.voiceState ?? { sessionId: 'guessed' } }
        : state,
      input,
    ]),
  },
  {
    name: "another channel's server update opens the socket",
    breaks: 'no socket without voice state and server update',
    scope: 'ways in',
    make: before((state, input) => [
      state,
      input.type === 'voiceState' && input.channelId !== null && state.phase === 'signalling'
        ? { ...input, channelId: state.target.channelId }
        : input,
    ]),
  },
  {
    name: 'waiting for READY has no deadline',
    breaks: 'every phase but idle has a deadline',
    make: after((step) =>
      step.state.phase === 'identifying'
        ? {
            ...step,
            state: {
              ...step.state,
              until: Number.POSITIVE_INFINITY,
              heart: { ...step.state.heart, nextAt: Number.POSITIVE_INFINITY },
            },
          }
        : step,
    ),
  },
  {
    name: 'a missing heartbeat ACK goes unnoticed',
    breaks: 'an unanswered beat ends the socket when the next is due',
    make: before((state, input) => [
      input.type === 'timer' && 'heart' in state
        ? ({ ...state, heart: { ...state.heart, unansweredSince: undefined } } as VoiceState)
        : state,
      input,
    ]),
  },
  {
    name: 'a blocked event loop is taken for a dead peer',
    breaks: 'a late timer ends nothing before what has come is read',
    make: withRules({ lateTimerMs: Number.POSITIVE_INFINITY }),
  },
  {
    name: 'late timers are excused again and again',
    breaks: 'a wait is put off once, for a moment',
    make: before((state, input) => [input.type === 'timer' ? { ...state, excused: false } : state, input]),
  },
  {
    name: 'a lost session leaves its UDP socket open',
    breaks: 'UDP is open exactly while it may be used',
    make: after(without('closeUdp', ({ state }) => state.phase === 'waiting')),
  },
  {
    name: 'a disconnect leaves its UDP socket open',
    breaks: 'nothing is left open when idle',
    make: after(without('closeUdp', ({ state }) => state.phase === 'idle')),
  },
  {
    name: 'media is not told that its session is lost',
    breaks: 'media is there exactly while its session is',
    make: after(without('sessionLost', ({ state }) => state.phase !== 'idle')),
  },
  {
    name: 'a resume takes the session id of the main gateway of now',
    breaks: 'a resume is of the session that was identified',
    scope: 'ways in',
    make: before((state, input) => [
      frameOf(input)?.kind === 'hello' && state.phase === 'opening' && state.link !== undefined
        ? { ...state, link: { ...state.link, sessionId: state.voiceState?.sessionId ?? '' } }
        : state,
      input,
    ]),
  },
  {
    name: 'the number of the last message is not kept over a resume',
    breaks: 'beats and resumes carry the last number',
    make: after((step) => ({
      ...step,
      effects: step.effects.map((effect) =>
        effect.type === 'send' && effect.control.kind === 'resume'
          ? { ...effect, control: { ...effect.control, seqAck: -1 } }
          : effect,
      ),
    })),
  },
  {
    name: 'what a resume repeats is delivered twice',
    breaks: 'a numbered message is taken once',
    make: before((state, input) => [
      input.type === 'frame' && input.gen === state.gen && input.seq !== undefined ? { ...state, seqAck: -1 } : state,
      input,
    ]),
  },
  {
    name: 'tries follow one another without delay',
    breaks: 'a try waits as the backoff says',
    make: withRules({ backoff: { baseMs: 0, capMs: 0 } }),
  },
  {
    name: 'a session that begins makes failed tries forgotten',
    breaks: 'tries are forgotten after a stable session only',
    make: after((step, from) =>
      step.state.phase === 'ready' && from.phase !== 'ready'
        ? { ...step, state: { ...step.state, attempts: 0 } }
        : step,
    ),
  },
  {
    name: 'it resumes for ever',
    breaks: 'resumes in a row are bounded',
    make: withRules({ maxResumes: 10 }),
  },
  {
    name: 'the first mode of the list is taken',
    breaks: 'legacy encryption is chosen only when nothing else is offered, and told',
    make: after((step) =>
      step.state.phase === 'discovering' ? { ...step, state: { ...step.state, mode: 'xsalsa20_poly1305' } } : step,
    ),
  },
  {
    name: 'the new socket is opened beside the old one',
    breaks: 'one socket at a time',
    scope: 'ways in',
    make: after(without('closeSocket', ({ state }) => state.phase === 'opening')),
  },
  {
    name: 'who was kicked joins again',
    breaks: 'who is out comes back by a server update, a voice state or connect() only',
    make: (rules) => {
      const real = createVoiceSession(rules);
      return wrap(real, (state, input) =>
        state.phase === 'expelled' && input.type === 'timer' && input.now >= state.until
          ? real.step<News>({ ...state, moveUntil: input.now }, input)
          : real.step<News>(state, input),
      );
    },
  },
  {
    name: 'disconnect() leaves the bot in the channel',
    breaks: 'disconnect() ends at once, and the gateway is told',
    make: after((step, _from, input) => (input.type === 'leave' ? without('sendVoiceState')(step, step.state) : step)),
  },
  {
    name: 'one discovery datagram is all there is',
    breaks: 'a discovery that is lost is sent again',
    make: withRules({ discoveryRetryMs: 40 }),
  },
  {
    name: 'a server that answers no keepalive is called dead',
    breaks: 'a path is called dead only when it has answered before',
    scope: 'path',
    make: after((step, from) => {
      const { state } = step;
      if (state.phase !== 'ready' || from.phase === 'ready') return step;
      const keepalive = { ...state.link.keepalive, answers: true };
      return { ...step, state: { ...state, link: { ...state.link, keepalive } } };
    }),
  },
  {
    name: 'being moved ends the connection',
    breaks: 'a move is followed',
    scope: 'ways in',
    make: before((state, input) => [
      state,
      input.type === 'voiceState' && 'target' in state && input.channelId !== state.target.channelId
        ? { ...input, channelId: null }
        : input,
    ]),
  },
  {
    name: 'a server that is gone is connected to',
    breaks: 'no socket without voice state and server update',
    scope: 'ways in',
    make: before((state, input) => [
      state,
      input.type === 'voiceServer' && input.endpoint === null ? { ...input, endpoint: 'e' } : input,
    ]),
  },
  {
    name: 'IDENTIFY is sent with every HELLO',
    breaks: 'nobody is greeted twice on one socket',
    make: after((step, from, input) => {
      if (frameOf(input)?.kind !== 'hello' || from.phase !== 'identifying') return step;
      if ('gen' in input && input.gen !== from.gen) return step;
      const token = from.server?.token;
      if (token === undefined) return step;
      const control = { kind: 'identify', sessionId: 'a', token } as const;
      return { ...step, effects: [{ type: 'send', gen: from.gen, control }] };
    }),
  },
  {
    name: 'media flows before its ciphers are there',
    breaks: 'ready needs a described and prepared session, or a resumed one',
    make: (rules) => {
      const real = createVoiceSession(rules);
      return wrap(real, (state, input) => {
        const step = real.step<News>(state, input);
        if (frameOf(input)?.kind !== 'sessionDescription' || step.state.phase !== 'selecting') return step;
        const { now, random } = input;
        const next = real.step<News>(step.state, { type: 'sessionPrepared', gen: state.gen, now, random });
        return { state: next.state, effects: [...step.effects, ...next.effects] };
      });
    },
  },
];
