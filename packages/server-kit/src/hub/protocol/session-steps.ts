/** Owns the smallest steps of a session, above all how one ends. */
import type { HubErrorCode } from '../../errors.js';
import type {
  SessionCloseCode,
  SessionEffect,
  SessionState,
  SessionStep,
  SessionSubscription,
} from './session-types.js';

/** A client that was told to come back is asked to wait this long. */
export const RETRY_AFTER_MS = 1_000;

export function stay(state: SessionState): SessionStep {
  return { state, effects: [] };
}

export function go(state: SessionState, effect: SessionEffect): SessionStep {
  return { state, effects: [effect] };
}

export function refusal(
  code: HubErrorCode,
  re: string | undefined,
  room?: string,
): Extract<SessionEffect, { type: 'refuse' }> {
  return { type: 'refuse', code, re, ...(room === undefined ? {} : { room }) };
}

export function withSub(state: SessionState, room: string, sub: SessionSubscription): SessionState {
  return { ...state, subscriptions: new Map(state.subscriptions).set(room, sub) };
}

export function withoutSub(state: SessionState, room: string): SessionState {
  const subscriptions = new Map(state.subscriptions);
  subscriptions.delete(room);
  return { ...state, subscriptions };
}

export function tooSlow(state: SessionState): SessionStep {
  // No error frame: it would only join the queue that is not read.
  return end(state, [
    { type: 'count', code: 'ERR_HUB_CONNECTION_SLOW' },
    { type: 'close', code: 4408, cause: 'ERR_HUB_CONNECTION_SLOW' },
  ]);
}

export function fail(
  state: SessionState,
  code: SessionCloseCode,
  cause: HubErrorCode,
  { re, retryAfterMs }: { readonly re?: string | undefined; readonly retryAfterMs?: number | undefined } = {},
): SessionStep {
  const said = { ...refusal(cause, re), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return end(state, [said, { type: 'close', code, cause }]);
}

export function end(state: SessionState, effects: readonly SessionEffect[]): SessionStep {
  const closed: SessionState = {
    ...state,
    phase: 'closed',
    auth: undefined,
    authBy: undefined,
    expiry: undefined,
    heartbeat: undefined,
    closeAt: undefined,
    subscriptions: new Map(),
    commands: new Map(),
  };
  return { state: closed, effects: [...effects, { type: 'release' }] };
}
