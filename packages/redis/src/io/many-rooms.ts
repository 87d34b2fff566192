/**
 * Owns how a script is run for many rooms at once: for all of them in one command where their keys are on one server, for
 * each by itself where a cluster has them on several nodes. Which it is, is learned from the first refusal.
 */
import { RedisError } from '../errors.js';

/** Rooms of one command: Redis does nothing else for some 0.3 ms. */
const ROOMS_AT_ONCE = 100;

/** One for each client. */
export class ManyRooms {
  private isCluster = false;

  /** Runs a step for all items, a hundred at most at a time. Rejects when it does for one of them. */
  async run<T>(items: readonly T[], step: (some: readonly T[]) => Promise<void>): Promise<void> {
    for (let from = 0; from < items.length; from += ROOMS_AT_ONCE) {
      await this.runSome(items.slice(from, from + ROOMS_AT_ONCE), step);
    }
  }

  private async runSome<T>(items: readonly T[], step: (some: readonly T[]) => Promise<void>): Promise<void> {
    if (!this.isCluster) {
      try {
        return await step(items);
      } catch (error) {
        if (!isCrossSlot(error)) throw error;
        this.isCluster = true;
      }
    }
    await Promise.all(items.map((item) => step([item])));
  }
}

const isCrossSlot = (error: unknown): boolean =>
  RedisError.is(error) && error.cause instanceof Error && error.cause.message.startsWith('CROSSSLOT');
