/** Owns how things end: the socket, the session, the connection; and what is closed with them. */
import { backoffDelay, type Stamp } from '@guildkit/core';
import type { VoiceRules } from './voice-rules.js';
import { common, isLive, type Joined, type Step } from './voice-steps.js';
import type { EndCause, Live, VoiceCause, VoiceEffect, VoiceState } from './voice-types.js';

/** The WebSocket is lost; the session on UDP may go on. */
export function lose<N>(
  rules: VoiceRules,
  state: Live,
  stamp: Stamp,
  cause: VoiceCause,
  socket: 'gone' | 'terminate',
): Step<N> {
  const link = 'link' in state ? state.link : undefined;
  if (link === undefined || state.resumes >= rules.maxResumes || state.moveUntil !== undefined) {
    return drop(rules, state, stamp, cause, socket);
  }
  const attempts = failures(rules, state, stamp.now);
  const closing: VoiceEffect<N>[] =
    socket === 'gone' ? [] : [{ type: 'closeSocket', gen: state.gen, how: 'terminate' }];
  return {
    state: {
      ...common(state),
      phase: 'waiting',
      target: state.target,
      link,
      afresh: false,
      attempts: attempts + 1,
      until: stamp.now + backoffDelay(attempts, stamp.random, rules.backoff),
      excused: false,
      cause,
    },
    effects: [...closing, ...alert<N>(rules, attempts + 1, cause)],
  };
}

/** The session is lost: signalled again after a while. */
export function drop<N>(
  rules: VoiceRules,
  state: Joined,
  stamp: Stamp,
  cause: VoiceCause,
  socket: 'gone' | 'terminate' | 'end' = 'end',
): Step<N> {
  const attempts = failures(rules, state, stamp.now);
  const torn = teardown<N>(state, socket);
  return {
    state: {
      ...common(torn.state),
      phase: 'waiting',
      target: state.target,
      link: undefined,
      // Nothing came where something had to: perhaps because nothing changed.
      afresh: cause.reason === 'signallingTimeout',
      attempts: attempts + 1,
      moveUntil: undefined,
      until: stamp.now + backoffDelay(attempts, stamp.random, rules.backoff),
      excused: false,
      cause,
    },
    effects: [...torn.effects, ...alert<N>(rules, attempts + 1, cause)],
  };
}

/** Failed tries that still count. */
export function failures(rules: VoiceRules, state: Joined, now: number): number {
  const link = 'link' in state ? state.link : undefined;
  return link !== undefined && now - link.readySince >= rules.stableAfterMs ? 0 : state.attempts;
}

export function alert<N>(rules: VoiceRules, attempts: number, cause: VoiceCause): VoiceEffect<N>[] {
  return attempts === rules.alertAfterAttempts ? [{ type: 'alert', attempts, cause }] : [];
}

export function end<N>(state: Joined, how: EndCause, cause: VoiceCause, socketGone = false): Step<N> {
  const torn = teardown<N>(state, socketGone ? 'gone' : 'end');
  // The gateway has said that we are out: there is nothing to leave.
  const isOut = how !== 'closed' && how !== 'fatal' && state.voiceState === undefined;
  const leave: VoiceEffect<N>[] = isOut ? [] : [{ type: 'sendVoiceState', target: null }];
  return {
    state: {
      ...common(torn.state),
      phase: 'idle',
      attempts: 0,
      voiceState: undefined,
      server: undefined,
      ownLeaves: state.ownLeaves + leave.length,
      moveUntil: undefined,
      excused: false,
      cause,
    },
    effects: [...torn.effects, ...leave, { type: 'ended', how, cause }],
  };
}

/** Closes what is open. `socket`: what becomes of the WebSocket, `gone` if it has ended, `undefined` to leave it open. */
export function teardown<N>(
  state: Joined,
  socket: 'gone' | 'terminate' | 'end' | undefined,
): { state: VoiceState; effects: VoiceEffect<N>[] } {
  const effects: VoiceEffect<N>[] = [];
  const hasSocket = isLive(state) || (state.phase === 'expelled' && state.open);
  if (hasSocket && socket !== 'gone' && socket !== undefined) {
    effects.push({ type: 'closeSocket', gen: state.gen, how: socket });
  }
  if (hasUdp(state)) effects.push({ type: 'closeUdp', udpGen: state.udpGen });
  if (hasMedia(state)) effects.push({ type: 'sessionLost' });
  return { state, effects };
}

export function hasUdp(state: VoiceState): boolean {
  switch (state.phase) {
    case 'discovering':
    case 'selecting':
    case 'ready':
    case 'resuming':
      return true;
    case 'opening':
    case 'waiting':
      return state.link !== undefined;
    default:
      return false;
  }
}

/** Whether media was told of a session that it may still use. */
export function hasMedia(state: VoiceState): boolean {
  if (state.phase === 'selecting') return state.cause.reason === 'addressChanged';
  return 'link' in state && state.link !== undefined;
}
