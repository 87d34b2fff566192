/**
 * Owns what several requests of one session must agree on: who refreshes it, what it became, that it has ended. A refresh
 * token works once, and two tabs come with the same cookie.
 */
import { type Clock, check, resolveOptions, systemClock } from '@guildkit/core';

/** Short texts by key, for a time. Several processes share one by an implementation of their own. */
export interface SuccessorStore {
  /** `true` for exactly one of all calls with that key within the time. */
  claim(key: string, ttlMs: number): Promise<boolean>;
  /** Gives a claim back before its time. */
  release(key: string): Promise<void>;
  /** Keeps a text for a time, in the place of one before. */
  put(key: string, value: string, ttlMs: number): Promise<void>;
  /** The text of a key; `undefined` when there is none, or its time is over. */
  get(key: string): Promise<string | undefined>;
}

/** Settings of {@link memorySuccessorStore}. */
export interface MemorySuccessorStoreOptions {
  /** Keys kept at once; the oldest go first. @defaultValue 100000 */
  readonly maxEntries?: number | undefined;
  readonly clock?: Clock | undefined;
}

const DEFAULTS: { maxEntries: number; clock: Clock } = { maxEntries: 100_000, clock: systemClock };

/** A store in this process. */
export function memorySuccessorStore(options?: MemorySuccessorStoreOptions): SuccessorStore {
  const { maxEntries, clock } = resolveOptions('memorySuccessorStore', DEFAULTS, options, {
    maxEntries: check.integer(1),
  });
  const kept = new Map<string, { readonly value: string; readonly until: number }>();

  function put(key: string, value: string, ttlMs: number): void {
    kept.delete(key);
    if (kept.size >= maxEntries) {
      const now = clock.now();
      for (const [other, { until }] of kept) if (until <= now) kept.delete(other);
    }
    for (const oldest of kept.keys()) {
      if (kept.size < maxEntries) break;
      kept.delete(oldest);
    }
    kept.set(key, { value, until: clock.now() + ttlMs });
  }
  function get(key: string): string | undefined {
    const entry = kept.get(key);
    return entry !== undefined && entry.until > clock.now() ? entry.value : undefined;
  }

  return {
    async claim(key, ttlMs) {
      if (get(`claim ${key}`) !== undefined) return false;
      put(`claim ${key}`, '', ttlMs);
      return true;
    },
    release: async (key) => {
      kept.delete(`claim ${key}`);
    },
    put: async (key, value, ttlMs) => put(`value ${key}`, value, ttlMs),
    get: async (key) => get(`value ${key}`),
  };
}
