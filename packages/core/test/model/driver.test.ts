/** The driver against the rule it exists for: one timer, exactly while a deadline is wanted, at that deadline. */
import { type Clock, createDriver } from '@guildkit/core';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

interface State {
  readonly wakeAt: number | undefined;
  readonly taken: number;
}
type Input = { readonly type: 'set'; readonly inMs: number | undefined; readonly again: number };

type Command =
  | { readonly kind: 'dispatch'; readonly inMs: number | undefined; readonly again: number; readonly throws: boolean }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'stop' };

const delay = fc.option(fc.oneof(fc.integer({ min: -10, max: 50 }), fc.double({ min: 0, max: 9, noNaN: true })), {
  nil: undefined,
});
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('dispatch' as const),
      inMs: delay,
      again: fc.integer({ min: 0, max: 3 }),
      throws: fc.boolean(),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 60 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'stop' as const }) },
);

function run(commands: readonly Command[], earlyMs: number): void {
  const clock = createVirtualClock();
  // A platform timer that fires early by a rounding.
  const shaky: Clock = {
    ...clock,
    setTimer: (callback, ms) => clock.setTimer(callback, ms > earlyMs ? ms - earlyMs : ms),
  };
  let stopped = false;
  let taken = 0;
  let failing = false;
  const driver = createDriver<State, Input, Input | 'fail'>({
    reducer: {
      step(state, input) {
        if (input.type === 'timer') {
          // Never before its deadline.
          expect(input.now).toBeGreaterThanOrEqual(state.wakeAt ?? Number.POSITIVE_INFINITY);
          return { state: { wakeAt: undefined, taken: state.taken + 1 }, effects: [] };
        }
        const wakeAt = input.inMs === undefined ? undefined : input.now + input.inMs;
        const effects = input.again > 0 ? [{ ...input, again: input.again - 1 }] : [];
        return { state: { wakeAt, taken: state.taken + 1 }, effects: failing ? ['fail', ...effects] : effects };
      },
      deadline: ({ wakeAt }) => wakeAt,
    },
    initial: { wakeAt: undefined, taken: 0 },
    run: (effect) => {
      if (effect === 'fail') throw new Error('an effect fails');
      driver.dispatch(effect);
    },
    onEffectError: () => {},
    onTransition: () => {
      taken += 1;
    },
    clock: shaky,
    random: () => 0,
  });

  for (const next of commands) {
    if (next.kind === 'advance') clock.advanceSync(next.ms);
    else if (next.kind === 'stop') {
      driver.stop();
      stopped = true;
    } else {
      failing = next.throws;
      driver.dispatch({ type: 'set', inMs: next.inMs, again: next.again });
    }
    const { wakeAt } = driver.state;
    expect(clock.pending).toBe(stopped || wakeAt === undefined ? 0 : 1);
    if (clock.pending === 1 && earlyMs === 0) {
      const due = Math.max(wakeAt as number, clock.now());
      expect(clock.nextAt as number).toBeGreaterThanOrEqual(due);
      expect((clock.nextAt as number) - due).toBeLessThanOrEqual(1);
    }
    // A deadline that has come is never left lying: once time has moved past it, the input was taken.
    if (next.kind === 'advance' && next.ms > 0 && !stopped && wakeAt !== undefined) {
      expect(Math.ceil(wakeAt)).toBeGreaterThan(clock.now() - next.ms);
    }
  }
  expect(driver.state.taken).toBe(taken);
}

describe('the driver’s timer', () => {
  it('exists exactly while a deadline does', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => run(commands, 0)),
      { numRuns: 1000 },
    );
  });

  it('exists exactly while a deadline does, on a clock whose timers come early', () => {
    fc.assert(fc.property(fc.array(command, { maxLength: 40 }), fc.integer({ min: 1, max: 3 }), run), { numRuns: 500 });
  });
});
