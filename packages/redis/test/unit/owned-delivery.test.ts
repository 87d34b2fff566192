/** The way of an owner's events, where its model does not look: bounds, ends, what is stored when. */
import { setImmediate } from 'node:timers/promises';
import type { DomainEvent } from '@guildkit/core';
import { memorySessionStore } from '@guildkit/gateway';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';
import { OwnedDelivery, type OwnedDeliveryOptions } from '../../src/io/owned-delivery.js';

const event = (n: number, guildId: string | null = '1'): DomainEvent => {
  const payload = { guildId, channelId: '10', userId: '2', timestamp: 1 };
  return { event: 'typing.started', payload, id: `e${n}`, traceId: `t${n}`, ts: 1 };
};
const session = (seq: number) => ({ sessionId: 's', seq, resumeUrl: 'wss://resume', userId: '9', savedAt: 1 });
const settle = async () => {
  for (let turn = 0; turn < 3; turn += 1) await setImmediate();
};

function setUp(options: Partial<OwnedDeliveryOptions> = {}) {
  const clock = createVirtualClock();
  const store = memorySessionStore();
  const abort = new AbortController();
  const ownership = { isValid: true, signal: abort.signal };
  /** Under way, by id: settled by the test. */
  const takes: { readonly id: string; readonly settle: (outcome: string | Error) => void }[] = [];
  let fulls = 0;
  const delivery = new OwnedDelivery({
    ownership,
    store,
    take: ({ id }) =>
      new Promise((resolve, reject) => {
        takes.push({ id, settle: (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)) });
      }),
    told: { has: async () => false, add: async () => {} },
    maxQueued: 3,
    onFull: () => {
      fulls += 1;
    },
    clock,
    ...options,
  });
  const answer = async (outcome: string | Error) => {
    takes.shift()?.settle(outcome);
    await settle();
  };
  return { clock, store, abort, ownership, takes, delivery, answer, fulls: () => fulls };
}

describe('the delivery of an owner', () => {
  it('takes the events of one guild one after the other, those of others beside them', async () => {
    const { delivery, takes, answer } = setUp();
    for (const each of [event(1), event(2), event(3, '2'), event(4, null)]) delivery.deliver(each);
    await settle();
    expect(takes.map(({ id }) => id)).toEqual(['e1', 'e3', 'e4']);
    await answer('published');
    expect(takes.map(({ id }) => id)).toEqual(['e3', 'e4', 'e2']);
    expect(delivery.queued).toBe(3);
  });

  it('says once that too much waits', async () => {
    const { delivery, fulls } = setUp();
    for (let n = 1; n <= 6; n += 1) delivery.deliver(event(n));
    expect(fulls()).toBe(1);
  });

  it('stores a place when everything told before it was taken, and the newest of those that wait', async () => {
    const { delivery, store, answer, clock } = setUp();
    const { sessionStore } = delivery;
    const stored = async () => (await store.load('key'))?.seq;
    delivery.deliver(event(1));
    for (const seq of [1, 2, 3]) await sessionStore.save('key', session(seq));
    delivery.deliver(event(2));
    await sessionStore.save('key', session(4));
    await settle();
    expect(await stored()).toBeUndefined();
    await answer(new Error('no answer'));
    await clock.advance(50);
    await settle();
    await answer('duplicate');
    // Those between are not worth a write; the newest waits for the second event.
    expect(await stored()).toBe(1);
    await answer('failed');
    await clock.advance(50);
    await settle();
    await answer('published');
    expect(await stored()).toBe(4);
    await sessionStore.save('key', session(5));
    expect(await stored()).toBe(5);
    await sessionStore.remove('key');
    expect(await stored()).toBeUndefined();
  });

  it('writes nothing once its ownership is over, and ends', async () => {
    const { delivery, store, ownership, abort, answer, takes, clock } = setUp();
    delivery.deliver(event(1));
    delivery.deliver(event(2));
    await settle();
    ownership.isValid = false;
    abort.abort();
    await delivery.sessionStore.save('key', session(1));
    const drained = delivery.drain(10_000);
    await answer('failed');
    await drained;
    expect(takes).toEqual([]);
    expect(await store.load('key')).toBeUndefined();
    expect([delivery.queued, clock.pending]).toEqual([2, 0]);
  });

  it('waits at its end for the event that is being taken, and for no other', async () => {
    const { delivery, clock, takes, answer } = setUp();
    delivery.deliver(event(1));
    delivery.deliver(event(2));
    await settle();
    let isDrained = false;
    const drained = delivery.drain(1_000).then(() => {
      isDrained = true;
    });
    await clock.advance(5_000);
    await settle();
    expect([isDrained, takes.length]).toEqual([false, 1]);
    await answer('published');
    await drained;
    expect([takes.length, clock.pending, delivery.queued]).toEqual([0, 0, 1]);
  });

  it('hears in a moment whether its lease still holds', async () => {
    const { delivery, ownership, clock, takes } = setUp();
    ownership.isValid = false;
    delivery.deliver(event(1));
    await settle();
    expect(takes).toEqual([]);
    ownership.isValid = true;
    await clock.advance(50);
    await settle();
    expect(takes.map(({ id }) => id)).toEqual(['e1']);
  });
});
