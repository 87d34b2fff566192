/** A store that hangs holds up neither connect() nor close(). */
import { memorySessionStore, type SessionStore } from '@guildkit/gateway';
import { createVirtualClock } from '@guildkit/testkit';
import { expect, test } from 'vitest';
import { boundedStore, STORE_TIMEOUT_MS } from '../../src/io/bounded-store.js';
import { fakeGateway } from '../support/fake-gateway.js';

const never = (): Promise<never> => new Promise(() => {});
const HANGING: SessionStore = {
  load: never,
  save: never,
  remove: never,
  identifyBudgets: { load: never, save: never },
};

test('what a store has not done in time has failed, and no timer is left', async () => {
  const clock = createVirtualClock();
  const store = boundedStore(HANGING, clock);
  const session = { sessionId: 's', seq: 1, resumeUrl: 'wss://r', userId: '1', savedAt: 0 };
  const budget = { total: 1, remaining: 1, resetAt: 0 };
  const work = [
    store.load('k'),
    store.save('k', session),
    store.remove('k'),
    store.identifyBudgets?.load('k'),
    store.identifyBudgets?.save('k', budget),
  ];
  const failed = Promise.all(work.map((promise) => expect(promise).rejects.toThrow('no answer in 10000 ms')));
  await clock.advance(STORE_TIMEOUT_MS);
  await failed;
  expect(clock.pending).toBe(0);
});

test('what it does in time is what it did', async () => {
  const clock = createVirtualClock();
  const inner = memorySessionStore();
  const store = boundedStore(inner, clock);
  const session = { sessionId: 's', seq: 1, resumeUrl: 'wss://r', userId: '1', savedAt: 0 };
  await store.save('k', session);
  expect(await store.load('k')).toEqual(session);
  await store.remove('k');
  expect(await inner.load('k')).toBeUndefined();
  const failing = boundedStore({ ...inner, load: () => Promise.reject(new Error('disk')) }, clock);
  await expect(failing.load('k')).rejects.toThrow('disk');
  const throwing = () => {
    throw new Error('a bug of the store');
  };
  await expect(boundedStore({ ...inner, load: throwing }, clock).load('k')).rejects.toThrow('a bug of the store');
  expect(clock.pending).toBe(0);
});

test('a client whose store hangs connects with a new session, says so, and closes', async () => {
  const { client, clock, sockets, last } = fakeGateway({ sessionStore: HANGING });
  const told: string[] = [];
  client.on('error', ({ code }) => told.push(code));
  // Hashing the token takes a turn of the event loop.
  const until = async (holds: () => boolean): Promise<void> => {
    for (let turn = 0; turn < 200 && !holds(); turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(500);
    }
    expect(holds()).toBe(true);
  };
  const connected = client.connect();
  await until(() => sockets.length > 0);
  last().receive({ op: 10, d: { heartbeat_interval: 600_000 } });
  await until(() => last().sent.length > 0);
  expect(last().sent[0]).toMatchObject({ op: 2 });
  const ready = { session_id: 's', resume_gateway_url: 'wss://r', user: { id: '1' }, guilds: [] };
  last().receive({ op: 0, t: 'READY', s: 1, d: ready });
  await connected;
  let closed = false;
  const closing = client.close().then(() => {
    closed = true;
  });
  await until(() => closed);
  await closing;
  expect(new Set(told)).toEqual(new Set(['ERR_GATEWAY_STORE_FAILED']));
  expect(clock.pending).toBe(0);
});
