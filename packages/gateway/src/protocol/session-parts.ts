/** Owns what the steps of a session are made of. Refuses decisions. */
import type { Stamp, Transition } from '@guildkit/core';
import type { ControlFrame } from './frames.js';
import type { Common, Live, SendRefusal, SessionEffect, SessionState } from './session-types.js';

/** What one input does. */
export type Step<Payload> = Transition<SessionState, SessionEffect<Payload>>;
/** With the time and randomness of its step. */
export type Stamped<T> = T & Stamp;

/** What every phase knows, for the next one. */
export function common(state: SessionState): Common {
  const { gen, attempts, session, outbox, outage, gapAt, gapRestUntil, cause } = state;
  return { gen, attempts, session, outbox, outage, gapAt, gapRestUntil, excused: false, cause };
}

/** Whether there is a socket. */
export function isLive(state: SessionState): state is Live {
  return state.phase !== 'idle' && state.phase !== 'waiting' && state.phase !== 'closed';
}

/** A frame of the session's own. */
export function control(
  state: SessionState,
  sent: ControlFrame,
): Extract<SessionEffect<never>, { type: 'sendControl' }> {
  return { type: 'sendControl', gen: state.gen, frame: sent };
}

/** A send that comes to nothing. */
export function reject(id: number, refusal: SendRefusal): Extract<SessionEffect<never>, { type: 'rejectSend' }> {
  return { type: 'rejectSend', id, refusal };
}

/** A dispatch that does not belong here. */
export function unexpected<P>(state: SessionState): Step<P> {
  return { state, effects: [{ type: 'drop', what: 'unexpected' }] };
}

const NONE: readonly never[] = [];

/** Nothing happens. */
export function stay(state: SessionState): { state: SessionState; effects: readonly never[] } {
  return { state, effects: NONE };
}
