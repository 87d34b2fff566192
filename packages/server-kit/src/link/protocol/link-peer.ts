/**
 * Owns one connection at the gateway service's end: it greets with `resume`, lives as long as something is heard, and is
 * closed for one reason. Pure.
 */
import type { Reducer, Stamp, TimerInput } from '@guildkit/core';
import type { LinkErrorCode } from '../errors.js';
import type { LinkClientFrame, LinkCommandFrame } from './frames.js';

/** Bounds of a connection. */
export interface PeerLimits {
  /** The first frame is due within. */
  readonly greetTimeoutMs: number;
  /** Something must be heard within. */
  readonly silenceMs: number;
}

/** What is known of a connection. */
export interface PeerState {
  readonly phase: 'greeting' | 'live' | 'closed';
  readonly closeBy: number;
}

/** What happens to a connection. */
export type PeerInput =
  | { readonly type: 'frame'; readonly frame: LinkClientFrame | undefined }
  /** More waits to be sent than may. */
  | { readonly type: 'overflowed' }
  | { readonly type: 'gone' }
  | { readonly type: 'drain' };

/** What a connection wants done. */
export type PeerEffect =
  | {
      readonly type: 'resume';
      readonly epoch: string | undefined;
      readonly seq: number;
      readonly pending: readonly string[];
    }
  | { readonly type: 'run'; readonly command: LinkCommandFrame }
  | { readonly type: 'pong' }
  | { readonly type: 'refuse'; readonly code: LinkErrorCode }
  | { readonly type: 'close'; readonly code: number; readonly cause: LinkErrorCode }
  /** It is over: events are not for it any more. */
  | { readonly type: 'leave' };

type Step = { readonly state: PeerState; readonly effects: readonly PeerEffect[] };

/** A connection that was just accepted. */
export function newPeer({ greetTimeoutMs }: PeerLimits, now: number): PeerState {
  return { phase: 'greeting', closeBy: now + greetTimeoutMs };
}

/** The state machine of a connection. */
export function createPeerReducer(limits: PeerLimits): Reducer<PeerState, PeerInput, PeerEffect> {
  return {
    step: (state, input) => (state.phase === 'closed' ? { state, effects: [] } : step(limits, state, input)),
    deadline: ({ phase, closeBy }) => (phase === 'closed' ? undefined : closeBy),
  };
}

function step(limits: PeerLimits, state: PeerState, input: (PeerInput | TimerInput) & Stamp): Step {
  switch (input.type) {
    case 'timer':
      return input.now >= state.closeBy ? end(4408, 'ERR_LINK_CONNECTION_SILENT') : { state, effects: [] };
    case 'overflowed':
      return end(4408, 'ERR_LINK_CONNECTION_SLOW');
    case 'drain':
      return end(4503, 'ERR_LINK_CLOSED');
    case 'gone':
      return { state: { ...state, phase: 'closed' }, effects: [{ type: 'leave' }] };
    case 'frame':
      return onFrame(
        { ...state, closeBy: state.phase === 'live' ? input.now + limits.silenceMs : state.closeBy },
        input.frame,
        input.now + limits.silenceMs,
      );
  }
}

function onFrame(state: PeerState, frame: LinkClientFrame | undefined, closeBy: number): Step {
  if (frame === undefined) return { state, effects: [{ type: 'refuse', code: 'ERR_LINK_FRAME_MALFORMED' }] };
  if (frame.type === 'resume') {
    const { epoch, seq = 0, pending } = frame;
    return { state: { phase: 'live', closeBy }, effects: [{ type: 'resume', epoch, seq, pending }] };
  }
  // Whoever has not said where it stands would miss events.
  if (state.phase === 'greeting') return end(4400, 'ERR_LINK_FRAME_MALFORMED');
  return { state, effects: [frame.type === 'ping' ? { type: 'pong' } : { type: 'run', command: frame }] };
}

function end(code: number, cause: LinkErrorCode): Step {
  return { state: { phase: 'closed', closeBy: 0 }, effects: [{ type: 'close', code, cause }, { type: 'leave' }] };
}
