/** Owns what was seen: signatures that must not come again, ids that were taken. */
import { type Clock, check, resolveOptions, systemClock } from '@guildkit/core';
import { HmacError } from './errors.js';

/** Remembers keys for a time. Several processes share one by an implementation of their own. */
export interface ReplayStore {
  /**
   * Remembers a key. `true` for exactly one of all calls with that key within the time.
   *
   * @throws HmacError `ERR_HMAC_STORE_FULL`: what cannot be remembered must not be taken.
   */
  claim(key: string, ttlMs: number): Promise<boolean>;
  /** Whether a key is remembered. */
  has(key: string): Promise<boolean>;
}

/** Settings of {@link memoryReplayStore}. */
export interface MemoryReplayStoreOptions {
  /** Keys kept at once. @defaultValue 100000: 800 webhooks a second within the 121 s of a signature */
  readonly maxEntries?: number | undefined;
  readonly clock?: Clock | undefined;
}

const DEFAULTS: { maxEntries: number; clock: Clock } = { maxEntries: 100_000, clock: systemClock };

/** A store in this process. Full, it refuses rather than forgets. */
export function memoryReplayStore(options?: MemoryReplayStoreOptions): ReplayStore {
  const { maxEntries, clock } = resolveOptions('memoryReplayStore', DEFAULTS, options, {
    maxEntries: check.integer(1),
  });
  /** When each key is forgotten. */
  const kept = new Map<string, number>();

  const isKept = (key: string): boolean => (kept.get(key) ?? Number.NEGATIVE_INFINITY) > clock.now();
  function sweep(): void {
    const now = clock.now();
    for (const [key, until] of kept) if (until <= now) kept.delete(key);
  }

  return {
    async claim(key, ttlMs) {
      if (isKept(key)) return false;
      if (kept.size >= maxEntries) sweep();
      if (kept.size >= maxEntries) throw new HmacError('ERR_HMAC_STORE_FULL');
      kept.set(key, clock.now() + ttlMs);
      return true;
    },
    has: async (key) => isKept(key),
  };
}
