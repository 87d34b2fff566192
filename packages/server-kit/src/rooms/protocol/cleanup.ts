/**
 * Owns when an empty room is closed: looked at from time to time, announced, looked at once more, closed. Pure.
 *
 * watching → notice (it was announced) → closed; whoever arrives leads back to watching.
 */
import type { Reducer, Stamp, TimerInput } from '@guildkit/core';

/** Times of a cleanup, in ms. */
export interface CleanupTimes {
  /** Between two looks. */
  readonly lookEveryMs: number;
  /** How long nobody may be there. */
  readonly idleMs: number;
  /** From the announcement to the end. */
  readonly noticeMs: number;
}

/** What is known of a room's emptiness. */
export interface CleanupState {
  readonly nextLookAt: number;
  /** Nobody was there since. */
  readonly emptySince: number | undefined;
  /** It was announced that the room is closed then. */
  readonly closesAt: number | undefined;
  /** A look is under way. */
  readonly looking: boolean;
  readonly closed: boolean;
}

/** What happens to a room. */
export type CleanupInput =
  /** The answer to `look`. Who cannot be asked counts as there. */
  | { readonly type: 'looked'; readonly occupied: boolean }
  /** Someone came. */
  | { readonly type: 'arrived' }
  /** Someone asked for the room to stay. */
  | { readonly type: 'keep' };

/** What a cleanup wants done. */
export type CleanupEffect =
  | { readonly type: 'look' }
  | { readonly type: 'announce'; readonly inMs: number }
  | { readonly type: 'cancel' }
  | { readonly type: 'close' };

type Step = { readonly state: CleanupState; readonly effects: readonly CleanupEffect[] };

/** A room that was just opened. */
export function newCleanup({ lookEveryMs }: CleanupTimes, now: number): CleanupState {
  return { nextLookAt: now + lookEveryMs, emptySince: undefined, closesAt: undefined, looking: false, closed: false };
}

/** The state machine of a room's emptiness. */
export function createCleanupReducer(times: CleanupTimes): Reducer<CleanupState, CleanupInput, CleanupEffect> {
  return {
    step: (state, input) => (state.closed ? { state, effects: [] } : step(times, state, input)),
    deadline: ({ nextLookAt, looking, closed }) => (looking || closed ? undefined : nextLookAt),
  };
}

function step(times: CleanupTimes, state: CleanupState, input: (CleanupInput | TimerInput) & Stamp): Step {
  const { now } = input;
  switch (input.type) {
    case 'timer':
      if (state.looking || now < state.nextLookAt) return { state, effects: [] };
      return { state: { ...state, looking: true }, effects: [{ type: 'look' }] };
    case 'arrived':
      return awake(times, state, undefined, now);
    case 'keep':
      return awake(times, state, now, now);
    case 'looked':
      // A look that someone's arrival overtook says nothing.
      if (!state.looking) return { state, effects: [] };
      return input.occupied ? awake(times, state, undefined, now) : vacant(times, { ...state, looking: false }, now);
  }
}

function awake({ lookEveryMs }: CleanupTimes, state: CleanupState, emptySince: number | undefined, now: number): Step {
  return {
    state: { nextLookAt: now + lookEveryMs, emptySince, closesAt: undefined, looking: false, closed: false },
    effects: state.closesAt === undefined ? [] : [{ type: 'cancel' }],
  };
}

function vacant({ lookEveryMs, idleMs, noticeMs }: CleanupTimes, state: CleanupState, now: number): Step {
  // After an announcement the next look is the last.
  if (state.closesAt !== undefined) return { state: { ...state, closed: true }, effects: [{ type: 'close' }] };
  const emptySince = state.emptySince ?? now;
  if (now - emptySince < idleMs) return { state: { ...state, emptySince, nextLookAt: now + lookEveryMs }, effects: [] };
  const closesAt = now + noticeMs;
  return {
    state: { ...state, emptySince, closesAt, nextLookAt: closesAt },
    effects: [{ type: 'announce', inMs: noticeMs }],
  };
}
