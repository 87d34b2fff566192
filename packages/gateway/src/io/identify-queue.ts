/**
 * Owns when a shard may IDENTIFY: one in 5 s for each of `max_concurrency` buckets (Discord docs, Gateway: Sharding,
 * Max Concurrency). Refuses to know sessions.
 */
import { type Clock, systemClock } from '@guildkit/core';

/** A shard's wish to identify. */
export interface IdentifyRequest {
  readonly shardId: number;
  /** `session_start_limit.max_concurrency`: shards of the same `shardId % maxConcurrency` share a bucket. */
  readonly maxConcurrency: number;
  /** Fires when the wish is withdrawn: the shard was closed, or its connection lost. */
  readonly signal: AbortSignal;
}

/** Leave to identify, or how long to stay away. */
export type IdentifyPermit = { readonly granted: true } | { readonly granted: false; readonly retryAfterMs: number };

/**
 * Says which shard may identify next. Several processes of one bot need one that they share; every implementation
 * passes `test/contract/identify-queue-suite.ts`. The day's budget is not its business: the client counts that.
 *
 * Within a bucket it grants one wish in 5 s, in the order of asking; buckets do not wait for each other. A wish that is
 * withdrawn before it was granted costs nothing. A permit is used at once, and need not be given back.
 */
export interface IdentifyQueue {
  /**
   * Settles when it is this shard's turn, or with `granted: false` and a delay when it cannot be soon.
   *
   * @throws The signal's reason (rejects) when it fires first. Any other failure makes the shard ask again, with backoff.
   */
  acquire(request: IdentifyRequest): Promise<IdentifyPermit>;
}

/** Docs, Gateway: Max Concurrency: one IDENTIFY in 5 s for each bucket. */
const IDENTIFY_EVERY_MS = 5_000;

interface Bucket {
  freeAt: number;
  timer: unknown;
  readonly waiters: (() => void)[];
}

/** A queue for the shards of this process. */
export function localIdentifyQueue(options: { clock?: Clock | undefined } = {}): IdentifyQueue {
  const { clock = systemClock } = options;
  const buckets = new Map<number, Bucket>();

  function pump(bucket: Bucket): void {
    clock.clearTimer(bucket.timer);
    bucket.timer = undefined;
    if (bucket.waiters.length === 0) return;
    const now = clock.now();
    if (now >= bucket.freeAt) {
      bucket.freeAt = now + IDENTIFY_EVERY_MS;
      bucket.waiters.shift()?.();
    }
    if (bucket.waiters.length > 0) bucket.timer = clock.setTimer(() => pump(bucket), bucket.freeAt - now);
  }

  return {
    acquire({ shardId, maxConcurrency, signal }) {
      const key = shardId % Math.max(1, maxConcurrency);
      const bucket = buckets.get(key) ?? { freeAt: Number.NEGATIVE_INFINITY, timer: undefined, waiters: [] };
      buckets.set(key, bucket);
      return new Promise((resolve, reject) => {
        const onAbort = (): void => {
          bucket.waiters.splice(bucket.waiters.indexOf(grant), 1);
          pump(bucket);
          reject(signal.reason);
        };
        const grant = (): void => {
          signal.removeEventListener('abort', onAbort);
          resolve({ granted: true });
        };
        if (signal.aborted) {
          reject(signal.reason);
          return;
        }
        signal.addEventListener('abort', onAbort, { once: true });
        bucket.waiters.push(grant);
        pump(bucket);
      });
    },
  };
}
