import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('createVirtualClock', () => {
  it('stands still until it is turned', () => {
    const clock = createVirtualClock();
    expect([clock.now(), clock.now(), clock.pending, clock.nextAt]).toEqual([0, 0, 0, undefined]);
    clock.advanceSync(25);
    expect(clock.now()).toBe(25);
  });

  it('fires what is due in order of time, then of setting, at its own time', () => {
    const clock = createVirtualClock();
    const fired: string[] = [];
    const set = (name: string, ms: number): unknown => clock.setTimer(() => fired.push(`${name}@${clock.now()}`), ms);
    set('late', 30);
    set('early', 10);
    set('also early', 10);
    set('past', -5);
    clock.advanceSync(29);
    expect(fired).toEqual(['past@0', 'early@10', 'also early@10']);
    expect([clock.pending, clock.nextAt, clock.now()]).toEqual([1, 30, 29]);
    clock.advanceSync(1);
    expect(fired).toHaveLength(4);
  });

  it('fires timers that a timer sets, when they fall in the same turn', () => {
    const clock = createVirtualClock();
    const fired: number[] = [];
    clock.setTimer(() => {
      fired.push(clock.now());
      clock.setTimer(() => fired.push(clock.now()), 5);
      clock.setTimer(() => fired.push(clock.now()), 50);
    }, 10);
    clock.advanceSync(20);
    expect(fired).toEqual([10, 15]);
  });

  it('forgets a cancelled timer and minds no unknown handle', () => {
    const clock = createVirtualClock();
    let fired = false;
    const handle = clock.setTimer(() => {
      fired = true;
    }, 1);
    clock.clearTimer(handle);
    clock.clearTimer(handle);
    clock.clearTimer(undefined);
    clock.advanceSync(10);
    expect(fired).toBe(false);
  });

  it('lets promises settle between timers when it is awaited', async () => {
    const clock = createVirtualClock();
    const log: string[] = [];
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => void clock.setTimer(resolve, ms));
    const task = (async () => {
      await sleep(10);
      log.push(`first@${clock.now()}`);
      await sleep(10);
      log.push(`second@${clock.now()}`);
    })();
    await clock.advance(20);
    await task;
    expect(log).toEqual(['first@10', 'second@20']);
  });

  it('moves the wall with time, and alone when it jumps', () => {
    const clock = createVirtualClock();
    const wall = clock.wallTime();
    clock.advanceSync(7);
    expect(clock.wallTime()).toBe(wall + 7);
    clock.jumpWall(-3_600_000);
    expect([clock.wallTime(), clock.now()]).toEqual([wall + 7 - 3_600_000, 7]);
  });

  it('fires every timer exactly once and in order, however time is cut up (property)', () => {
    const delays = fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 20 });
    const turns = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 10 });
    fc.assert(
      fc.property(delays, turns, (list, steps) => {
        const clock = createVirtualClock();
        const fired: number[] = [];
        for (const delay of list) clock.setTimer(() => fired.push(delay), delay);
        for (const step of steps) clock.advanceSync(step);
        const total = steps.reduce((sum, step) => sum + step, 0);
        const due = steps.length === 0 ? [] : list.filter((delay) => delay <= total);
        expect(fired).toEqual(due.sort((a, b) => a - b));
        expect(clock.pending).toBe(list.length - fired.length);
      }),
    );
  });
});
