/** A voice connection as a model for the exhaustive search: small rules, every input, states told apart by what matters. */
import { Redacted, type Stamp, type TimerInput } from '@guildkit/core';
import { type Exploration, explore } from '@guildkit/testkit';
import { voiceCloseCode } from '../../src/protocol/voice-close-codes.js';
import type { ServerOffer, SessionDescription, VoiceFrame } from '../../src/protocol/voice-frames.js';
import type { VoiceRules } from '../../src/protocol/voice-rules.js';
import { createVoiceSession, initialVoice, type VoiceReducer } from '../../src/protocol/voice-session.js';
import { isLive } from '../../src/protocol/voice-steps.js';
import type { Link, VoiceInput, VoiceState } from '../../src/protocol/voice-types.js';
import {
  brokenInvariant,
  type Effect,
  EMPTY_WORLD,
  type Input,
  type News,
  nextWorld,
  type World,
} from './voice-invariants.js';

/** Times share a step of ten, so that few differences arise. */
const MODEL_RULES: VoiceRules = {
  joinTimeoutMs: 20,
  reallocationTimeoutMs: 30,
  helloTimeoutMs: 20,
  answerTimeoutMs: 20,
  discoveryTimeoutMs: 20,
  discoveryRetryMs: 10,
  expelledTimeoutMs: 20,
  leftGraceMs: 10,
  moveTimeoutMs: 20,
  maxHeartbeatMs: 40,
  backoff: { baseMs: 20, capMs: 20, minMs: 10 },
  maxResumes: 1,
  stableAfterMs: 30,
  alertAfterAttempts: 2,
  lateTimerMs: 5,
  lateGraceMs: 10,
  modes: ['xsalsa20_poly1305', 'aead_aes256_gcm_rtpsize'],
  closeCode: voiceCloseCode,
  keepaliveMs: Number.POSITIVE_INFINITY,
  keepaliveMisses: 2,
  probeTimeoutMs: 20,
};

/**
 * What is searched: the life of the sockets, the ways into a channel, or the UDP path, each with few events of the others.
 * Everything at once has 300,000 states, which `npm run soak` visits.
 */
export type Scope = 'life' | 'ways in' | 'path' | 'everything';

const CALM: VoiceRules = { ...MODEL_RULES, alertAfterAttempts: Number.POSITIVE_INFINITY };
const SCOPE_RULES: Readonly<Record<Scope, VoiceRules>> = {
  life: MODEL_RULES,
  'ways in': CALM,
  path: { ...CALM, keepaliveMs: 20 },
  everything: MODEL_RULES,
};

const THROUGH = ['connect', 'state', 'server', 'HELLO', 'READY', 'discovered', 'DESCRIPTION', 'prepared', 'timer'];
const SCOPE_LABELS: Readonly<Record<Exclude<Scope, 'everything'>, readonly string[]>> = {
  life: [
    ...THROUGH,
    'late timer',
    'disconnect()',
    'removed',
    'closed 1006',
    'closed 4006',
    'closed 4004',
    'closed 4014',
    'closed 4015',
    'closed 4021',
    'closed 4022',
    'stale close',
    'stale message',
    'stale prepared',
    'session failed',
    'ACK',
    'beat requested',
    'READY legacy',
    'READY unknown modes',
    'RESUMED',
    'news',
    'repeated news',
    'unknown opcode',
  ],
  'ways in': [
    ...THROUGH,
    'connect elsewhere',
    'mute',
    'disconnect()',
    'other session',
    'state elsewhere',
    'removed',
    'other server',
    'no server',
    'join not sent',
    'closed 4006',
    'closed 4014',
  ],
  path: [
    ...THROUGH,
    'late timer',
    'other address',
    'ACK',
    'closed 1006',
    'RESUMED',
    'keepalive answered',
    'late keepalive',
    'media',
    'stale UDP',
    'UDP failed',
    'session failed',
  ],
};

export const HERE = { channelId: '1', selfMute: false, selfDeaf: false };
const THERE = { channelId: '2', selfMute: false, selfDeaf: false };
const MUTED = { ...HERE, selfMute: true };
const TOKENS = [new Redacted('token-a'), new Redacted('token-b')] as const;
const OFFERS: readonly (readonly [string, readonly string[]])[] = [
  ['READY', ['xsalsa20_poly1305', 'aead_aes256_gcm_rtpsize']],
  ['READY legacy', ['xsalsa20_poly1305']],
  ['READY unknown modes', ['rot13']],
];
const offer = (modes: readonly string[]): ServerOffer => ({ ssrc: 1, ip: '127.0.0.1', port: 2, modes, streams: [] });
const DESCRIPTION: SessionDescription = {
  mode: 'aead_aes256_gcm_rtpsize',
  secretKey: new Redacted(new Uint8Array(32)),
  daveVersion: 1,
  videoCodec: 'VP8',
};

