import { addSequence, addTimestamp, createUnwrapper, sequenceDelta, timestampDelta } from '@guildkit/rtp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { u16, u32 } from '../support/arbitraries.js';

describe('wrapping numbers', () => {
  it('differ by what was added', () => {
    fc.assert(
      fc.property(
        u16,
        fc.integer({ min: -32_768, max: 32_767 }),
        (a, by) => sequenceDelta(addSequence(a, by), a) === by,
      ),
    );
    fc.assert(
      fc.property(
        u32,
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        (a, by) => timestampDelta(addTimestamp(a, by), a) === by,
      ),
    );
  });

  it('stay within their bits', () => {
    expect(addSequence(65_535, 1)).toBe(0);
    expect(addSequence(0, -1)).toBe(65_535);
    expect(addTimestamp(2 ** 32 - 1, 1)).toBe(0);
    expect(addTimestamp(0, -1)).toBe(2 ** 32 - 1);
  });
});

describe('createUnwrapper', () => {
  it.each([16, 32] as const)('follows a walk on %i bits', (bits) => {
    const half = 2 ** (bits - 1);
    const steps = fc.array(fc.integer({ min: -half + 1, max: half - 1 }), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** bits - 1 }), steps, (start, walk) => {
        const unwrapper = createUnwrapper(bits);
        expect(unwrapper.newest).toBe(undefined);
        expect(unwrapper.unwrap(start)).toBe(start);
        let newest = start;
        for (const step of walk) {
          // Each number within half the range of the newest one, as packets are.
          const exact = newest + step;
          expect(unwrapper.unwrap(((exact % 2 ** bits) + 2 ** bits) % 2 ** bits)).toBe(exact);
          newest = Math.max(newest, exact);
          expect(unwrapper.newest).toBe(newest);
        }
      }),
    );
  });
});
