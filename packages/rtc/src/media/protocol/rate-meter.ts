/** Owns a bitrate over the last seconds. */

const BUCKETS = 8;
const BUCKET_MS = 250;
const WINDOW_MS = BUCKETS * BUCKET_MS;

/** Counts bytes as they go by. */
export interface RateMeter {
  add(bytes: number, now: number): void;
  /** Bits a second over two seconds, or since the first byte if that is less. */
  rate(now: number): number;
}

/** Makes a meter of constant size. */
export function createRateMeter(): RateMeter {
  const buckets = new Float64Array(BUCKETS);
  let current = 0;
  let startedAt: number | undefined;

  function advance(now: number): void {
    const index = Math.floor(now / BUCKET_MS);
    const steps = Math.min(BUCKETS, index - current);
    for (let step = 1; step <= steps; step += 1) buckets[(index - steps + step) % BUCKETS] = 0;
    if (steps > 0) current = index;
  }

  return {
    add(bytes, now) {
      if (startedAt === undefined) {
        startedAt = now;
        current = Math.floor(now / BUCKET_MS);
      }
      advance(now);
      buckets[current % BUCKETS] = (buckets[current % BUCKETS] as number) + bytes;
    },
    rate(now) {
      if (startedAt === undefined) return 0;
      advance(now);
      const total = buckets.reduce((sum, bytes) => sum + bytes, 0);
      const span = Math.min(WINDOW_MS - BUCKET_MS + (now % BUCKET_MS), now - startedAt);
      return Math.round((total * 8_000) / Math.max(BUCKET_MS, span));
    },
  };
}
