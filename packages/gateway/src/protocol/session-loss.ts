/**
 * Owns how a session loses its connection: what is said to the socket, whether the session is kept, how long until the
 * next try, and the end for good. Refuses the way back: `session.ts` has it.
 */
import { backoffDelay, type Stamp } from '@guildkit/core';
import { refusalDelay } from './close-codes.js';
import { emptied, onSocketGone, waitingIn } from './outbox.js';
import { common, isLive, reject, type Stamped, type Step } from './session-parts.js';
import type { SessionRules } from './session-rules.js';
import type { Live, Session, SessionCause, SessionEffect, SessionReason, SessionState } from './session-types.js';

/** Why and how. */
interface Loss {
  readonly reason: SessionReason;
  readonly code?: number | undefined;
  /** Left out when the socket is gone already. */
  readonly close?: 'terminate' | 'keep' | 'end' | undefined;
  readonly newSession?: boolean | undefined;
  readonly minDelayMs?: number | undefined;
  /** `minDelayMs` is all there is to wait. */
  readonly noBackoff?: boolean | undefined;
  /** Without delay, unless tries have failed before. */
  readonly atOnce?: boolean | undefined;
}

/** Lets go of the connection and waits for the next try. */
export function drop<P>(rules: SessionRules, state: Live, stamp: Stamp, loss: Loss): Step<P> {
  const { now, random } = stamp;
  const cause: SessionCause = { reason: loss.reason, code: loss.code };
  const effects: SessionEffect<P>[] = [];
  if (state.phase === 'awaitingPermit') effects.push({ type: 'cancelPermit', gen: state.gen });
  if (loss.close !== undefined) effects.push({ type: 'closeSocket', gen: state.gen, how: loss.close });
  const session = loss.newSession === true ? undefined : state.session;
  if (state.session !== undefined && session === undefined) effects.push({ type: 'sessionLost' });
  const attempts = state.attempts + 1;
  if (attempts === rules.alertAfterAttempts) effects.push({ type: 'alert', attempts, cause });
  const noBackoff = loss.noBackoff === true || (loss.atOnce === true && state.attempts === 0);
  const backoffMs = noBackoff ? 0 : backoffDelay(state.attempts, random, rules.backoff);
  const delayMs = Math.max(loss.minDelayMs ?? 0, backoffMs);
  return {
    state: {
      ...common(state),
      phase: 'waiting',
      until: now + delayMs,
      attempts,
      session,
      outbox: onSocketGone(state.outbox),
      outage: state.outage ?? { since: now, told: false },
      cause,
    },
    effects,
  };
}

/** The upgrade was answered with an HTTP status. */
export function refused<P>(
  rules: SessionRules,
  state: Live,
  input: Stamped<{ status: number; retryAfterMs: number | undefined }>,
): Step<P> {
  const cause: SessionCause = { reason: 'upgradeRefused', code: input.status };
  const delay = refusalDelay(input.status);
  if (delay === 'never') return end(state, cause, true);
  const minDelayMs = delay === 'cap' ? rules.backoff.capMs : delay === 'retryAfter' ? (input.retryAfterMs ?? 0) : 0;
  return drop(rules, state, input, {
    ...cause,
    close: 'terminate',
    minDelayMs: Math.min(minDelayMs, rules.maxRetryAfterMs),
  });
}

/**
 * A number was skipped. First ask for the missing ones by resuming from the last one; if they still do not come,
 * they are gone and a new session brings the present state. Soon after that, only report.
 */
export function foundGap<P>(
  rules: SessionRules,
  state: Live,
  session: Session,
  received: number,
  stamp: Stamp,
): { mend: Step<P> | undefined; effects: SessionEffect<P>[] } {
  const expected = session.seq + 1;
  if (state.gapRestUntil !== undefined && stamp.now < state.gapRestUntil) {
    return { mend: undefined, effects: [{ type: 'gap', expected, received, recovery: 'none' }] };
  }
  const newSession = state.gapAt === expected;
  const next: Live = newSession
    ? { ...state, gapAt: undefined, gapRestUntil: stamp.now + rules.gapRestMs }
    : { ...state, gapAt: expected, gapRestUntil: undefined };
  const lost = drop<P>(rules, next, stamp, {
    reason: 'sequenceGap',
    close: newSession ? 'end' : 'keep',
    newSession,
    // The first of a session; a server that skips again and again is not asked again and again.
    atOnce: state.gapAt === undefined,
  });
  const recovery = newSession ? 'identify' : 'resume';
  return {
    mend: { state: lost.state, effects: [{ type: 'gap', expected, received, recovery }, ...lost.effects] },
    effects: [],
  };
}

/** The last transition there is. */
export function end<P>(state: SessionState, cause: SessionCause, fatal: boolean): Step<P> {
  const effects: SessionEffect<P>[] = [];
  if (state.phase === 'awaitingPermit') effects.push({ type: 'cancelPermit', gen: state.gen });
  if (isLive(state) && cause.reason !== 'socketClosed') {
    effects.push({ type: 'closeSocket', gen: state.gen, how: cause.reason === 'detachCalled' ? 'keep' : 'end' });
  }
  for (const { id } of waitingIn(state.outbox)) effects.push(reject(id, 'closed'));
  const session = cause.reason === 'detachCalled' ? state.session : undefined;
  if (state.session !== undefined && session === undefined) effects.push({ type: 'sessionLost' });
  effects.push({ type: 'ended', fatal, cause });
  return {
    state: { ...common(state), phase: 'closed', session, outbox: emptied(state.outbox), outage: undefined, cause },
    effects,
  };
}
