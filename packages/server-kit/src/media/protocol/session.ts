/**
 * Owns the control plane of one media connection: who it is, whether it has a seat, whether it lives, why it ends. Pure:
 * time comes in with each input.
 *
 * opening (the upgrade's own proof is looked at) → authenticating → seating → open → closed.
 */
import type { Reducer, Stamp, TimerInput, Transition } from '@guildkit/core';
import type { Principal } from '../../principal.js';
import type { MediaErrorCode } from '../errors.js';

/** Settings of a session, in ms. */
export interface MediaSessionLimits {
  readonly authTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly pongTimeoutMs: number;
}

/** State of a session. */
export interface MediaSession {
  readonly phase: 'opening' | 'authenticating' | 'seating' | 'open' | 'closed';
  readonly principal: Principal | undefined;
  /** The proof that is being looked at. */
  readonly attempt: number | undefined;
  readonly attempts: number;
  readonly authBy: number | undefined;
  readonly endsAt: number | undefined;
  readonly pingAt: number | undefined;
  readonly pongBy: number | undefined;
}

/** What happens to a session. */
export type MediaInput =
  | { readonly type: 'opened' }
  | { readonly type: 'auth'; readonly token: string }
  | {
      readonly type: 'authenticated';
      readonly attempt: number;
      readonly principal: Principal;
      readonly expiresInMs: number;
      /** `false`: the user has too many connections. */
      readonly admitted: boolean;
    }
  | { readonly type: 'authFailed'; readonly attempt: number; readonly unavailable: boolean }
  | { readonly type: 'seated' }
  | {
      readonly type: 'unseated';
      readonly cause: 'ERR_MEDIA_SEAT_UNAVAILABLE' | 'ERR_MEDIA_SEAT_FAILED' | 'ERR_MEDIA_SEAT_ENDED';
    }
  | { readonly type: 'pong' }
  /** The page did what it may not. */
  | { readonly type: 'broken'; readonly code: MediaCloseCode; readonly cause: MediaErrorCode }
  | { readonly type: 'drain' }
  | { readonly type: 'socketClosed' };

/** The close codes that are used: the hub's, and 1013 for "try again later". */
export type MediaCloseCode = 4400 | 4401 | 4403 | 4408 | 4413 | 4429 | 4503 | 1013;

/** What a session wants done, in this order. */
export type MediaEffect =
  | { readonly type: 'authenticate'; readonly attempt: number; readonly token: string | undefined }
  | { readonly type: 'takeSeat'; readonly principal: Principal }
  | { readonly type: 'ready' }
  | { readonly type: 'ping' }
  | { readonly type: 'close'; readonly code: MediaCloseCode; readonly cause: MediaErrorCode }
  /** The last effect of every session: give back the seat and the user's place. */
  | { readonly type: 'release' };

type Step = Transition<MediaSession, MediaEffect>;

/** The state before `opened`. */
export function newMediaSession(limits: MediaSessionLimits, now: number): MediaSession {
  return {
    phase: 'opening',
    principal: undefined,
    attempt: undefined,
    attempts: 0,
    authBy: now + limits.authTimeoutMs,
    endsAt: undefined,
    pingAt: undefined,
    pongBy: undefined,
  };
}

/** The state machine of a media connection. */
export function createMediaReducer(limits: MediaSessionLimits): Reducer<MediaSession, MediaInput, MediaEffect> {
  return { step: (state, input) => step(limits, state, input), deadline };
}

function deadline({ phase, authBy, endsAt, pingAt, pongBy }: MediaSession): number | undefined {
  if (phase === 'closed') return undefined;
  const times = [authBy, endsAt, pongBy ?? pingAt].filter((time) => time !== undefined && Number.isFinite(time));
  return times.length === 0 ? undefined : Math.min(...(times as number[]));
}

