/**
 * Owns one voice connection as a pure state machine: the join through the main gateway, the voice gateway's life, heartbeats,
 * buffered resume, moves, the UDP path. Refuses bytes, sockets, clocks, media and end-to-end encryption. Its states, inputs
 * and effects are in `voice-types.ts`, its numbers in `voice-rules.ts`; the diagram is `docs/architecture/rtc-states.md`.
 */
import type { Stamp, TimerInput } from '@guildkit/core';
import { traitsOf } from '@guildkit/rtp';
import type { Credentials, VoiceFrame } from './voice-frames.js';
import { join, open, signal, voiceServer, voiceState } from './voice-join.js';
import { answered, heard, newKeepalive } from './voice-keepalive.js';
import { drop, end, hasUdp, lose, teardown } from './voice-loss.js';
import { chooseMode } from './voice-modes.js';
import { discovered, keepalive } from './voice-path.js';
import type { VoiceRules } from './voice-rules.js';
import {
  beatOf,
  because,
  common,
  control,
  drops,
  expelled,
  isLive,
  type Joined,
  prepend,
  type Stamped,
  type Step,
  stay,
} from './voice-steps.js';
import type { In, Live, VoiceEffect, VoiceInput, VoiceState } from './voice-types.js';

type Beating = Exclude<Live, { phase: 'opening' }>;

/** The connection's reducer, for core's driver. */
export interface VoiceReducer {
  step<News>(state: VoiceState, input: Stamped<VoiceInput<News> | TimerInput>): Step<News>;
  deadline(state: VoiceState): number | undefined;
}

/** A connection that has not begun. */
export function initialVoice(): VoiceState {
  return {
    phase: 'idle',
    gen: 0,
    udpGen: 0,
    attempts: 0,
    resumes: 0,
    seqAck: -1,
    voiceState: undefined,
    server: undefined,
    ownLeaves: 0,
    moveUntil: undefined,
    excused: false,
    cause: { reason: 'created', code: undefined },
  };
}

/** Binds the state machine to its rules. */
export function createVoiceSession(rules: VoiceRules): VoiceReducer {
  return { step: (state, input) => step(rules, state, input), deadline };
}

function deadline(state: VoiceState): number | undefined {
  if (state.phase === 'idle') return undefined;
  let at = (isLive(state) ? state.moveUntil : undefined) ?? Number.POSITIVE_INFINITY;
  if ('until' in state) at = Math.min(at, state.until);
  if ('heart' in state) at = Math.min(at, state.heart.nextAt);
  if (state.phase === 'discovering') at = Math.min(at, state.retryAt);
  if (state.phase === 'ready') {
    const { probe, link } = state;
    at = Math.min(at, link.keepalive.nextAt, probe?.until ?? at, probe?.retryAt ?? at);
  }
  return at;
}

function step<N>(rules: VoiceRules, state: VoiceState, input: Stamped<VoiceInput<N> | TimerInput>): Step<N> {
  switch (input.type) {
    case 'join':
      return join(rules, state, input.target, input.now);
    case 'leave':
      return state.phase === 'idle' ? stay(state) : end(state, 'closed', because('disconnectCalled'));
    case 'voiceState':
      return voiceState(rules, state, input);
    case 'voiceServer':
      return voiceServer(rules, state, input);
    default:
  }
  if (state.phase === 'idle') return stay(state);
  switch (input.type) {
    case 'signallingFailed':
      if (state.phase !== 'signalling') return stay(state);
      return drop(rules, state, input, because('signallingFailed'));
    case 'timer':
      return timer(rules, state, input);
    case 'discovered':
      return input.udpGen === state.udpGen ? discovered(rules, state, input, input.now) : stay(state);
    case 'keepaliveAnswered': {
      if (input.udpGen !== state.udpGen || state.phase !== 'ready') return stay(state);
      const keepalive = answered(state.link.keepalive, input.seq, input.now);
      // An answer that fits none that is out says nothing about the path.
      if (keepalive === state.link.keepalive) return stay(state);
      return stay({ ...state, link: { ...state.link, keepalive }, probe: undefined });
    }
    case 'udpHeard': {
      if (input.udpGen !== state.udpGen || state.phase !== 'ready') return stay(state);
      return stay({ ...state, link: { ...state.link, keepalive: heard(state.link.keepalive) }, probe: undefined });
    }
    case 'udpFailed':
      if (input.udpGen !== state.udpGen || !hasUdp(state)) return stay(state);
      return drop(rules, state, input, because('udpFailed'));
    default:
  }
  // Whatever a socket says that is no longer ours does not concern us.
  if (input.gen !== state.gen) return stay(state);
  if (state.phase === 'expelled') {
    if (input.type !== 'socketClosed' || !state.open) return stay(state);
    const how = input.code === 4022 ? 'channelDeleted' : state.how;
    if (state.left) return end({ ...state, open: false }, how, because('socketClosed', input.code));
    return stay({ ...state, open: false, how });
  }
  if (!isLive(state)) return stay(state);
  switch (input.type) {
    case 'socketClosed':
      return socketClosed(rules, state, input);
    case 'sessionPrepared':
      return prepared(state, input.now);
    case 'sessionFailed':
      if (state.phase !== 'selecting' && state.phase !== 'ready') return stay(state);
      return drop(rules, state, input, because('sessionFailed'));
    case 'frame':
      return numbered(rules, state, input);
  }
}

