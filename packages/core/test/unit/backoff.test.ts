import { type BackoffPolicy, backoffDelay } from '@guildkit/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const policy: BackoffPolicy = { baseMs: 1000, capMs: 30_000 };
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('backoffDelay', () => {
  it('doubles its upper bound up to the cap', () => {
    const almostOne = 1 - Number.EPSILON;
    const bounds = [0, 1, 2, 3, 4, 5, 6, 1e6].map((attempt) => backoffDelay(attempt, almostOne, policy));
    expect(bounds).toEqual([999, 1999, 3999, 7999, 15_999, 29_999, 29_999, 29_999]);
  });

  it('spreads down to the floor', () => {
    expect(backoffDelay(3, 0, policy)).toBe(0);
    expect(backoffDelay(3, 0, { ...policy, minMs: 250 })).toBe(250);
    expect(backoffDelay(0, 0.5, { baseMs: 1000, capMs: 30_000, minMs: 500 })).toBe(750);
  });

  it('stays within floor and ceiling, whole, and grows with the random number (property)', () => {
    const policies = fc.record({
      baseMs: fc.integer({ min: 0, max: 100_000 }),
      capMs: fc.integer({ min: 0, max: 1_000_000 }),
      minMs: fc.option(fc.integer({ min: 0, max: 1_000_000 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.integer({ min: -5, max: 5000 }), random, random, policies, (attempt, a, b, shape) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)].map((r) => backoffDelay(attempt, r, shape)) as [
          number,
          number,
        ];
        const ceiling = Math.min(shape.capMs, shape.baseMs * 2 ** Math.min(Math.max(attempt, 0), 30));
        expect(Number.isSafeInteger(low)).toBe(true);
        expect(low).toBeLessThanOrEqual(high);
        expect(high).toBeLessThanOrEqual(ceiling);
        expect(low).toBeGreaterThanOrEqual(Math.min(shape.minMs ?? 0, ceiling));
      }),
    );
  });
});
