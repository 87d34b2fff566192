/** How a stage runs its window: one timer, effects in order, inputs that come meanwhile after them. */
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { Stage, type StageHost } from '../../src/io/stage.js';
import { initialWindow, type WindowEffect } from '../../src/protocol/window.js';

const NAME = { kind: 'bucket', key: 'k', name: 'abc', majorId: '7', hash: 'abc' } as const;

function setup(run: (stage: Stage, effect: WindowEffect, now: number) => void = () => {}) {
  const clock = createVirtualClock();
  const seen: string[] = [];
  const faults: unknown[] = [];
  const host: StageHost = {
    clock,
    run(stage, effect, now) {
      seen.push(effect.type === 'start' ? `start ${effect.id} at ${now}` : `wait for ${effect.size}`);
      run(stage, effect, now);
    },
    fault: (error) => faults.push(error),
  };
  const stage = new Stage(host, NAME, clock.now(), initialWindow({ limit: 1, windowMs: 100 }));
  const enqueue = (id: number): void => stage.dispatch({ type: 'enqueue', id, now: clock.now() });
  const settle = (): void => stage.dispatch({ type: 'settle', spent: true, now: clock.now() });
  return { clock, stage, seen, faults, enqueue, settle };
}

describe('a stage', () => {
  test('has a timer only while time alone lets the next one go', async () => {
    const { clock, seen, enqueue, settle } = setup();
    enqueue(1);
    enqueue(2);
    expect(clock.nextAt).toBeUndefined();
    settle();
    expect(clock.nextAt).toBe(clock.now() + 100);
    const at = clock.now() + 100;
    await clock.advance(100);
    expect(seen).toEqual([`start 1 at ${at - 100}`, 'wait for 1', `start 2 at ${at}`]);
    expect(clock.nextAt).toBeUndefined();
  });

  test('takes what is dispatched while effects run after them', () => {
    const order: string[] = [];
    const { clock, stage } = setup((self, effect) => {
      if (effect.type !== 'start') return;
      order.push(`begin ${effect.id}`);
      self.dispatch({ type: 'settle', spent: false, now: clock.now() });
      order.push(`end ${effect.id}, ${self.state.inFlight} in flight`);
    });
    stage.dispatch({ type: 'enqueue', id: 1, now: clock.now() });
    expect(order).toEqual(['begin 1', 'end 1, 1 in flight']);
    expect(stage.state.inFlight).toBe(0);
  });

  test('goes on after an effect that throws, and tells of it', () => {
    const { stage, faults, enqueue } = setup(() => {
      throw new Error('listener');
    });
    enqueue(1);
    enqueue(2);
    expect(faults).toHaveLength(1);
    expect(stage.state).toMatchObject({ inFlight: 1, queue: { size: 1 } });
  });

  test('has no timer after its end', () => {
    const { clock, stage, enqueue, settle } = setup();
    enqueue(1);
    enqueue(2);
    settle();
    stage.stop();
    expect(clock.nextAt).toBeUndefined();
  });

  test('is printed by its name and the id of what it belongs to', () => {
    expect(setup().stage.label).toBe('abc:7');
  });
});
