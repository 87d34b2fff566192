/** Every reachable state of the voice session machine, against its rules; and mutants that the rules must catch. */
import type { Stamp, TimerInput } from '@guildkit/core';
import { Redacted } from '@guildkit/core';
import { type Edge, type Exploration, explore } from '@guildkit/testkit';
import { expect, test } from 'vitest';
import { VOICE_CLOSE_CODES } from '../../src/protocol/voice/close-codes.js';
import type { VoiceFrame } from '../../src/protocol/voice/frames.js';
import { wireSeq } from '../../src/protocol/voice/message-log.js';
import { createVoiceReducer, freshVoice } from '../../src/protocol/voice/session.js';
import type {
  Admission,
  VoiceEffect,
  VoiceInput,
  VoiceLink,
  VoiceRules,
  VoiceState,
} from '../../src/protocol/voice/session-types.js';

const RULES: VoiceRules = {
  heartbeatIntervalMs: 1000,
  heartbeatGraceMs: 500,
  messageLimit: 3,
  messageWindowMs: 2000,
  resumeWindowMs: 1500,
};
const reducer = createVoiceReducer(RULES);

type Input = (VoiceInput | TimerInput) & { readonly advanceMs?: number };
type Step = (
  state: VoiceState,
  input: (VoiceInput | TimerInput) & Stamp,
) => { state: VoiceState; effects: readonly VoiceEffect[] };
interface Timed {
  readonly now: number;
  readonly state: VoiceState;
}
type TimedEdge = Edge<Timed, Input, VoiceEffect>;

const SSRC = 7;
const ADMITTED: Admission = {
  ok: true,
  channelId: '3',
  seat: {
    audioSsrc: SSRC,
    streams: [{ type: 'video', rid: '', quality: 0, ssrc: 8, rtxSsrc: 9 }],
    ip: '127.0.0.1',
    port: 1,
    modes: ['good'],
  },
};
const token = new Redacted('x');
const IDENTIFY: VoiceFrame = {
  kind: 'identify',
  serverId: '1',
  channelId: undefined,
  userId: '2',
  sessionId: 's',
  token,
  daveVersion: 0,
  streams: [],
};
const RESUME: VoiceFrame = { kind: 'resume', serverId: '1', channelId: undefined, sessionId: 's', token, seqAck: -1 };
const SELECT = { kind: 'select', protocol: 'udp', mode: 'good', address: '127.0.0.1', port: 1, codecs: [] } as const;
const request = (value: Extract<VoiceFrame, { kind: 'request' }>['request']): VoiceFrame => ({
  kind: 'request',
  request: value,
});
const FRAMES: readonly VoiceFrame[] = [
  { kind: 'heartbeat', t: 1, seqAck: undefined },
  { kind: 'heartbeat', t: 1, seqAck: 1 },
  IDENTIFY,
  RESUME,
  SELECT,
  { ...SELECT, mode: 'bad' },
  { ...SELECT, protocol: 'webrtc' },
  request({ kind: 'speaking', speaking: 1, ssrc: SSRC, delay: 0 }),
  request({ kind: 'speaking', speaking: 1, ssrc: 8, delay: 0 }),
  request({ kind: 'video', audioSsrc: SSRC, videoSsrc: 8, rtxSsrc: 9, streams: [] }),
  request({ kind: 'video', audioSsrc: SSRC, videoSsrc: 9, rtxSsrc: 8, streams: [] }),
  request({ kind: 'codecs', codecs: [] }),
  request({ kind: 'backendVersion' }),
  { kind: 'invalid', code: 4001, why: '' },
  { kind: 'invalid', code: 4020, why: '' },
];
const MESSAGE = { op: 5, d: {} };
const DESCRIPTION = { mode: 'good', secretKey: new Redacted([1]), mediaSessionId: 'm', daveVersion: 0 };
/** Messages and selections after which the search makes no more: they only repeat states. */
const MAX_SEQ = 3;
const MAX_SELECTIONS = 2;

