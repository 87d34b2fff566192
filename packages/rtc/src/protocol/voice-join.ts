/**
 * Owns the way into a channel: what is asked of the main gateway and what it answers, in any order. Opens a voice gateway
 * when both halves are known, and again whenever they change.
 */

import { end, teardown } from './voice-loss.js';
import type { VoiceRules } from './voice-rules.js';
import {
  because,
  common,
  expelled,
  isLive,
  type Joined,
  prepend,
  type Stamped,
  type Step,
  signalling,
  stay,
} from './voice-steps.js';
import type { In, Link, Target, VoiceCause, VoiceEffect, VoiceInput, VoiceState } from './voice-types.js';

export function join<N>(rules: VoiceRules, state: VoiceState, target: Target, now: number): Step<N> {
  if (state.phase === 'idle') return signal(rules, { ...state, attempts: 0 }, target, now, because('connect'));
  if (state.target.channelId === target.channelId && state.phase !== 'expelled' && state.phase !== 'waiting') {
    const same = state.target.selfMute === target.selfMute && state.target.selfDeaf === target.selfDeaf;
    const effects: VoiceEffect<N>[] = same ? [] : [{ type: 'sendVoiceState', target }];
    return { state: { ...state, target }, effects };
  }
  const torn = teardown<N>(state, 'end');
  const fresh = { ...torn.state, attempts: 0, voiceState: undefined, moveUntil: undefined };
  return prepend(torn.effects, signal(rules, fresh, target, now, because('connect')));
}

/** Asks to be let in. The voice state is kept: an unchanged one may not be told again. */
export function signal<N>(
  rules: VoiceRules,
  state: VoiceState,
  target: Target,
  now: number,
  cause: VoiceCause,
  afresh = false,
): Step<N> {
  const leave: VoiceEffect<N>[] = afresh ? [{ type: 'sendVoiceState', target: null }] : [];
  return {
    state: {
      ...common(state),
      phase: 'signalling',
      target,
      until: now + rules.joinTimeoutMs,
      other: false,
      voiceState: afresh ? undefined : state.voiceState,
      server: undefined,
      ownLeaves: state.ownLeaves + (afresh ? 1 : 0),
      moveUntil: undefined,
      excused: false,
      cause,
    },
    effects: [...leave, { type: 'sendVoiceState', target }],
  };
}

export function voiceState<N>(
  rules: VoiceRules,
  state: VoiceState,
  input: Stamped<Extract<VoiceInput<N>, { type: 'voiceState' }>>,
): Step<N> {
  const { channelId, sessionId, now } = input;
  if (channelId === null) return leftChannel(rules, state, now);
  if (state.phase === 'idle') return stay(state);
  const isTarget = channelId === state.target.channelId;
  if (state.phase === 'signalling') {
    // Not asked for by this join, and nothing has answered it: of before.
    if (!isTarget && state.voiceState === undefined) return stay({ ...state, other: true, server: undefined });
    if (isTarget) return openWhenKnown(rules, { ...state, other: false, voiceState: { sessionId } }, now);
  }
  if (isTarget) {
    if (state.phase === 'expelled') {
      return stay({ ...state, left: false, voiceState: { sessionId }, until: now + rules.expelledTimeoutMs });
    }
    const changed = state.voiceState !== undefined && state.voiceState.sessionId !== sessionId;
    const next = { ...state, voiceState: { sessionId } };
    // What was presented to the voice server is void; a session that stands is left alone.
    if (changed && isUnproven(state)) return reopen(rules, next, now, because('sessionUpdate'));
    return stay(next);
  }
  const moved = {
    ...state,
    voiceState: { sessionId },
    target: { ...state.target, channelId },
  };
  const told: VoiceEffect<N> = { type: 'moved', from: state.target.channelId, to: channelId };
  switch (state.phase) {
    case 'signalling':
      return prepend([told], openWhenKnown(rules, { ...state, ...moved, phase: 'signalling', other: false }, now));
    case 'expelled':
      return {
        state: { ...state, ...moved, phase: 'expelled', left: false, until: now + rules.expelledTimeoutMs },
        effects: [told],
      };
    case 'waiting': {
      // What was to be resumed was of the other channel.
      const torn = teardown<N>(state, 'gone');
      return { state: { ...state, ...moved, phase: 'waiting', link: undefined }, effects: [...torn.effects, told] };
    }
    default:
      // The server update that comes with it opens the new session; the old one serves until then.
      return { state: { ...moved, moveUntil: now + rules.moveTimeoutMs } as VoiceState, effects: [told] };
  }
}

