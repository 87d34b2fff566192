/** Owns the delay before the next try. Pure: the random number comes in from outside. */

/** Shape of an exponential backoff. */
export interface BackoffPolicy {
  /** Upper bound of the first delay, in ms; doubles with each try. */
  readonly baseMs: number;
  /** Largest upper bound, in ms. */
  readonly capMs: number;
  /** Smallest delay, in ms: keeps full jitter from retrying at once. */
  readonly minMs?: number | undefined;
}

/**
 * Exponential backoff with full jitter: a delay spread evenly over `[minMs, min(capMs, baseMs·2^attempt)]`,
 * so that clients cut off together do not come back together
 * (AWS Architecture Blog, "Exponential Backoff And Jitter").
 *
 * @param attempt Failed tries before this one, from 0.
 * @param random A number in `[0, 1)`.
 * @returns Whole milliseconds.
 */
export function backoffDelay(attempt: number, random: number, policy: BackoffPolicy): number {
  // 2^30 · 1 ms is over twelve days; more would only overflow.
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(Math.max(attempt, 0), 30));
  const floor = Math.min(policy.minMs ?? 0, ceiling);
  return Math.floor(floor + random * (ceiling - floor));
}
