/** Who is told of a dispatch, and how rarely anyone is asked. */
import { expect, test } from 'vitest';
import { DispatchRouter, type DispatchSink } from '../../src/dispatch-router.js';

const META = { shardId: 0, seq: 1, replayed: false, traceId: 't' };

function sink(wanted: Set<string>, told: string[] = [], label = '') {
  let asked = 0;
  const made: DispatchSink = {
    wants(name) {
      asked += 1;
      return wanted.has(name);
    },
    push: (name) => told.push(`${label}${name}`),
  };
  return { sink: made, asked: () => asked };
}

test('those that want a dispatch are told in their order, and asked once until something changes', () => {
  const told: string[] = [];
  const names = new Set(['A']);
  const first = sink(names, told, 'first:');
  const second = sink(new Set(['A', 'B']), told, 'second:');
  const everything = sink(new Set(), told);
  const router = new DispatchRouter([first.sink, second.sink], everything.sink);
  for (let n = 0; n < 3; n += 1) for (const name of ['A', 'B']) router.push(name, {}, META);
  expect(told.slice(0, 3)).toEqual(['first:A', 'second:A', 'second:B']);
  expect(told).toHaveLength(9);
  expect(first.asked()).toBe(2);
  names.add('B');
  router.reset();
  told.length = 0;
  router.push('B', {}, META);
  expect(told).toEqual(['first:B', 'second:B']);
});

test('who wants everything may change its mind at any time', () => {
  const wanted = new Set<string>();
  const told: string[] = [];
  const router = new DispatchRouter([], sink(wanted, told).sink);
  expect(router.wants('A')).toBe(false);
  wanted.add('A');
  expect(router.wants('A')).toBe(true);
  router.push('A', {}, META);
  expect(told).toEqual(['A']);
});

test('all is wanted until something was not, and again when listeners change', () => {
  const router = new DispatchRouter([sink(new Set(['A'])).sink], sink(new Set()).sink);
  expect([router.wantsAll, router.wants('A'), router.wantsAll]).toEqual([true, true, true]);
  expect([router.wants('B'), router.wantsAll]).toEqual([false, false]);
  router.reset();
  expect(router.wantsAll).toBe(true);
});

test('names without end take no memory without end', () => {
  const wanted = new Set(['KEPT']);
  const counted = sink(wanted);
  const router = new DispatchRouter([counted.sink], sink(new Set()).sink);
  for (let n = 0; n < 5_000; n += 1) router.wants(`NAME_${n}`);
  expect(router.wants('KEPT')).toBe(true);
  expect((router as unknown as { routes: Map<string, unknown> }).routes.size).toBeLessThanOrEqual(512);
});