/** Buffered resume (docs, Voice): messages that may be sent again are numbered; one that was seen is not seen twice. */
function numbered<N>(
  rules: VoiceRules,
  state: Live,
  input: Stamped<Extract<VoiceInput<N>, { type: 'frame' }>>,
): Step<N> {
  const { seq } = input;
  if (seq === undefined) return frame(rules, state, input.frame, input);
  if (state.seqAck !== -1) {
    const ahead = (seq - state.seqAck) & 0xffff;
    // A little behind, modulo 2^16: repeated. Far off: the server counts anew.
    if (ahead === 0 || ahead > 0xffff - REPEATS) return drops(state, 'duplicate');
  }
  return frame(rules, { ...state, seqAck: seq & 0xffff }, input.frame, input);
}

/** How far a replay may reach back. */
const REPEATS = 1_000;

function frame<N>(rules: VoiceRules, state: Live, received: VoiceFrame<N>, stamp: Stamp): Step<N> {
  const { now } = stamp;
  switch (received.kind) {
    case 'hello':
      return state.phase === 'opening' ? hello(rules, state, received.heartbeatIntervalMs, now) : stay(state);
    case 'heartbeatAck': {
      if (state.phase === 'opening' || state.heart.unansweredSince === undefined) return stay(state);
      const latencyMs = now - state.heart.unansweredSince;
      const heart = { ...state.heart, unansweredSince: undefined };
      return { state: { ...state, heart, excused: false }, effects: [{ type: 'heartbeat', latencyMs }] };
    }
    case 'heartbeatRequest': {
      if (state.phase === 'opening') return stay(state);
      // Its answer must not be taken for that of the beat that is out: the older one is waited for.
      const heart = { ...state.heart, unansweredSince: state.heart.unansweredSince ?? now };
      return { state: { ...state, heart }, effects: [beatOf(state, now)] };
    }
    case 'ready': {
      if (state.phase !== 'identifying') return drops(state, 'unexpected');
      const { offer } = received;
      const mode = chooseMode(offer.modes, rules.modes);
      if (mode === undefined) return end(state, 'fatal', because('modeUnsupported'));
      const udpGen = state.udpGen + 1;
      const legacy: VoiceEffect<N>[] = traitsOf(mode).legacy ? [{ type: 'legacyMode', mode }] : [];
      return {
        state: {
          ...common(state),
          phase: 'discovering',
          target: state.target,
          heart: state.heart,
          udpGen,
          offer,
          mode,
          until: now + rules.discoveryTimeoutMs,
          retryAt: now + rules.discoveryRetryMs,
          excused: false,
          cause: because('offer'),
        },
        effects: [...legacy, { type: 'openUdp', udpGen, offer }, { type: 'sendDiscovery', udpGen, ssrc: offer.ssrc }],
      };
    }
    case 'sessionDescription': {
      const { description } = received;
      // A ready session may get a new key.
      if (state.phase !== 'ready' && (state.phase !== 'selecting' || state.described))
        return drops(state, 'unexpected');
      const { offer } = state.phase === 'ready' ? state.link : state;
      const next: VoiceState =
        state.phase === 'ready'
          ? { ...state, link: { ...state.link, mode: description.mode } }
          : { ...state, described: true, mode: description.mode };
      return { state: next, effects: [{ type: 'prepareSession', gen: state.gen, offer, description }] };
    }
    case 'resumed': {
      if (state.phase !== 'resuming') return drops(state, 'unexpected');
      // Keepalives were not sent meanwhile.
      const keepalive = { ...state.link.keepalive, nextAt: now, pending: undefined };
      return {
        state: {
          ...common(state),
          phase: 'ready',
          target: state.target,
          heart: state.heart,
          link: { ...state.link, keepalive },
          probe: undefined,
          excused: false,
          cause: because('resumed'),
        },
        effects: [{ type: 'resumed' }],
      };
    }
    case 'ignored':
      return stay(state);
    case 'news':
      if (state.phase === 'opening') return drops(state, 'unexpected');
      return { state, effects: [{ type: 'deliver', news: received.news }] };
  }
}

