/** A clock that stands still until a test turns it. */
import type { Clock } from '@guildkit/core';

interface Timer {
  readonly id: number;
  readonly at: number;
  readonly callback: () => void;
}

/** A {@link Clock} under a test's control. */
export interface VirtualClock extends Clock {
  /** Timers that wait. */
  readonly pending: number;
  /** When the next timer is due, on `now()`'s scale. */
  readonly nextAt: number | undefined;
  /** Moves on by `ms`, firing what comes due in order; between timers lets promises settle. */
  advance(ms: number): Promise<void>;
  /** As {@link advance}, without letting promises settle. */
  advanceSync(ms: number): void;
  /** Moves the wall clock alone, as an NTP step would. */
  jumpWall(ms: number): void;
}

/** Creates a clock at 0, with the wall at 2026-01-01. */
export function createVirtualClock(): VirtualClock {
  let now = 0;
  let wallOffset = Date.UTC(2026, 0, 1);
  let ids = 0;
  let timers: Timer[] = [];

  function next(until: number): Timer | undefined {
    const due = timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at || a.id - b.id)[0];
    if (due === undefined) return undefined;
    timers = timers.filter((timer) => timer !== due);
    now = Math.max(now, due.at);
    return due;
  }

  return {
    now: () => now,
    wallTime: () => now + wallOffset,
    setTimer(callback, delayMs) {
      ids += 1;
      timers.push({ id: ids, at: now + Math.max(0, delayMs), callback });
      return ids;
    },
    clearTimer(handle) {
      timers = timers.filter((timer) => timer.id !== handle);
    },
    get pending() {
      return timers.length;
    },
    get nextAt() {
      return timers.length === 0 ? undefined : Math.min(...timers.map((timer) => timer.at));
    },
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (let due = next(until); due !== undefined; due = next(until)) {
        due.callback();
        await settle();
      }
      now = until;
    },
    advanceSync(ms) {
      const until = now + ms;
      for (let due = next(until); due !== undefined; due = next(until)) due.callback();
      now = until;
    },
    jumpWall(ms) {
      wallOffset += ms;
    },
  };
}

/** Lets everything that only waits for promises run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