export function leftChannel<N>(rules: VoiceRules, state: VoiceState, now: number): Step<N> {
  if (state.ownLeaves > 0) {
    // What came before the leave belongs to what was left; what was asked for after it is still to come.
    const next = { ...state, ownLeaves: state.ownLeaves - 1, voiceState: undefined };
    if (next.phase === 'signalling') return stay({ ...next, server: undefined, other: false });
    if (!isLive(next)) return stay(next);
    const torn = teardown<N>(next, 'end');
    const until = now + rules.joinTimeoutMs;
    return { state: signalling(torn.state, next.target, until, because('removed')), effects: torn.effects };
  }
  switch (state.phase) {
    case 'idle':
      return stay(state);
    case 'signalling':
      if (state.voiceState === undefined) return stay({ ...state, other: false, server: undefined });
      return end({ ...state, voiceState: undefined }, 'kicked', because('removed'));
    case 'expelled':
      if (!state.open) return end({ ...state, voiceState: undefined }, state.how, because('removed'));
      return stay({ ...state, left: true, voiceState: undefined });
    case 'waiting':
      return end({ ...state, voiceState: undefined }, 'kicked', because('removed'));
    default: {
      // The close code that follows says why.
      const torn = teardown<N>(state, undefined);
      return {
        state: expelled({ ...torn.state, voiceState: undefined }, state.target, because('removed'), {
          until: now + rules.leftGraceMs,
          how: 'kicked',
          left: true,
          open: true,
        }),
        effects: torn.effects,
      };
    }
  }
}

export function voiceServer<N>(
  rules: VoiceRules,
  state: VoiceState,
  input: Stamped<Extract<VoiceInput<N>, { type: 'voiceServer' }>>,
): Step<N> {
  if (state.phase === 'idle') return stay(state);
  const { token, endpoint, now } = input;
  if (endpoint === null) {
    // Docs, Gateway Events: Voice Server Update: disconnect, and wait for a new server. Nothing is to be asked for.
    if (state.phase === 'signalling') {
      return stay({ ...state, server: undefined, until: now + rules.reallocationTimeoutMs });
    }
    const torn = teardown<N>(state, 'end');
    const until = now + rules.reallocationTimeoutMs;
    return { state: signalling(torn.state, state.target, until, because('serverGone')), effects: torn.effects };
  }
  const server = { token, endpoint };
  if (state.phase === 'signalling') {
    return state.other ? stay(state) : openWhenKnown(rules, { ...state, server }, now);
  }
  const known = state.server;
  const isSame = known !== undefined && known.endpoint === endpoint && known.token.reveal() === token.reveal();
  // After a 4014 whatever comes makes it a move; else the same again says nothing new.
  if (isSame && state.phase !== 'expelled') return stay(state);
  return reopen(rules, { ...state, server }, now, because('serverUpdate'));
}

/** Opens a new session with what is known now, whatever there was. */
export function reopen<N>(rules: VoiceRules, state: Joined, now: number, cause: VoiceCause): Step<N> {
  const { server } = state;
  const torn = teardown<N>(state, 'end');
  const until = now + rules.joinTimeoutMs;
  const waiting = { ...signalling(torn.state, state.target, until, cause), server };
  return prepend(torn.effects, openWhenKnown(rules, waiting, now, cause));
}

export function openWhenKnown<N>(
  rules: VoiceRules,
  state: In<'signalling'>,
  now: number,
  cause: VoiceCause = because('signalled'),
): Step<N> {
  if (state.voiceState === undefined || state.server === undefined) return stay(state);
  const fresh = { ...state, seqAck: -1, resumes: 0, moveUntil: undefined };
  return open(rules, fresh, state.target, state.server.endpoint, undefined, now, cause);
}

export function open<N>(
  rules: VoiceRules,
  state: VoiceState,
  target: Target,
  endpoint: string,
  link: Link | undefined,
  now: number,
  cause: VoiceCause,
): Step<N> {
  const gen = state.gen + 1;
  return {
    state: {
      ...common(state),
      phase: 'opening',
      gen,
      target,
      link,
      until: now + rules.helloTimeoutMs,
      excused: false,
      cause,
    },
    effects: [{ type: 'openSocket', gen, endpoint }],
  };
}

/** Whether credentials were shown to the voice server, and no session stands on them yet. */
function isUnproven(state: Joined): boolean {
  switch (state.phase) {
    case 'opening':
      return state.link === undefined;
    case 'identifying':
    case 'discovering':
      return true;
    case 'selecting':
      return state.cause.reason !== 'addressChanged';
    default:
      return false;
  }
}