function step(limits: MediaSessionLimits, state: MediaSession, input: (MediaInput | TimerInput) & Stamp): Step {
  if (state.phase === 'closed') return stay(state);
  switch (input.type) {
    case 'opened':
      return ask(state, undefined);
    case 'auth':
      // One at a time: a page that asks again while it is asked for gains nothing.
      if (state.attempt !== undefined) return fail(state, 4429, 'ERR_MEDIA_FRAME_RATE');
      return ask({ ...state, authBy: input.now + limits.authTimeoutMs }, input.token);
    case 'authenticated':
      return input.attempt === state.attempt ? onAuthenticated(state, input) : stay(state);
    case 'authFailed':
      return input.attempt === state.attempt ? onAuthFailed(limits, state, input) : stay(state);
    case 'seated': {
      if (state.phase !== 'seating') return stay(state);
      const open: MediaSession = { ...state, phase: 'open', pingAt: input.now + limits.heartbeatMs };
      return { state: open, effects: [{ type: 'ready' }] };
    }
    case 'unseated':
      return fail(state, 1013, input.cause);
    case 'pong':
      return state.pongBy === undefined ? stay(state) : stay({ ...state, pongBy: undefined });
    case 'broken':
      return fail(state, input.code, input.cause);
    case 'drain':
      return fail(state, 4503, 'ERR_MEDIA_DRAINING');
    case 'socketClosed':
      return end(state, []);
    case 'timer':
      return onTimer(limits, state, input.now);
  }
}

function onTimer(limits: MediaSessionLimits, state: MediaSession, now: number): Step {
  const { authBy, endsAt, pingAt, pongBy, attempt } = state;
  if (isDue(authBy, now)) {
    if (state.principal !== undefined) return stay({ ...state, attempt: undefined, authBy: undefined });
    // While `authenticate` is asked the page has done its part.
    return attempt === undefined
      ? fail(state, 4401, 'ERR_MEDIA_AUTH_TIMEOUT')
      : fail(state, 1013, 'ERR_MEDIA_AUTH_UNAVAILABLE');
  }
  if (isDue(endsAt, now)) return fail(state, 4401, 'ERR_MEDIA_AUTH_EXPIRED');
  if (pongBy !== undefined) return isDue(pongBy, now) ? fail(state, 4408, 'ERR_MEDIA_CONNECTION_SLOW') : stay(state);
  if (!isDue(pingAt, now)) return stay(state);
  const next = { ...state, pingAt: now + limits.heartbeatMs, pongBy: now + limits.pongTimeoutMs };
  return { state: next, effects: [{ type: 'ping' }] };
}

function ask(state: MediaSession, token: string | undefined): Step {
  const attempt = state.attempts + 1;
  return { state: { ...state, attempts: attempt, attempt }, effects: [{ type: 'authenticate', attempt, token }] };
}

function onAuthenticated(
  state: MediaSession,
  { principal, expiresInMs, admitted, now }: Extract<MediaInput, { type: 'authenticated' }> & Stamp,
): Step {
  const before = state.principal;
  if (expiresInMs <= 0) return fail(state, 4401, 'ERR_MEDIA_AUTH_EXPIRED');
  if (!admitted) return fail(state, 4429, 'ERR_MEDIA_CONNECTION_LIMIT');
  if (before !== undefined && before.userId !== principal.userId) return fail(state, 4401, 'ERR_MEDIA_AUTH_REFUSED');
  const known: MediaSession = { ...state, principal, attempt: undefined, authBy: undefined, endsAt: now + expiresInMs };
  if (before !== undefined) return stay(known);
  return { state: { ...known, phase: 'seating' }, effects: [{ type: 'takeSeat', principal }] };
}

function onAuthFailed(
  limits: MediaSessionLimits,
  state: MediaSession,
  { unavailable, now }: Extract<MediaInput, { type: 'authFailed' }> & Stamp,
): Step {
  // A refused renewal costs nothing yet: the proof that was given before still holds until it ends.
  if (state.principal !== undefined) return stay({ ...state, attempt: undefined, authBy: undefined });
  if (unavailable) return fail(state, 1013, 'ERR_MEDIA_AUTH_UNAVAILABLE');
  if (state.phase !== 'opening') return fail(state, 4401, 'ERR_MEDIA_AUTH_REFUSED');
  return stay({ ...state, phase: 'authenticating', attempt: undefined, authBy: now + limits.authTimeoutMs });
}

function isDue(time: number | undefined, now: number): boolean {
  return time !== undefined && now >= time;
}

function stay(state: MediaSession): Step {
  return { state, effects: [] };
}

function fail(state: MediaSession, code: MediaCloseCode, cause: MediaErrorCode): Step {
  return end(state, [{ type: 'close', code, cause }]);
}

function end(state: MediaSession, effects: readonly MediaEffect[]): Step {
  const closed: MediaSession = {
    ...state,
    phase: 'closed',
    attempt: undefined,
    authBy: undefined,
    endsAt: undefined,
    pingAt: undefined,
    pongBy: undefined,
  };
  return { state: closed, effects: [...effects, { type: 'release' }] };
}
