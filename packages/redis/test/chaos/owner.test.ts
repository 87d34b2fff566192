/** One owner among several, on a Redis: handed over, taken over, and what a deposed owner may still write: nothing. */
import { createShardOwner, RedisError, redisEngine, redisSessionStore, type ShardOwnership } from '@guildkit/redis';
import { applyRoomEvent, initialRoomState, type NewRoomEvent } from '@guildkit/server-kit/hub';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';

const eventually = <T>(attempt: () => T | Promise<T>) => vi.waitFor(attempt, { timeout: 15_000, interval: 10 });
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Client = Awaited<ReturnType<typeof connectTo>>;

async function connect(server: TestRedis): Promise<Client> {
  const client = await connectTo(server.path);
  closing.push(async () => client.destroy());
  return client;
}

async function start(): Promise<TestRedis> {
  const server = await TestRedis.start();
  closing.push(() => server.close());
  return server;
}

/** Stands for election; its work lasts until it is told to end. */
function stand(client: Client, options: { leaseMs?: number; askEveryMs?: number } = {}) {
  const ownerships: ShardOwnership[] = [];
  const owner = createShardOwner({
    client,
    leaseMs: 10_000,
    askEveryMs: 20,
    ...options,
    run: async (ownership) => {
      ownerships.push(ownership);
      if (!ownership.signal.aborted) {
        await new Promise((resolve) => ownership.signal.addEventListener('abort', resolve, { once: true }));
      }
    },
  });
  owner.on('error', () => {});
  closing.push(() => owner.close());
  const elected = () =>
    eventually(() => {
      const { ownership } = owner;
      expect(ownership).toBeDefined();
      return ownership as ShardOwnership;
    });
  return { owner, ownerships, elected };
}

const event = (n: number): NewRoomEvent => ({ event: 'chat.message', payload: n, id: `id ${n}`, ts: 1 });
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'taken',
    (error: unknown) => (RedisError.is(error) ? error.code : error),
  );

describe.skipIf(!hasRedis)('the owner of a shard', () => {
  it('is one of those who stand, and hands over when it closes', async () => {
    const server = await start();
    const [a, b] = [stand(await connect(server)), stand(await connect(server))];
    await eventually(() => expect([a, b].filter(({ owner }) => owner.isOwner)).toHaveLength(1));
    const [first, second] = a.owner.isOwner ? [a, b] : [b, a];
    const before = await first.elected();
    expect(second.owner.ownership).toBeUndefined();
    await first.owner.close();
    expect([first.owner.state, before.signal.aborted, before.isValid]).toEqual(['closed', true, false]);
    const after = await second.elected();
    expect(after.term).toBeGreaterThan(before.term);
    expect(first.ownerships).toHaveLength(1);
  });

  it('writes nothing any more once another was elected, wherever it does not know it yet', async () => {
    const server = await start();
    const client = await connect(server);
    const a = stand(client);
    const before = await a.elected();
    const engine = redisEngine({ client, applyRoomEvent, initialRoomState });
    closing.push(() => engine.close());
    const store = redisSessionStore({ client, ownership: before });
    const session = (seq: number) => ({ sessionId: 's', seq, resumeUrl: 'wss://resume', userId: '42', savedAt: 1 });
    await store.save('a', session(1));
    expect(await codeOf(engine.fenced(before, () => engine.publish('channel:1', event(1))))).toBe('taken');

    // As if it had slept for longer than its lease: the server lets another have it.
    await client.sendCommand(['HSET', 'guildkit:{owner:gateway}:lease', 'until', '1']);
    const b = stand(await connect(server));
    const after = await b.elected();
    expect(before.isValid).toBe(true);

    const state = await client.hGetAll('guildkit:{channel:1}:meta');
    const late = [
      engine.fenced(before, () => engine.publish('channel:1', event(2))),
      engine.fenced(before, () => engine.publish('channel:2', { ...event(2), group: 'guild:1' })),
      // In the work that it awaits, too.
      engine.fenced(before, () => Promise.resolve().then(() => engine.publish('channel:1', event(3)))),
      store.save('a', session(2)),
      store.remove('a'),
      store.identifyBudgets?.save('a', { total: 1, remaining: 1, resetAt: 1 }) ?? Promise.resolve(),
    ];
    expect(await Promise.all(late.map(codeOf))).toEqual(Array(6).fill('ERR_REDIS_OWNER_DEPOSED'));
    expect(await client.hGetAll('guildkit:{channel:1}:meta')).toEqual(state);
    expect(await client.keys('*channel:2*')).toEqual([]);
    expect(await client.keys('*group*')).toEqual([]);
    expect(await store.load('a')).toEqual(session(1));
    // It has learned of it by that.
    expect([before.isValid, before.signal.aborted]).toEqual([false, true]);
    expect(RedisError.is(before.signal.reason)).toBe(true);

    expect(await codeOf(engine.fenced(after, () => engine.publish('channel:1', event(2))))).toBe('taken');
    expect(await codeOf(engine.publish('channel:1', event(4)))).toBe('taken');
    expect((await engine.read('channel:1')).seq).toBe(3);
  });

  it('stops by its own clock before another is elected', async () => {
    const server = await start();
    const cut = await connect(server);
    const a = stand(cut, { leaseMs: 500 });
    await a.elected();
    const b = stand(await connect(server), { leaseMs: 500 });
    const order: string[] = [];
    a.owner.on('deposed', ({ reason }) => order.push(`a ${reason}`));
    b.owner.on('elected', () => order.push('b elected'));
    cut.destroy();
    await b.elected();
    expect(order).toEqual(['a expired', 'b elected']);
    expect(a.owner.state).not.toBe('owner');
  });

  it('may be elected again at once when Redis has lost everything; no term comes twice', async () => {
    const server = await start();
    const client = await connect(server);
    const [a, b] = [stand(client, { leaseMs: 500 }), stand(await connect(server), { leaseMs: 500 })];
    const terms: number[] = [];
    for (const { owner } of [a, b]) owner.on('elected', ({ term }) => terms.push(term));
    for (let n = 1; n <= 3; n += 1) {
      await eventually(() => expect(terms).toHaveLength(n));
      await client.flushAll();
    }
    await eventually(() => expect(terms.length).toBeGreaterThan(3));
    expect(new Set(terms).size).toBe(terms.length);
    expect([...terms].sort((x, y) => x - y)).toEqual(terms);
  });
});