const sessionOf = (state: VoiceState) => ('session' in state ? state.session : undefined);
const socketOf = (state: VoiceState): number | undefined =>
  state.phase === 'fresh' ? state.socket : 'link' in state ? state.link.socket : undefined;

function inputs({ now, state }: Timed): readonly Input[] {
  const socket = socketOf(state) ?? 1;
  const session = sessionOf(state);
  const seq = session?.seq ?? 0;
  const selections = session?.selections ?? 0;
  const link: VoiceLink = {
    socket: socket + 1,
    version: 8,
    heartbeatBy: now + 1500,
    windowEndsAt: now + 2000,
    sent: 1,
  };
  const claim = { guildId: '1', sessionId: 's', seqAck: wireSeq(seq) };
  const all: Input[] = [
    { type: 'opened', version: 8 },
    { type: 'opened', version: 9 },
    { type: 'opened', version: 7 },
    { type: 'handedOver' },
    { type: 'refused' },
    { type: 'notice', message: MESSAGE },
    { type: 'prepared', selection: selections, description: DESCRIPTION },
    { type: 'prepared', selection: selections - 1, description: DESCRIPTION },
    { type: 'cut', close: undefined },
    { type: 'cut', close: { code: 4015, reason: '' } },
    { type: 'cut', close: { code: 4006, reason: '' } },
    { type: 'end', code: 4014 },
    { type: 'expire' },
    { type: 'timer' },
    { type: 'timer', advanceMs: 500 },
    { type: 'adopt', link, claim, oldest: 1 },
    { type: 'adopt', link, claim: { ...claim, seqAck: -1 }, oldest: 1 },
    { type: 'adopt', link, claim: { ...claim, seqAck: -1 }, oldest: seq + 1 },
    { type: 'adopt', link, claim: { ...claim, seqAck: seq + 1 }, oldest: 1 },
    { type: 'adopt', link, claim: { ...claim, sessionId: 'other' }, oldest: 1 },
    { type: 'adopt', link, claim: { ...claim, guildId: '9' }, oldest: 1 },
  ];
  if (seq < MAX_SEQ) all.push({ type: 'message', message: MESSAGE });
  for (const at of [socket, socket - 1]) {
    all.push({ type: 'closed', socket: at });
    for (const frame of FRAMES) {
      if (frame === SELECT && selections >= MAX_SELECTIONS) continue;
      all.push({ type: 'frame', socket: at, frame, admission: frame === IDENTIFY ? ADMITTED : undefined });
    }
    all.push(
      { type: 'frame', socket: at, frame: IDENTIFY },
      { type: 'frame', socket: at, frame: IDENTIFY, admission: { ok: false, code: 4017 } },
      { type: 'frame', socket: at, frame: RESUME, admission: { ok: false, code: 4004 } },
    );
  }
  return all;
}