function hello<N>(rules: VoiceRules, state: In<'opening'>, intervalMs: number, now: number): Step<N> {
  const { voiceState: known, server, link } = state;
  // Not reachable: opening needs both.
  if (known === undefined || server === undefined) return stay(state);
  const everyMs = Math.min(intervalMs, rules.maxHeartbeatMs);
  const until = now + rules.answerTimeoutMs;
  const heart = { everyMs, nextAt: now + everyMs, unansweredSince: undefined };
  const next = { ...common(state), target: state.target, heart, until, excused: false, cause: because('hello') };
  // A resume is of the session that was identified, whatever the main gateway has said since.
  const credentials: Credentials = { sessionId: link?.sessionId ?? known.sessionId, token: server.token };
  if (link === undefined) {
    return {
      state: { ...next, phase: 'identifying' },
      effects: [control(state, { kind: 'identify', ...credentials })],
    };
  }
  return {
    state: { ...next, phase: 'resuming', link },
    effects: [control(state, { kind: 'resume', ...credentials, seqAck: state.seqAck })],
  };
}

/** The described session works. */
function prepared<N>(state: Live, now: number): Step<N> {
  const started: VoiceEffect<N> = { type: 'sessionStarted', channelId: state.target.channelId };
  if (state.phase === 'ready') return { state, effects: [started] };
  if (state.phase !== 'selecting' || !state.described) return stay(state);
  const { offer, mode, external } = state;
  const sessionId = state.voiceState?.sessionId ?? '';
  return {
    state: {
      ...common(state),
      phase: 'ready',
      target: state.target,
      heart: state.heart,
      link: { offer, mode, external, sessionId, readySince: now, keepalive: newKeepalive(now) },
      probe: undefined,
      resumes: 0,
      // Nobody who is in a channel has left it unheard.
      ownLeaves: 0,
      excused: false,
      cause: because('described'),
    },
    effects: [started],
  };
}

function socketClosed<N>(rules: VoiceRules, state: Live, input: Stamped<{ readonly code: number }>): Step<N> {
  const { code, now } = input;
  const cause = because('socketClosed', code);
  switch (rules.closeCode(code).next) {
    case 'stop':
      return end(state, 'fatal', cause, true);
    case 'await': {
      const torn = teardown<N>(state, 'gone');
      const how = code === 4022 ? 'channelDeleted' : 'kicked';
      const until = now + rules.expelledTimeoutMs;
      return {
        state: expelled(torn.state, state.target, cause, { until, how, left: false, open: false }),
        effects: torn.effects,
      };
    }
    case 'resume':
      return lose(rules, state, input, cause, 'gone');
    case 'signal':
      return drop(rules, state, input, cause, 'gone');
  }
}

