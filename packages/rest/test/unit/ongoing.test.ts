/** One timer for the deadlines of all requests. */
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { Ongoing } from '../../src/io/ongoing.js';
import { closedError, createRun, type PreparedRequest, type Run } from '../../src/io/run.js';
import { routeOf } from '../../src/protocol/route.js';

const START = 1_000;

function setup() {
  const clock = createVirtualClock();
  const ongoing = new Ongoing(clock);
  let ids = 0;
  const begin = (timeoutMs: number): Run => {
    ids += 1;
    const run = createRun({ route: routeOf('GET', '/gateway'), timeoutMs } as PreparedRequest, ids, clock.now());
    ongoing.add(run, run.deadlineAt);
    return run;
  };
  return { clock, ongoing, begin };
}

describe('requests that go on', () => {
  test('end at their own deadlines, in whichever order they came', async () => {
    const { clock, begin } = setup();
    const runs = [300, 100, 200].map(begin);
    const stopped = () => runs.map((run) => run.stopped?.code === 'ERR_REST_REQUEST_TIMEOUT');
    await clock.advance(99);
    expect(stopped()).toEqual([false, false, false]);
    await clock.advance(1);
    expect(stopped()).toEqual([false, true, false]);
    await clock.advance(100);
    expect(stopped()).toEqual([false, true, true]);
    await clock.advance(100);
    expect(stopped()).toEqual([true, true, true]);
  });

  test('have an attempt ended before, and go on', async () => {
    const { clock, ongoing, begin } = setup();
    const run = begin(START);
    let cancelled = 0;
    run.pending = {
      cancel() {
        cancelled += 1;
      },
    };
    run.attemptEndsAt = clock.now() + 50;
    ongoing.checkBy(run.attemptEndsAt);
    await clock.advance(50);
    expect([cancelled, run.attemptExpired, run.stopped]).toEqual([1, true, undefined]);
    await clock.advance(START - 50);
    expect(cancelled).toBe(2);
    expect(run.stopped).toMatchObject({ code: 'ERR_REST_REQUEST_TIMEOUT' });
  });

  test('leave no timer behind, whichever is removed first', () => {
    const { clock, ongoing, begin } = setup();
    const runs = [1, 2, 3, 4].map((n) => begin(n * START));
    for (const at of [1, 3, 0, 2]) {
      expect(clock.nextAt).toBeDefined();
      const run = runs[at];
      if (run !== undefined) ongoing.remove(run);
    }
    expect(ongoing.size).toBe(0);
    expect(clock.nextAt).toBeUndefined();
  });

  test('are looked at seldom when they are many and end one by one', async () => {
    const { clock, begin } = setup();
    const runs = Array.from({ length: 5_000 }, (_, n) => begin(START + n / 10));
    let looks = 0;
    const now = clock.now.bind(clock);
    const last = (runs.at(-1)?.deadlineAt ?? 0) + 10;
    while (clock.nextAt !== undefined && clock.nextAt <= last) {
      looks += 1;
      await clock.advance(clock.nextAt - now());
    }
    expect(runs.every(({ stopped }) => stopped !== undefined)).toBe(true);
    expect(looks).toBeLessThan(200);
  });

  test('all end at once with the reason that is given; the first one stands', () => {
    const { ongoing, begin } = setup();
    const runs = [begin(START), begin(START)];
    ongoing.stop(closedError);
    const first = runs.map(({ stopped }) => stopped);
    ongoing.stop(closedError);
    expect(first.map((error) => error?.code)).toEqual(['ERR_REST_CLIENT_CLOSED', 'ERR_REST_CLIENT_CLOSED']);
    expect(runs.map(({ stopped }) => stopped)).toEqual(first);
  });
});
