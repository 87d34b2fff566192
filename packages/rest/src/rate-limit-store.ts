/**
 * Owns the seam through which several processes with one token stay within one limit, and its in-process form. Refuses
 * routes and headers: a store knows keys, slots and time.
 */
import { type Clock, systemClock } from '@guildkit/core';

/** A limit of which a request takes one slot. */
export interface RateLimitSlot {
  readonly key: string;
  /** Slots there are. */
  readonly limit: number;
}

/** Until when an ended request keeps a slot. */
export interface RateLimitHold {
  readonly key: string;
  /** From now on, in ms; 0 frees it at once. */
  readonly holdMs: number;
}

/** What one process learned of a route, for the others. */
export interface LearnedBucket {
  /** `X-RateLimit-Bucket`. */
  readonly hash: string;
  readonly limit: number;
  readonly windowMs: number;
}

/**
 * Counts slots for every process that shares it. Each call is atomic. A call that rejects is logged, and the request goes
 * on within the limits of its own process.
 */
export interface RateLimitStore {
  /**
   * Takes a slot of every limit, or none.
   *
   * @param lease Names the taker; unique among all processes.
   * @param leaseMs When the slots are free if `release` never comes: the taker has died.
   * @returns 0 when taken, else the ms after which to ask again.
   */
  take(lease: string, slots: readonly RateLimitSlot[], leaseMs: number): Promise<number>;
  /** Ends a lease: from each key its slot is free after `holdMs`. A key that `take` did not name is added. */
  release(lease: string, holds: readonly RateLimitHold[]): Promise<void>;
  /** Gives no slot of a key for so long. */
  block(key: string, ms: number): Promise<void>;
  /**
   * Tells what a route turned out to be. `key` names method, template and token.
   *
   * @returns What stands: `bucket`, with the longer window of what is known when that has the same hash and limit. A
   * process that came in the middle of a window has seen only its rest.
   */
  learn(key: string, bucket: LearnedBucket): Promise<LearnedBucket>;
  /** What another process told of a route. */
  recall(key: string): Promise<LearnedBucket | undefined>;
}

interface Slots {
  /** When each lease's slot is free. */
  readonly until: Map<string, number>;
  blockedUntil: number;
}

/** The pause before asking again when no moment is known. */
const ASK_AGAIN_MS = 50;

/** A store in memory: for several clients with one token in one process. */
export function createMemoryRateLimitStore(clock: Clock = systemClock): RateLimitStore {
  const all = new Map<string, Slots>();
  const learned = new Map<string, LearnedBucket>();

  function slotsOf(key: string): Slots {
    let slots = all.get(key);
    if (slots === undefined) {
      slots = { until: new Map(), blockedUntil: Number.NEGATIVE_INFINITY };
      all.set(key, slots);
    }
    return slots;
  }

  /** Drops what time has freed, and keys of which nothing is left. */
  function tidy(key: string, now: number): void {
    const slots = all.get(key);
    if (slots === undefined) return;
    for (const [lease, until] of slots.until) if (until <= now) slots.until.delete(lease);
    if (slots.until.size === 0 && slots.blockedUntil <= now) all.delete(key);
  }

  function waitFor({ key, limit }: RateLimitSlot, now: number): number {
    tidy(key, now);
    const slots = all.get(key);
    if (slots === undefined) return 0;
    if (slots.blockedUntil > now) return slots.blockedUntil - now;
    if (slots.until.size < limit) return 0;
    // The slot of a request that runs is free at some unknown moment before its lease ends: asked for again soon.
    let wait = ASK_AGAIN_MS;
    for (const until of slots.until.values()) wait = Math.min(wait, until - now);
    return Math.max(1, wait);
  }

  return {
    async take(lease, slots, leaseMs) {
      const now = clock.now();
      const wait = Math.max(0, ...slots.map((slot) => waitFor(slot, now)));
      if (wait > 0) return Math.ceil(wait);
      for (const { key } of slots) slotsOf(key).until.set(lease, now + leaseMs);
      return 0;
    },
    async release(lease, holds) {
      const now = clock.now();
      for (const { key, holdMs } of holds) {
        slotsOf(key).until.set(lease, now + holdMs);
        tidy(key, now);
      }
    },
    async block(key, ms) {
      const slots = slotsOf(key);
      slots.blockedUntil = Math.max(slots.blockedUntil, clock.now() + ms);
    },
    async learn(key, { hash, limit, windowMs }) {
      const known = learned.get(key);
      const isSame = known?.hash === hash && known.limit === limit;
      const stands = { hash, limit, windowMs: isSame ? Math.max(windowMs, known.windowMs) : windowMs };
      learned.set(key, stands);
      return stands;
    },
    async recall(key) {
      return learned.get(key);
    },
  };
}
