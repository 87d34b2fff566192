/** Owns what is to be done later: acts in order of their time, one timer for all of them. Bounded. */
import type { Clock } from '@guildkit/core';

interface Late {
  readonly at: number;
  readonly act: () => void;
}

/** Acts that may wait: a second of a full channel. */
const MAX_WAITING = 16_384;

/** Acts by time. */
export class DelayQueue {
  /** Sorted by time; acts of one time in the order they came. */
  private readonly waiting: Late[] = [];
  private timer: unknown;
  private timerAt = Number.POSITIVE_INFINITY;

  constructor(private readonly clock: Clock) {}

  /** Adds an act; false when there is no room. */
  push(at: number, act: () => void): boolean {
    if (this.waiting.length >= MAX_WAITING) return false;
    let low = 0;
    let high = this.waiting.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.waiting[middle] as Late).at <= at) low = middle + 1;
      else high = middle;
    }
    this.waiting.splice(low, 0, { at, act });
    this.arm();
    return true;
  }

  /** Forgets everything. */
  clear(): void {
    this.waiting.length = 0;
    this.arm();
  }

  private arm(): void {
    const at = this.waiting[0]?.at ?? Number.POSITIVE_INFINITY;
    if (at === this.timerAt) return;
    if (this.timer !== undefined) this.clock.clearTimer(this.timer);
    this.timer = undefined;
    this.timerAt = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.timer = this.clock.setTimer(() => this.work(), Math.max(0, Math.ceil(at - this.clock.now())));
  }

  private work(): void {
    this.timer = undefined;
    this.timerAt = Number.POSITIVE_INFINITY;
    const now = this.clock.now();
    for (let due = this.waiting[0]; due !== undefined && due.at <= now; due = this.waiting[0]) {
      this.waiting.shift();
      due.act();
    }
    this.arm();
  }
}
