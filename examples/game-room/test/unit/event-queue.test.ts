import type { DomainEvent } from '@guildkit/core';
import { createVirtualClock } from '@guildkit/testkit';
import { expect, test } from 'vitest';
import { createEventQueue } from '../../src/server/event-queue.js';

const event = (id: string) => ({ id }) as DomainEvent;

function setUp(outcomes: readonly string[] = []) {
  const clock = createVirtualClock();
  const left = [...outcomes];
  const steps: string[] = [];
  const queue = createEventQueue({
    async take({ id }) {
      const outcome = left.shift() ?? 'published';
      steps.push(`${id} ${outcome}`);
      if (outcome === 'throws') throw new Error('no');
      return outcome;
    },
    onSent: (id) => steps.push(`${id} sent`),
    onTaken: (id) => steps.push(`${id} taken`),
    clock,
  });
  return { clock, steps, queue };
}

test('one after the other, each told as it comes and when it is taken', async () => {
  const { queue, steps } = setUp();
  queue.push(event('a'));
  queue.push(event('b'));
  await queue.drain(1_000);
  expect(steps).toEqual(['a sent', 'a published', 'b sent', 'a taken', 'b published', 'b taken']);
  expect(queue.size).toBe(0);
});

test('what fails is tried again before the next, with a growing delay', async () => {
  const { queue, steps, clock } = setUp(['failed', 'throws']);
  queue.push(event('a'));
  queue.push(event('b'));
  await clock.advance(0);
  expect(steps).toEqual(['a sent', 'a failed', 'b sent']);
  expect(queue.size).toBe(2);
  await clock.advance(10_000);
  expect(steps.slice(3)).toEqual(['a throws', 'a published', 'a taken', 'b published', 'b taken']);
});

test('a drain ends with its time; what a close leaves was never taken', async () => {
  const { queue, steps, clock } = setUp(Array.from({ length: 100 }, () => 'failed'));
  queue.push(event('a'));
  let isDrained = false;
  const drained = queue.drain(3_000).then(() => {
    isDrained = true;
  });
  await clock.advance(2_999);
  expect(isDrained).toBe(false);
  await clock.advance(1);
  await drained;
  queue.close();
  await clock.advance(60_000);
  const before = steps.length;
  queue.push(event('b'));
  await clock.advance(60_000);
  expect(steps).toHaveLength(before);
  expect(steps.filter((step) => step.endsWith('taken') || step.startsWith('b'))).toEqual([]);
});
