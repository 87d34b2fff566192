/** Owns a timer that keeps to a schedule. Refuses to know what a tick is for. */
import type { Clock } from '@guildkit/core';
import { createTickSchedule, type TickSchedule } from '../protocol/tick-schedule.js';

/** Platform timers have whole milliseconds: half of one too early is nearer than half of one too late. */
const EARLY_MS = 0.5;

/** Settings of a ticker. */
export interface TickerOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Ticks made up for after the process stood still. */
  readonly maxCatchUp: number;
  /** @param at When the tick was due: exactly one interval after the one before, unless ticks were left out. */
  onTick(at: number): void;
  /** Runs a tick a little later; `undefined` runs it at once. */
  readonly defer?: ((tick: () => void) => void) | undefined;
}

/** Calls back in regular intervals while it runs. */
export interface Ticker {
  readonly running: boolean;
  /** The first tick comes at once, in a timer of its own. Does nothing while it runs. */
  start(): void;
  stop(): void;
}

/** Makes a ticker that stands still. */
export function createTicker({ clock, intervalMs, maxCatchUp, onTick, defer }: TickerOptions): Ticker {
  let schedule: TickSchedule | undefined;
  let timer: unknown;

  function arm(): void {
    if (schedule === undefined) return;
    timer = clock.setTimer(onTimer, Math.max(0, Math.ceil(schedule.dueAt - EARLY_MS - clock.now())));
  }

  function run(current: TickSchedule): void {
    // A tick may stop the ticker, or stop it and start another schedule.
    while (schedule === current) {
      const at = current.take(clock.now() + EARLY_MS);
      if (at === undefined) break;
      onTick(at);
    }
    if (schedule === current) arm();
  }

  function onTimer(): void {
    const current = schedule as TickSchedule;
    if (defer === undefined) run(current);
    else defer(() => run(current));
  }

  return {
    get running() {
      return schedule !== undefined;
    },
    start() {
      if (schedule !== undefined) return;
      schedule = createTickSchedule({ intervalMs, maxCatchUp }, clock.now());
      arm();
    },
    stop() {
      schedule = undefined;
      clock.clearTimer(timer);
    },
  };
}
