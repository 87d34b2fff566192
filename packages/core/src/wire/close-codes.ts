/** Owns the hub's close codes and what a client does about each. */

/** What a client does after a close. */
export type CloseAction =
  /** Reconnect with backoff. */
  | 'reconnect'
  /** Reconnect with jitter; not a failed try. */
  | 'reconnectUncounted'
  /** Get a fresh token, try once more. */
  | 'refreshToken'
  /** Do not come back: the same would happen again. */
  | 'stop';

/** One row of {@link CLOSE_CODES}. */
export interface CloseCode {
  readonly name: string;
  readonly action: CloseAction;
}

/** Close codes of the hub, one per cause. Any code that is not listed: reconnect. */
export const CLOSE_CODES = {
  4400: { name: 'bad frame', action: 'stop' },
  4401: { name: 'unauthenticated', action: 'refreshToken' },
  4403: { name: 'not allowed', action: 'stop' },
  4408: { name: 'too slow', action: 'reconnect' },
  4413: { name: 'frame too large', action: 'reconnect' },
  4429: { name: 'too many frames or connections', action: 'reconnect' },
  4503: { name: 'draining', action: 'reconnectUncounted' },
} as const satisfies Record<number, CloseCode>;

/** A close code that the hub sends. */
export type HubCloseCode = keyof typeof CLOSE_CODES;

/** What a client does after a close with this code. */
export function closeActionOf(code: number): CloseAction {
  return Object.hasOwn(CLOSE_CODES, code) ? CLOSE_CODES[code as HubCloseCode].action : 'reconnect';
}