/** The rules. `undefined`: all hold. */
function invariant({ from, input, to, effects }: TimedEdge): string | undefined {
  const before = sessionOf(from.state);
  const after = sessionOf(to.state);
  const closes = effects.filter((effect) => effect.type === 'close' || effect.type === 'destroy');
  const delivered = effects.filter((effect) => effect.type === 'deliver');
  const named = 'socket' in input ? input.socket : undefined;
  const types = effects.map(({ type }) => type);

  if (from.state.phase === 'ended' && (to.state !== from.state || effects.some(({ type }) => type !== 'refuse'))) {
    return 'an ended actor does nothing';
  }
  if (named !== undefined && named !== socketOf(from.state) && (to.state !== from.state || effects.length > 0)) {
    return 'a stale socket is not heard';
  }
  const sockets = [socketOf(from.state), socketOf(to.state)];
  for (const effect of effects) {
    if (effect.type === 'refuse' || !('socket' in effect) || effect.socket === undefined) continue;
    if (!sockets.includes(effect.socket)) return 'effects name the own socket';
  }
  for (const closed of closes) if (closed.socket === socketOf(to.state)) return 'a closed socket is let go';
  const due = reducer.deadline(to.state);
  const longest = to.now + Math.max(RULES.heartbeatIntervalMs + RULES.heartbeatGraceMs, RULES.resumeWindowMs);
  const waits = to.state.phase !== 'fresh' && to.state.phase !== 'ended';
  if (waits && (due === undefined || due < to.now || due > longest)) return 'whoever waits has a deadline';
  if (!waits && due !== undefined) return 'no timer without a wait';
  if (types.includes('start') !== (before === undefined && after !== undefined)) return 'a session starts once';
  if (types.includes('forget') !== (before !== undefined && after === undefined)) return 'a session is forgotten once';
  if (
    types.filter((type) => type === 'enter').length !== (before?.stage !== 'live' && after?.stage === 'live' ? 1 : 0)
  ) {
    return 'who gets the first description takes part';
  }
  if (types.includes('request') && before?.stage !== 'live') return 'requests need a description';
  if (before !== undefined && after !== undefined && after.seq !== before.seq + delivered.length) {
    return 'seq counts messages';
  }
  if (input.type === 'message' && before !== undefined && delivered.length !== 1) return 'no message is lost';
  if (input.type === 'cut' && before !== undefined && after === undefined && (input.close?.code ?? 0) < 4000) {
    return 'a session survives a cut';
  }
  if (input.type === 'cut' && input.close?.code === 4015 && before !== undefined && after === undefined) {
    return 'a session survives 4015';
  }
  if (input.type === 'closed' && before !== undefined && after === undefined)
    return 'a session survives its connection';
  if (input.type === 'end' && waits) return 'without a voice state there is no session';
  if (input.type === 'end' && closes.some((effect) => effect.type === 'close' && effect.code !== input.code)) {
    return 'the reason of the end is the code';
  }
  for (const effect of effects) {
    if (effect.type === 'close' && !(effect.code in VOICE_CLOSE_CODES)) return 'codes are documented';
    if (effect.type === 'prepare' && effect.mode !== 'good') return 'only offered modes are prepared';
    if (effect.type !== 'replay') continue;
    if (input.type !== 'adopt' || effect.through !== before?.seq) return 'a replay ends at the last message';
    if (effect.after + 1 < input.oldest || effect.after > effect.through) return 'a replay is all in the log';
    const resumed = effects.findIndex(({ type }) => type === 'send');
    if (types.indexOf('take') > resumed || resumed > types.indexOf('replay')) return 'take, Resumed, replay';
  }
  if (input.type === 'adopt' && (types.includes('take') ? 1 : 0) + (types.includes('refuse') ? 1 : 0) !== 1) {
    return 'a Resume has one answer';
  }
  if (
    input.type === 'prepared' &&
    before !== undefined &&
    input.selection !== before.selections &&
    effects.length > 0
  ) {
    return 'a description of before is not sent';
  }
  const isHeartbeat = input.type === 'frame' && input.frame.kind === 'heartbeat' && named === socketOf(from.state);
  if (isHeartbeat && (from.state.phase === 'greeting' || from.state.phase === 'open')) {
    const acks = effects.filter((effect) => effect.type === 'send' && effect.message.op === 6).length;
    if (acks + closes.length !== 1) return 'a heartbeat has one answer';
  }
  return undefined;
}

function key({ now, state }: Timed): string {
  const link = (it: VoiceLink) => [it.heartbeatBy - now, Math.max(0, it.windowEndsAt - now), it.sent];
  if (state.phase === 'fresh' || state.phase === 'ended') return state.phase;
  const { stage, selections, seq } = sessionOf(state) ?? {};
  const wait = state.phase === 'detached' ? state.expiresAt - now : link(state.link);
  return JSON.stringify([state.phase, wait, stage, selections, seq]);
}

