import { describe, expect, test } from 'vitest';
import { firstFree, type HeldSlots, heldList, hold, lastFree, NO_SLOTS, release } from '../../src/protocol/held.js';

const WINDOW_MS = 1_000;
const held = (...untils: number[]): HeldSlots =>
  untils.reduce((slots, until) => hold(slots, until, WINDOW_MS), NO_SLOTS);
const untils = (slots: HeldSlots): number[] => heldList(slots).map(({ until }) => until);

describe('held slots', () => {
  test('are freed in order, each at its own moment', () => {
    let slots = held(10, 20, 30, 40);
    for (const [now, left] of [
      [9, [10, 20, 30, 40]],
      [10, [20, 30, 40]],
      [35, [40]],
      [40, []],
    ] as const) {
      slots = release(slots, now);
      expect(untils(slots)).toEqual(left);
      expect(slots.count).toBe(left.length);
      expect(firstFree(slots)).toBe(left[0] ?? Number.POSITIVE_INFINITY);
      expect(lastFree(slots)).toBe(left.length === 0 ? Number.NEGATIVE_INFINITY : 40);
    }
  });

  test('adding and freeing in turn loses and keeps none, whatever the batches', () => {
    for (const step of [1, 2, 3, 7]) {
      let slots = NO_SLOTS;
      const model: number[] = [];
      for (let now = 0; now < 200; now += 1) {
        slots = hold(slots, now + 20, 0);
        model.push(now + 20);
        if (now % step !== 0) continue;
        slots = release(slots, now);
        while ((model[0] ?? now + 1) <= now) model.shift();
        expect(untils(slots)).toEqual(model);
        expect(slots.count).toBe(model.length);
      }
    }
  });

  test('an older version stays what it was', () => {
    const before = held(10, 20, 30);
    release(hold(before, 40, WINDOW_MS), 25);
    expect(untils(before)).toEqual([10, 20, 30]);
  });

  test('those that end at one moment are one entry', () => {
    const slots = held(10, 10, 10);
    expect(heldList(slots)).toEqual([{ from: 10, until: 10, count: 3 }]);
    expect(release(slots, 10)).toBe(NO_SLOTS);
  });

  test('many are merged, each delayed by a 64th of the window at most', () => {
    const all = held(...Array.from({ length: 10_000 }, (_, n) => 1_000 + n / 10));
    const entries = heldList(all);
    expect(entries.reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
    expect(entries.length).toBeLessThan(140);
    expect(Math.max(...entries.map(({ from, until }) => until - from))).toBeLessThanOrEqual(WINDOW_MS / 64);
  });
});
