/**
 * Owns when ticks of a fixed length are due on a monotonic clock. Ticks do not drift: the n-th is due n lengths after the
 * first. What was missed is caught up within a bound; beyond it, the ticks are gone and time goes on from now.
 */

/** Settings of a schedule. */
export interface TickOptions {
  readonly intervalMs: number;
  /** Ticks that are made up for at once. */
  readonly maxCatchUp: number;
}

/** A running schedule. */
export interface TickSchedule {
  /** When the next tick is due. */
  readonly dueAt: number;
  /** The time of the tick that is due by `now`, and goes on to the next one; `undefined` when none is. */
  take(now: number): number | undefined;
  /** Ticks that were left out. */
  readonly missed: number;
}

/** Begins a schedule: its first tick is due at `startAt`. */
export function createTickSchedule({ intervalMs, maxCatchUp }: TickOptions, startAt: number): TickSchedule {
  let dueAt = startAt;
  let missed = 0;
  return {
    get dueAt() {
      return dueAt;
    },
    get missed() {
      return missed;
    },
    take(now) {
      if (now < dueAt) return undefined;
      const behind = Math.floor((now - dueAt) / intervalMs);
      if (behind > maxCatchUp) {
        // All but the last ones that may be caught up.
        const left = behind - maxCatchUp;
        missed += left;
        dueAt += left * intervalMs;
      }
      const at = dueAt;
      dueAt += intervalMs;
      return at;
    },
  };
}