function timer<N>(rules: VoiceRules, state: Joined, stamp: Stamp): Step<N> {
  const { now } = stamp;
  const due = deadline(state);
  if (due === undefined || now < due) return stay(state);
  // A blocked event loop is no dead peer: what has come meanwhile is read first, once.
  if (now > due + rules.lateTimerMs && !state.excused && endsSomething(state, now)) {
    return stay(putOff(state, now + rules.lateGraceMs));
  }
  if (state.moveUntil !== undefined && state.moveUntil <= now && isLive(state)) {
    const torn = teardown<N>(state, 'end');
    return prepend(torn.effects, signal(rules, torn.state, state.target, now, because('moved')));
  }
  if ('until' in state && state.until <= now) return timedOut(rules, state, stamp);
  if ('heart' in state && state.heart.nextAt <= now) return heartbeat(rules, state, stamp);
  if (state.phase === 'discovering') {
    const { udpGen, offer } = state;
    return {
      state: { ...state, retryAt: now + rules.discoveryRetryMs },
      effects: [{ type: 'sendDiscovery', udpGen, ssrc: offer.ssrc }],
    };
  }
  if (state.phase !== 'ready') return stay(state);
  const { probe } = state;
  if (probe !== undefined && probe.until <= now) return drop(rules, state, stamp, because('udpTimeout'));
  if (state.link.keepalive.nextAt <= now) return keepalive(rules, state, now);
  if (probe === undefined) return stay(state);
  return {
    state: { ...state, probe: { ...probe, retryAt: now + rules.discoveryRetryMs } },
    effects: [{ type: 'sendDiscovery', udpGen: state.udpGen, ssrc: state.link.offer.ssrc }],
  };
}

function timedOut<N>(rules: VoiceRules, state: Extract<Joined, { until: number }>, stamp: Stamp): Step<N> {
  switch (state.phase) {
    case 'signalling':
      return drop(rules, state, stamp, because('signallingTimeout'));
    case 'opening':
      return lose(rules, state, stamp, because('helloTimeout'), 'terminate');
    case 'identifying':
    case 'selecting':
      return drop(rules, state, stamp, because('answerTimeout'));
    case 'resuming':
      return lose(rules, state, stamp, because('answerTimeout'), 'terminate');
    case 'discovering':
      return drop(rules, state, stamp, because('discoveryTimeout'));
    case 'expelled': {
      if (state.moveUntil === undefined) return end(state, state.how, state.cause);
      // We were told where we are, not by which server.
      const torn = teardown<N>(state, 'end');
      return prepend(torn.effects, signal(rules, torn.state, state.target, stamp.now, because('moved')));
    }
    case 'waiting': {
      const { link, server, target } = state;
      if (link === undefined || server === undefined) {
        return signal(rules, state, target, stamp.now, because('retry'), state.afresh);
      }
      const next = { ...state, resumes: state.resumes + 1 };
      return open(rules, next, target, server.endpoint, link, stamp.now, because('retry'));
    }
  }
}

function heartbeat<N>(rules: VoiceRules, state: Beating, stamp: Stamp): Step<N> {
  const { heart } = state;
  if (heart.unansweredSince !== undefined) return lose(rules, state, stamp, because('heartbeatTimeout'), 'terminate');
  const { now } = stamp;
  return {
    state: { ...state, heart: { ...heart, nextAt: now + heart.everyMs, unansweredSince: now } },
    effects: [beatOf(state, now)],
  };
}

/** Whether a timer now would give someone up. */
function endsSomething(state: Joined, now: number): boolean {
  if (isLive(state) && 'until' in state && state.until <= now) return true;
  if (state.phase === 'signalling' && state.until <= now) return true;
  if (state.phase === 'ready' && state.probe !== undefined && state.probe.until <= now) return true;
  return 'heart' in state && state.heart.nextAt <= now && state.heart.unansweredSince !== undefined;
}

function putOff(state: Joined, until: number): VoiceState {
  const later = { ...state, excused: true };
  if ('until' in later) later.until = Math.max(later.until, until);
  if ('heart' in later && later.heart.unansweredSince !== undefined) {
    later.heart = { ...later.heart, nextAt: Math.max(later.heart.nextAt, until) };
  }
  if (later.phase === 'ready' && later.probe !== undefined) {
    later.probe = { ...later.probe, until: Math.max(later.probe.until, until) };
  }
  return later;
}
