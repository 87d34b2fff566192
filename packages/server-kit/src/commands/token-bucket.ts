/** Owns token buckets by key, over a store. */
import { type Clock, check, resolveOptions, systemClock } from '@guildkit/core';
import { type BucketLimit, type BucketResult, type BucketState, give, isFull, take } from './protocol/bucket.js';

/**
 * Keeps buckets. Each call is one step: two that come together take effect one after the other. Time is the store's, so
 * that processes that share one agree.
 */
export interface TokenBucketStore {
  /** Takes `cost` tokens of a key's bucket, or says when they will be there. */
  take(key: string, cost: number, limit: BucketLimit): Promise<BucketResult>;
  /** Puts back what was taken in vain. */
  give(key: string, cost: number, limit: BucketLimit): Promise<void>;
}

/** Settings of {@link createTokenBucket}. */
export interface TokenBucketOptions {
  /**
   * Tokens that come in each `perMs`.
   * @defaultValue 5
   */
  readonly tokens?: number | undefined;
  /**
   * @defaultValue 5000
   */
  readonly perMs?: number | undefined;
  /**
   * Most tokens a bucket holds.
   * @defaultValue 10
   */
  readonly burst?: number | undefined;
  /** @defaultValue a store in memory of its own */
  readonly store?: TokenBucketStore | undefined;
  /** Of the store in memory. */
  readonly clock?: Clock | undefined;
}

/** Buckets of one limit. */
export interface TokenBucket {
  readonly limit: BucketLimit;
  /** Takes tokens of a key's bucket, one by default. Rejects when the store does. */
  take(key: string, cost?: number): Promise<BucketResult>;
  /** Puts back what was taken in vain. */
  give(key: string, cost?: number): Promise<void>;
}

interface Settings {
  readonly tokens: number;
  readonly perMs: number;
  readonly burst: number;
  readonly store: TokenBucketStore | undefined;
  readonly clock: Clock;
}

const DEFAULTS = {
  tokens: 5,
  perMs: 5_000,
  burst: 10,
  store: undefined,
  clock: systemClock,
} as const satisfies Settings;

/** Buckets are looked through for full ones when there are so many. */
const SWEEP_AT = 10_000;

/**
 * Creates buckets of one limit: 5 tokens each 5 s, at most 10 at once, unless said otherwise.
 *
 * @throws TypeError on options out of range.
 */
export function createTokenBucket(options: TokenBucketOptions = {}): TokenBucket {
  const { tokens, perMs, burst, store, clock } = resolveOptions<Settings>('createTokenBucket', DEFAULTS, options, {
    tokens: check.number(0.001, 1_000_000),
    perMs: check.integer(1),
    burst: check.number(1, 1_000_000),
  });
  const limit: BucketLimit = { tokens, perMs, burst };
  const kept = store ?? memoryBucketStore({ clock });
  return {
    limit,
    take: (key, cost = 1) => kept.take(key, cost, limit),
    give: (key, cost = 1) => kept.give(key, cost, limit),
  };
}

/** Keeps buckets in this process. Full ones are forgotten: they are as if they had never been used. */
export function memoryBucketStore({
  clock = systemClock,
}: {
  readonly clock?: Clock | undefined;
} = {}): TokenBucketStore {
  const buckets = new Map<string, { state: BucketState; limit: BucketLimit }>();
  let sweepAt = SWEEP_AT;

  function keep(key: string, limit: BucketLimit, state: BucketState, now: number): void {
    buckets.set(key, { state, limit });
    if (buckets.size <= sweepAt) return;
    for (const [each, bucket] of buckets) if (isFull(bucket.limit, bucket.state, now)) buckets.delete(each);
    sweepAt = Math.max(SWEEP_AT, buckets.size * 2);
  }

  return {
    async take(key, cost, limit) {
      const now = clock.now();
      const { state, result } = take(limit, buckets.get(key)?.state, cost, now);
      keep(key, limit, state, now);
      return result;
    },
    async give(key, cost, limit) {
      const now = clock.now();
      keep(key, limit, give(limit, buckets.get(key)?.state, cost, now), now);
    },
  };
}
