/** Owns repeating a call to Discord that may succeed later. */
import { backoffDelay, type Clock } from '@guildkit/core';
import { mayRepeat } from '../room-rest.js';

/** What a repeated call needs. */
export interface Patience {
  readonly clock: Clock;
  readonly random: () => number;
  /** Tries altogether. */
  readonly tries: number;
  readonly baseMs: number;
}

/** Calls until it succeeds, a repeat is senseless, or the tries are used up. */
export async function patiently<T>(patience: Patience, call: (attempt: number) => Promise<T>): Promise<T> {
  const { clock, random, tries, baseMs } = patience;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call(attempt);
    } catch (error) {
      if (attempt + 1 >= tries || !mayRepeat(error)) throw error;
      const delayMs = backoffDelay(attempt, random(), { baseMs, capMs: 16 * baseMs, minMs: baseMs / 2 });
      await new Promise<void>((resolve) => clock.setTimer(resolve, delayMs));
    }
  }
}
