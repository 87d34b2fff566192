/** The pacer in virtual time, with timers that fire late as on a busy machine; and pacers with one mistake each. */
import type { Clock } from '@guildkit/core';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTicker, type Ticker, type TickerOptions } from '../../src/media/io/ticker.js';

const INTERVAL_MS = 20;
const MAX_CATCH_UP = 5;

interface Tick {
  /** When it was due, as the ticker says. */
  readonly at: number;
  readonly firedAt: number;
}

/** A clock whose timers are late by turns, in ms. */
function lateClock(lateness: readonly number[]): Clock & { advance(ms: number): void } {
  const clock = createVirtualClock();
  let turn = 0;
  return {
    now: () => clock.now(),
    wallTime: () => clock.wallTime(),
    setTimer(callback, delayMs) {
      turn += 1;
      return clock.setTimer(callback, delayMs + (lateness[turn % lateness.length] as number));
    },
    clearTimer: (handle) => clock.clearTimer(handle),
    advance: (ms) => clock.advanceSync(ms),
  };
}

type Make = (options: TickerOptions) => Ticker;

function run(make: Make, lateness: readonly number[], startAt: number): Tick[] {
  const clock = lateClock(lateness);
  clock.advance(startAt);
  const ticks: Tick[] = [];
  const ticker = make({
    clock,
    intervalMs: INTERVAL_MS,
    maxCatchUp: MAX_CATCH_UP,
    onTick: (at) => ticks.push({ at, firedAt: clock.now() }),
  });
  ticker.start();
  clock.advance(4_000);
  ticker.stop();
  const count = ticks.length;
  clock.advance(1_000);
  if (ticks.length !== count) throw new Error('it goes on after its end');
  return ticks;
}

function broken(ticks: readonly Tick[], lateness: readonly number[]): string | undefined {
  const [first] = ticks;
  if (first === undefined) return 'it runs';
  const worst = Math.max(...lateness);
  for (const [n, { at, firedAt }] of ticks.entries()) {
    if (firedAt < at - 0.5) return 'not early';
    const steps = (at - first.at) / INTERVAL_MS;
    if (Math.abs(steps - Math.round(steps)) > 1e-6) return 'no drift';
    const before = ticks[n - 1];
    if (before !== undefined && at <= before.at) return 'each once';
    // One that is due, and those that may be made up for.
    if (firedAt - at > worst + (MAX_CATCH_UP + 1) * INTERVAL_MS) return 'not long after';
    const burst = ticks.filter((tick) => tick.firedAt === firedAt).length;
    if (burst > MAX_CATCH_UP + 1) return 'bounded catch-up';
  }
  // What is missed within the bound is made up for.
  if (worst < MAX_CATCH_UP * INTERVAL_MS && ticks.length < 4_000 / INTERVAL_MS - MAX_CATCH_UP - 1) return 'all of them';
  return undefined;
}

const lateness = fc.array(
  fc.oneof({ weight: 20, arbitrary: fc.double({ min: 0, max: 3, noNaN: true }) }, fc.integer({ min: 10, max: 400 })),
  {
    minLength: 5,
    maxLength: 60,
  },
);

describe('ticker', () => {
  it('keeps to its schedule, however late timers are', () => {
    fc.assert(
      fc.property(lateness, fc.double({ min: 0, max: 100, noNaN: true }), (late, startAt) => {
        expect(broken(run(createTicker, late, startAt), late)).toBeUndefined();
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('is half a millisecond off at most when timers are in time', () => {
    for (const startAt of [0, 0.25, 0.5, 0.75, 7.123]) {
      for (const { at, firedAt } of run(createTicker, [0], startAt))
        expect(Math.abs(firedAt - at)).toBeLessThanOrEqual(0.5);
    }
  });

  it.each<[string, string, Make]>([
    [
      'the next tick is an interval after this one has fired',
      'no drift',
      ({ clock, intervalMs, onTick }) => {
        let timer: unknown;
        const tick = (): void => {
          onTick(clock.now());
          timer = clock.setTimer(tick, intervalMs);
        };
        return { running: true, start: tick, stop: () => clock.clearTimer(timer) };
      },
    ],
    [
      'everything missed is made up for',
      'bounded catch-up',
      (options) => createTicker({ ...options, maxCatchUp: 1_000 }),
    ],
    ['nothing missed is made up for', 'all of them', (options) => createTicker({ ...options, maxCatchUp: 0 })],
    [
      'ticks are told of before they are due',
      'not early',
      (options) => createTicker({ ...options, onTick: (at) => options.onTick(at + 5) }),
    ],
    [
      'a late tick is run twice',
      'each once',
      (options) =>
        createTicker({
          ...options,
          onTick(at) {
            options.onTick(at);
            if (options.clock.now() - at > 9) options.onTick(at);
          },
        }),
    ],
  ])('catches: %s', (_name, rule, make) => {
    const found = fc.sample(lateness, { numRuns: 60, seed: 2 }).map((late) => broken(run(make, late, 3), late));
    expect(found).toContain(rule);
  });
});
