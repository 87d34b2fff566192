/**
 * Owns how many frames may leave in a time (Discord docs, Gateway: Rate Limiting): in any window, not in windows that
 * begin by the clock. Refuses to know what the frames are.
 */

/** So many in any stretch of that length. */
export interface SendLimit {
  readonly limit: number;
  readonly windowMs: number;
}

/** When frames left, oldest first. What is too old or too many to matter is left out. */
export type SendLog = readonly number[];

/** The log with one more frame. */
export function logged(log: SendLog, { limit, windowMs }: SendLimit, now: number): SendLog {
  return [...log.filter((at) => at > now - windowMs), now].slice(-limit);
}

/**
 * When `most` of them, or fewer, have left in the window: from then on another may.
 *
 * @returns `-Infinity` when that has been so all along.
 */
export function freeAt(log: SendLog, windowMs: number, most: number): number {
  const oldest = log[log.length - most];
  return oldest === undefined ? Number.NEGATIVE_INFINITY : oldest + windowMs;
}

/**
 * How many payloads of the user fit into the limit beside the session's own frames.
 *
 * @param spareBeats Beats that the server may ask for beside the regular ones.
 */
export function payloadLimit({ limit, windowMs }: SendLimit, heartbeatMs: number, spareBeats: number): number {
  const room = limit - Math.ceil(windowMs / heartbeatMs) - spareBeats;
  // A server that wants a beat every half second counts them differently: half of the limit is for payloads.
  return Math.max(room, Math.floor(limit / 2));
}
