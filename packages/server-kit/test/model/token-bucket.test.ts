/** The bucket and the waiting line against their meaning, and mutants of both that must be caught. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BucketLimit, type BucketState, give, isFull, refill, take } from '../../src/commands/protocol/bucket.js';
import { WaitingLine } from '../../src/commands/protocol/waiting-line.js';

type Take = typeof take;

const limits = fc.record({
  tokens: fc.integer({ min: 1, max: 20 }),
  perMs: fc.integer({ min: 1, max: 10_000 }),
  burst: fc.integer({ min: 1, max: 30 }),
});
const steps = fc.array(
  fc.record({ waitMs: fc.integer({ min: 0, max: 3_000 }), cost: fc.integer({ min: 1, max: 4 }) }),
  {
    maxLength: 60,
    size: 'max',
  },
);

/**
 * The meaning: in any window that begins and ends at a take, at most `burst` plus what came in was taken; and whoever
 * comes back after `retryAfterMs` is served.
 */
function brokenRule(limit: BucketLimit, list: readonly { waitMs: number; cost: number }[], subject: Take) {
  let state: BucketState | undefined;
  let now = 0;
  const taken: { at: number; cost: number }[] = [];
  for (const { waitMs, cost } of list) {
    now += waitMs;
    const before = state;
    const { state: next, result } = subject(limit, state, cost, now);
    state = next;
    if (result.allowed) {
      taken.push({ at: now, cost });
      if (result.retryAfterMs !== 0) return 'nothing to wait for';
    } else {
      if (cost <= refill(limit, before, now).tokens - 1e-6) return 'refused though there were enough';
      if (cost <= limit.burst) {
        const later = subject(limit, state, cost, now + result.retryAfterMs);
        if (!later.result.allowed) return 'not there at the time that was named';
        if (result.retryAfterMs > 1 && subject(limit, state, cost, now + result.retryAfterMs - 1.001).result.allowed) {
          return 'there before the time that was named';
        }
      }
    }
    if (result.remaining > limit.burst || result.remaining < 0) return 'more left than it holds';
  }
  for (let from = 0; from < taken.length; from += 1) {
    let sum = 0;
    for (let to = from; to < taken.length; to += 1) {
      sum += taken[to]?.cost ?? 0;
      const spanMs = (taken[to]?.at ?? 0) - (taken[from]?.at ?? 0);
      if (sum > limit.burst + (spanMs * limit.tokens) / limit.perMs + 1e-6) return 'more than the limit allows';
    }
  }
  return undefined;
}

const check = (subject: Take) =>
  fc.check(
    fc.property(limits, steps, (limit, list) => brokenRule(limit, list, subject) === undefined),
    { numRuns: 300, seed: 7 },
  );

describe('a token bucket', () => {
  it('allows exactly its limit, and names the time of the next', () => {
    expect(check(take).failed).toBe(false);
  });

  const MUTANTS: Record<string, Take> = {
    'refused takes cost': (limit, state, cost, now) => {
      const step = take(limit, state, cost, now);
      return step.result.allowed ? step : { ...step, state: { ...step.state, tokens: 0 } };
    },
    'it holds more than its burst': (limit, state, cost, now) =>
      take({ ...limit, burst: limit.burst + 1 }, state, cost, now),
    'time counts twice': (limit, state, cost, now) => take({ ...limit, tokens: limit.tokens * 2 }, state, cost, now),
    'it waits too long': (limit, state, cost, now) => {
      const step = take(limit, state, cost, now);
      const { retryAfterMs } = step.result;
      return { ...step, result: { ...step.result, retryAfterMs: retryAfterMs === 0 ? 0 : retryAfterMs + 5 } };
    },
    'one too many': (limit, state, cost, now) => {
      const step = take(limit, state, cost, now);
      return step.result.allowed ? step : take(limit, state, cost - 1, now);
    },
  };
  for (const [name, subject] of Object.entries(MUTANTS)) {
    it(`is checked well enough to tell: ${name}`, () => {
      expect(check(subject).failed).toBe(true);
    });
  }

  it('does not fill while a clock goes back, and gives no more than it holds', () => {
    const limit = { tokens: 1, perMs: 1_000, burst: 2 };
    const empty = take(limit, undefined, 2, 10_000).state;
    expect(take(limit, empty, 1, 5_000).result.allowed).toBe(false);
    expect(refill(limit, empty, 5_000).tokens).toBe(0);
    expect(give(limit, undefined, 5, 0).tokens).toBe(2);
    expect([isFull(limit, empty, 10_000), isFull(limit, empty, 12_000)]).toEqual([false, true]);
  });
});

describe('the waiting line', () => {
  const op = fc.oneof(
    fc.constant({ type: 'push' as const }),
    fc.record({ type: fc.constant('pass' as const), ms: fc.nat(8) }),
    fc.constant({ type: 'drain' as const }),
    fc.record({ type: fc.constant('remove' as const), which: fc.nat(5) }),
  );
  type Op = { type: 'push' } | { type: 'pass'; ms: number } | { type: 'drain' } | { type: 'remove'; which: number };
  type Line = Pick<WaitingLine<number>, 'push' | 'expire' | 'drain' | 'remove' | 'size' | 'deadline'>;

  const play = (max: number, timeoutMs: number, list: readonly Op[], create: () => Line): boolean => {
    const line = create();
    let model: { item: number; by: number }[] = [];
    let now = 0;
    let ids = 0;
    for (const each of list) {
      if (each.type === 'push') {
        ids += 1;
        const fits = model.length < max;
        if (line.push(ids, now) !== fits) return false;
        if (fits) model.push({ item: ids, by: now + timeoutMs });
      } else if (each.type === 'pass') {
        now += each.ms;
        const late = model.filter(({ by }) => by <= now).map(({ item }) => item);
        model = model.filter(({ by }) => by > now);
        if (line.expire(now).join() !== late.join()) return false;
      } else if (each.type === 'drain') {
        if (line.drain().join() !== model.map(({ item }) => item).join()) return false;
        model = [];
      } else {
        const gone = model[each.which]?.item;
        if (gone !== undefined) line.remove(gone);
        model = model.filter(({ item }) => item !== gone);
      }
      if (line.size !== model.length || line.deadline !== model[0]?.by) return false;
    }
    return true;
  };
  const verdict = (create: (max: number, timeoutMs: number) => Line) =>
    fc.check(
      fc.property(
        fc.nat(4),
        fc.integer({ min: 1, max: 6 }),
        fc.array(op, { maxLength: 40, size: 'max' }),
        (max, ms, list) => play(max, ms, list, () => create(max, ms)),
      ),
      { numRuns: 300, seed: 5 },
    ).failed;

  it('lets nobody in beyond its bound, everybody out in time and in order', () => {
    expect(verdict((max, ms) => new WaitingLine(max, ms))).toBe(false);
  });

  it('is checked well enough to tell a bound of one more, a wait of one more, and the wrong order', () => {
    expect(verdict((max, ms) => new WaitingLine(max + 1, ms))).toBe(true);
    expect(verdict((max, ms) => new WaitingLine(max, ms + 1))).toBe(true);
    class Backwards extends WaitingLine<number> {
      override drain(): readonly number[] {
        return [...super.drain()].reverse();
      }
    }
    expect(verdict((max, ms) => new Backwards(max, ms))).toBe(true);
  });
});