function search(step: Step): Exploration {
  return explore<Timed, Input, VoiceEffect>({
    initial: { now: 0, state: freshVoice(1) },
    inputs,
    step({ now, state }, input) {
      const at =
        input.type === 'timer'
          ? input.advanceMs === undefined
            ? Math.max(now, reducer.deadline(state) ?? now)
            : now + input.advanceMs
          : now;
      // A timer fires when it is due, not behind it.
      const due = reducer.deadline(state) ?? Number.POSITIVE_INFINITY;
      const moment = Math.min(at, Math.max(now, due));
      const result = step(state, { ...input, now: moment, random: 0 });
      return { state: { now: moment, state: result.state }, effects: result.effects };
    },
    key,
    invariant,
    label: (input) => (input.type === 'frame' ? input.frame.kind : input.type),
    phase: ({ state }) => state.phase,
  });
}

test('every reachable state keeps the rules', () => {
  const found = search(reducer.step);
  expect(found.violation).toBeUndefined();
  expect(found.complete).toBe(true);
  expect(found.states).toBeGreaterThan(100);
  expect(new Set(found.phaseEdges.map(({ to }) => to))).toEqual(new Set(['greeting', 'open', 'detached', 'ended']));
});

const withState =
  (change: (state: VoiceState, from: VoiceState, input: Input) => VoiceState): Step =>
  (state, input) => {
    const result = reducer.step(state, input);
    return { ...result, state: change(result.state, state, input) };
  };
const withEffects =
  (change: (effects: readonly VoiceEffect[], input: Input, from: VoiceState) => readonly VoiceEffect[]): Step =>
  (state, input) => {
    const result = reducer.step(state, input);
    return { ...result, effects: change(result.effects, input, state) };
  };

const MUTANTS: readonly (readonly [name: string, step: Step])[] = [
  [
    'the end of a connection ends the session',
    withState((to, from, input) => (input.type === 'closed' && to !== from ? { phase: 'ended' } : to)),
  ],
  [
    'a selection of before is described',
    (state, input) =>
      reducer.step(
        state,
        input.type === 'prepared' && sessionOf(state) !== undefined
          ? { ...input, selection: sessionOf(state)?.selections ?? 0 }
          : input,
      ),
  ],
  [
    'a replay from too far back',
    (state, input) => reducer.step(state, input.type === 'adopt' ? { ...input, oldest: 0 } : input),
  ],
  [
    'messages while detached are not kept',
    (state, input) =>
      input.type === 'message' && state.phase === 'detached' ? { state, effects: [] } : reducer.step(state, input),
  ],
  [
    'speaking before the description',
    (state, input) =>
      input.type === 'frame' &&
      input.frame.kind === 'request' &&
      state.phase === 'open' &&
      state.session.stage !== 'live'
        ? { state, effects: [{ type: 'request', session: state.session, request: input.frame.request }] }
        : reducer.step(state, input),
  ],
  [
    'enters with every description',
    withEffects((effects, input, from) =>
      input.type === 'prepared' && sessionOf(from)?.stage === 'live' && effects.length > 0
        ? [...effects, { type: 'enter', session: sessionOf(from) as never }]
        : effects,
    ),
  ],
  [
    'the replay comes before Resumed',
    withEffects((effects) =>
      effects.some(({ type }) => type === 'replay')
        ? [...effects].sort((a, b) => Number(b.type === 'replay') - Number(a.type === 'replay'))
        : effects,
    ),
  ],
  [
    'a session that is over is not forgotten',
    withEffects((effects) => effects.filter(({ type }) => type !== 'forget')),
  ],
  [
    'no heartbeat, no end',
    withState((to, from, input) => (input.type === 'timer' && to.phase === 'ended' ? from : to)),
  ],
];

test.each(MUTANTS)('a mutant is caught: %s', (_name, step) => {
  expect(search(step).violation).toBeDefined();
});
