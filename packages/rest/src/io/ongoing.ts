/**
 * Owns the requests that go on and when each runs out of time, with one timer for all: one per request would cost as
 * much as a limit. Refuses to know what they do.
 */
import type { Clock } from '@guildkit/core';
import type { DiscordRestError } from '../errors.js';
import { expireAttempt, type Run, stopRun, timeoutError } from './run.js';

/** Between two looks at all requests at least one ms passes for so many of them: deadlines that come one by one stay cheap. */
const RUNS_PER_MS = 1_024;

/** Every request of a client that has not settled. */
export class Ongoing {
  private readonly clock: Clock;
  /** Each at its `place`. Not a Set: V8 keeps the tables it outgrows, and with them what was in there. */
  private readonly runs: Run[] = [];
  private timer: unknown;
  private timerAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get size(): number {
    return this.runs.length;
  }

  /** Takes one in. `checkAt` is when its time is looked at first: then, its deadline or earlier. */
  add(run: Run, checkAt: number): void {
    run.place = this.runs.push(run) - 1;
    this.checkBy(checkAt);
  }

  /** Lets one go. */
  remove({ place }: Run): void {
    const last = this.runs.pop();
    if (last !== undefined && last.place !== place) {
      this.runs[place] = last;
      last.place = place;
    }
    if (this.runs.length === 0) this.disarm();
  }

  /** Sees to it that deadlines are looked at by then. */
  checkBy(at: number): void {
    if (this.timerAt <= at) return;
    this.disarm();
    this.timerAt = at;
    this.timer = this.clock.setTimer(() => this.onTimer(), Math.max(0, Math.ceil(at - this.clock.now())));
  }

  /** Ends all of them. */
  stop(reason: (run: Run) => DiscordRestError): void {
    for (const run of [...this.runs]) stopRun(run, reason(run));
  }

  private disarm(): void {
    this.clock.clearTimer(this.timer);
    this.timer = undefined;
    this.timerAt = Number.POSITIVE_INFINITY;
  }

  private onTimer(): void {
    const now = this.clock.now();
    let next = Number.POSITIVE_INFINITY;
    this.timerAt = next;
    for (const run of this.runs) {
      if (now >= run.deadlineAt) stopRun(run, timeoutError(run));
      else if (now >= run.attemptEndsAt) expireAttempt(run);
      // One that was stopped needs no timer any more.
      if (run.stopped === undefined) next = Math.min(next, run.deadlineAt, run.attemptEndsAt);
    }
    if (next < Number.POSITIVE_INFINITY) this.checkBy(Math.max(next, now + Math.floor(this.runs.length / RUNS_PER_MS)));
  }
}
