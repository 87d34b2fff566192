/** Owns the small parts that every file of the state machine builds its steps of. */
import type { Stamp, Transition } from '@guildkit/core';
import type { VoiceControl } from './voice-frames.js';
import type {
  Common,
  In,
  Live,
  Target,
  VoiceCause,
  VoiceEffect,
  VoicePhase,
  VoiceReason,
  VoiceState,
} from './voice-types.js';

export type Step<News> = Transition<VoiceState, VoiceEffect<News>>;
export type Stamped<T> = T & Stamp;
export type Joined = Exclude<VoiceState, { phase: 'idle' }>;

const LIVE: ReadonlySet<VoicePhase> = new Set<VoicePhase>([
  'opening',
  'identifying',
  'discovering',
  'selecting',
  'ready',
  'resuming',
]);

/** Whether the state has a WebSocket that is of use. */
export function isLive(state: VoiceState): state is Live {
  return LIVE.has(state.phase);
}

export function signalling(state: VoiceState, target: Target, until: number, cause: VoiceCause): In<'signalling'> {
  return {
    ...common(state),
    phase: 'signalling',
    target,
    until,
    other: false,
    server: undefined,
    moveUntil: undefined,
    excused: false,
    cause,
  };
}

export function expelled(
  state: VoiceState,
  target: Target,
  cause: VoiceCause,
  rest: Pick<In<'expelled'>, 'until' | 'how' | 'left' | 'open'>,
): VoiceState {
  return { ...common(state), phase: 'expelled', target, ...rest, excused: false, cause };
}

/** What every phase knows, without what only some do. */
export function common(state: Common): Common {
  const { gen, udpGen, attempts, resumes, seqAck, voiceState, server, ownLeaves, moveUntil, excused, cause } = state;
  return { gen, udpGen, attempts, resumes, seqAck, voiceState, server, ownLeaves, moveUntil, excused, cause };
}

export function control<N>(state: { readonly gen: number }, message: VoiceControl): VoiceEffect<N> {
  return { type: 'send', gen: state.gen, control: message };
}

export function beatOf<N>(state: Live, now: number): VoiceEffect<N> {
  return control(state, { kind: 'heartbeat', nonce: Math.floor(now), seqAck: state.seqAck });
}

export function because(reason: VoiceReason, code?: number): VoiceCause {
  return { reason, code };
}

export function stay<N>(state: VoiceState): Step<N> {
  return { state, effects: [] };
}

export function drops<N>(state: VoiceState, what: 'duplicate' | 'unexpected'): Step<N> {
  return { state, effects: [{ type: 'drop', what }] };
}

export function prepend<N>(effects: readonly VoiceEffect<N>[], next: Step<N>): Step<N> {
  return { state: next.state, effects: [...effects, ...next.effects] };
}
