/** Owns the arithmetic of a token bucket. Pure: any store that can do this in one step will do. */

/** How fast a bucket fills, and how much it holds. */
export interface BucketLimit {
  /** Tokens that come in each `perMs`. */
  readonly tokens: number;
  readonly perMs: number;
  /** Most tokens it holds: what may be taken at once after a pause. */
  readonly burst: number;
}

/** A bucket's content at a time, in ms of any steady clock. */
export interface BucketState {
  readonly tokens: number;
  readonly at: number;
}

/** What became of taking. */
export interface BucketResult {
  readonly allowed: boolean;
  /** Whole tokens left. */
  readonly remaining: number;
  /** When so many tokens will be there, in ms; 0 when they were taken. */
  readonly retryAfterMs: number;
}

/** Rounding in floating point must not cost a token that is due. */
const EPSILON = 1e-9;

/** The content now. `undefined`: never used, so full. A clock that went back fills nothing. */
export function refill(limit: BucketLimit, state: BucketState | undefined, now: number): BucketState {
  if (state === undefined) return { tokens: limit.burst, at: now };
  const gained = (Math.max(0, now - state.at) * limit.tokens) / limit.perMs;
  return { tokens: Math.min(limit.burst, state.tokens + gained), at: Math.max(now, state.at) };
}

/** Takes tokens, or says when. Refused takes cost nothing. */
export function take(
  limit: BucketLimit,
  state: BucketState | undefined,
  cost: number,
  now: number,
): { readonly state: BucketState; readonly result: BucketResult } {
  const filled = refill(limit, state, now);
  const left = filled.tokens - cost;
  if (left >= -EPSILON) {
    const tokens = Math.max(0, left);
    return { state: { ...filled, tokens }, result: { allowed: true, remaining: whole(tokens), retryAfterMs: 0 } };
  }
  const waitMs = Math.ceil(((-left - EPSILON) * limit.perMs) / limit.tokens);
  return {
    state: filled,
    result: { allowed: false, remaining: whole(filled.tokens), retryAfterMs: Math.max(1, waitMs) },
  };
}

/** Puts tokens back: what they were taken for did not happen. */
export function give(limit: BucketLimit, state: BucketState | undefined, cost: number, now: number): BucketState {
  const filled = refill(limit, state, now);
  return { ...filled, tokens: Math.min(limit.burst, filled.tokens + cost) };
}

/** Whether a bucket is as if it had never been used. */
export function isFull(limit: BucketLimit, state: BucketState, now: number): boolean {
  return refill(limit, state, now).tokens >= limit.burst - EPSILON;
}

function whole(tokens: number): number {
  return Math.floor(tokens + EPSILON);
}