interface ModelState {
  readonly voice: VoiceState;
  readonly now: number;
  readonly world: World;
}

interface ModelInput {
  readonly label: string;
  readonly input: Input;
}

/** Checks every rule on every transition. `effects` are the kinds of effect that came up. */
export function exploreVoice(options: { scope?: Scope; make?: (rules: VoiceRules) => VoiceReducer } = {}): {
  readonly exploration: Exploration;
  readonly effects: ReadonlySet<string>;
} {
  const { scope = 'life', make = createVoiceSession } = options;
  const rules = SCOPE_RULES[scope];
  const reducer = make(rules);
  const seen = new Set<string>();
  const exploration = explore<ModelState, ModelInput, Effect>({
    initial: { voice: initialVoice(), now: 0, world: EMPTY_WORLD },
    inputs: (state) =>
      inputsOf(state, reducer).filter(({ label }) => scope === 'everything' || SCOPE_LABELS[scope].includes(label)),
    step({ voice, world }, { input }) {
      const { state: next, effects } = reducer.step<News>(voice, input);
      return {
        state: { voice: next, now: input.now, world: nextWorld(world, { from: voice, input, to: next, effects }) },
        effects,
      };
    },
    key: (state) => keyOf(state, rules),
    invariant({ from, input, to, effects }) {
      for (const effect of effects) seen.add(kindOf(effect));
      return brokenInvariant(
        { from: from.voice, input: input.input, to: to.voice, effects },
        rules,
        reducer,
        from.world,
      );
    },
    label: ({ label }) => (label === 'late timer' ? 'timer' : label),
    phase: ({ voice }) => voice.phase,
    maxStates: 400_000,
  });
  return { exploration, effects: seen };
}

function kindOf(effect: Effect): string {
  switch (effect.type) {
    case 'send':
      return effect.control.kind;
    case 'closeSocket':
      return `${effect.type} ${effect.how}`;
    case 'ended':
      return `${effect.type} ${effect.how}`;
    case 'drop':
      return `${effect.type} ${effect.what}`;
    case 'sendVoiceState':
      return effect.target === null ? 'leave' : 'join';
    default:
      return effect.type;
  }
}

function inputsOf({ voice, now }: ModelState, reducer: VoiceReducer): ModelInput[] {
  const inputs: ModelInput[] = [];
  const add = (label: string, input: VoiceInput<News> | TimerInput, stamp: Partial<Stamp> = {}): void => {
    inputs.push({ label, input: { now, random: 0.5, ...stamp, ...input } as Input });
  };
  add('connect', { type: 'join', target: HERE });
  add('connect elsewhere', { type: 'join', target: THERE });
  add('mute', { type: 'join', target: MUTED });
  add('disconnect()', { type: 'leave' });
  add('state', { type: 'voiceState', channelId: '1', sessionId: 'a' });
  add('other session', { type: 'voiceState', channelId: '1', sessionId: 'b' });
  add('state elsewhere', { type: 'voiceState', channelId: '2', sessionId: 'a' });
  add('removed', { type: 'voiceState', channelId: null, sessionId: 'a' });
  add('server', { type: 'voiceServer', token: TOKENS[0], endpoint: 'e' });
  add('other server', { type: 'voiceServer', token: TOKENS[1], endpoint: 'e' });
  add('no server', { type: 'voiceServer', token: TOKENS[0], endpoint: null });
  add('join not sent', { type: 'signallingFailed' });
  const due = reducer.deadline(voice);
  // A timer fires when it is due, or late.
  if (due !== undefined && due !== Number.POSITIVE_INFINITY) {
    add('timer', { type: 'timer' }, { now: Math.max(now, due) });
    add('late timer', { type: 'timer' }, { now: Math.max(now, due) + 10 });
  }
  const { gen, udpGen } = voice;
  for (const code of [1006, 4006, 4004, 4014, 4015, 4021, 4022]) {
    add(`closed ${code}`, { type: 'socketClosed', gen, code });
  }
  add('stale close', { type: 'socketClosed', gen: gen - 1, code: 4004 });
  add('stale message', { type: 'frame', gen: gen - 1, frame: { kind: 'hello', heartbeatIntervalMs: 20 } });
  add('stale prepared', { type: 'sessionPrepared', gen: gen - 1 });
  add('stale UDP', { type: 'discovered', udpGen: udpGen - 1, address: '1.2.3.4', port: 5 });
  add('UDP failed', { type: 'udpFailed', udpGen });
  add('discovered', { type: 'discovered', udpGen, address: '1.2.3.4', port: 5 });
  add('other address', { type: 'discovered', udpGen, address: '1.2.3.4', port: 6 });
  add('prepared', { type: 'sessionPrepared', gen });
  add('session failed', { type: 'sessionFailed', gen });
  if (voice.phase === 'ready') {
    const { seq } = voice.link.keepalive;
    add('keepalive answered', { type: 'keepaliveAnswered', udpGen, seq });
    add('late keepalive', { type: 'keepaliveAnswered', udpGen, seq: seq - 1 });
    add('media', { type: 'udpHeard', udpGen });
  }
  if (!isLive(voice)) {
    add('stale message', { type: 'frame', gen, frame: { kind: 'hello', heartbeatIntervalMs: 20 } });
    return inputs;
  }
  const next = voice.seqAck + 1;
  const frames: [string, VoiceFrame<News>, number?][] = [
    ['HELLO', { kind: 'hello', heartbeatIntervalMs: 20 }],
    ['ACK', { kind: 'heartbeatAck' }],
    ['beat requested', { kind: 'heartbeatRequest' }],
    ...OFFERS.map(([label, modes]): [string, VoiceFrame<News>] => [label, { kind: 'ready', offer: offer(modes) }]),
    ['DESCRIPTION', { kind: 'sessionDescription', description: DESCRIPTION }],
    ['RESUMED', { kind: 'resumed' }],
    ['news', { kind: 'news', news: 'x' }, next],
    ['repeated news', { kind: 'news', news: 'x' }, Math.max(voice.seqAck, 0)],
    ['unknown opcode', { kind: 'ignored' }],
  ];
  for (const [label, frame, seq] of frames) add(label, { type: 'frame', gen, frame, seq });
  return inputs;
}

/** Two states are the same when nothing that follows can tell them apart: times are relative, numbers erased. */
function keyOf({ voice, now, world }: ModelState, rules: VoiceRules): string {
  const at = (time: number | undefined): number | undefined =>
    time === undefined || time === Number.POSITIVE_INFINITY ? undefined : Math.max(time - now, -1);
  const link = (held: Link | undefined) =>
    held === undefined
      ? undefined
      : [
          held.sessionId,
          held.mode,
          held.external.port,
          now - held.readySince >= rules.stableAfterMs
            ? 'stable'
            : Number.isFinite(rules.alertAfterAttempts)
              ? at(held.readySince + 30)
              : '',
          at(held.keepalive.nextAt),
          held.keepalive.pending === undefined ? '' : 'out',
          Math.min(held.keepalive.missed, rules.keepaliveMisses),
          held.keepalive.answers,
        ];
  return JSON.stringify([
    voice.phase,
    Math.min(voice.attempts, Number.isFinite(rules.alertAfterAttempts) ? rules.alertAfterAttempts : 0),
    voice.resumes,
    voice.seqAck >= 0,
    voice.voiceState?.sessionId,
    voice.server?.token.reveal(),
    Math.min(voice.ownLeaves, 1),
    at(voice.moveUntil),
    voice.excused,
    'target' in voice ? [voice.target.channelId, voice.target.selfMute] : '',
    'until' in voice ? at(voice.until) : '',
    'heart' in voice ? [at(voice.heart.nextAt), voice.heart.unansweredSince !== undefined, voice.heart.everyMs] : '',
    'retryAt' in voice ? at(voice.retryAt) : '',
    'mode' in voice ? voice.mode : '',
    'described' in voice ? voice.described : '',
    'other' in voice ? voice.other : '',
    'left' in voice ? [voice.left, voice.open, voice.how] : '',
    'afresh' in voice ? voice.afresh : '',
    'probe' in voice && voice.probe ? [at(voice.probe.until), at(voice.probe.retryAt)] : '',
    'link' in voice ? link(voice.link) : '',
    voice.phase === 'selecting' && voice.cause.reason === 'addressChanged',
    voice.phase === 'selecting' ? voice.external.port : '',
    world.stateOf,
    world.server,
    world.described,
    world.greeted,
  ]);
}
