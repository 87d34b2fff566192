/** One owner on a cluster of three nodes, where no script sees lease and room at once. */
import { createShardOwner, RedisError, redisEngine, redisSessionStore, type ShardOwnership } from '@guildkit/redis';
import { applyRoomEvent, initialRoomState, type NewRoomEvent } from '@guildkit/server-kit/hub';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectToCluster, startCluster } from '../support/redis-cluster.js';
import { hasRedis } from '../support/redis-server.js';

const eventually = <T>(attempt: () => T | Promise<T>) => vi.waitFor(attempt, { timeout: 30_000, interval: 20 });
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'taken',
    (error: unknown) => (RedisError.is(error) ? error.code : error),
  );

describe.skipIf(!hasRedis)('the owner of a shard on a cluster', () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  const clients: Awaited<ReturnType<typeof connectToCluster>>[] = [];
  beforeAll(async () => {
    cluster = await startCluster();
    for (let n = 0; n < 2; n += 1) clients.push(await connectToCluster(cluster.ports));
  }, 60_000);
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await cluster.close();
  });

  it('writes nothing any more on any node once another was elected, in rooms that the other never wrote to', async () => {
    const [here, there] = clients as [(typeof clients)[number], (typeof clients)[number]];
    const stand = (client: typeof here) => {
      const owner = createShardOwner({
        client,
        leaseMs: 20_000,
        askEveryMs: 50,
        run: ({ signal }) =>
          new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
      });
      const elected = () =>
        eventually(() => {
          expect(owner.ownership).toBeDefined();
          return owner.ownership as ShardOwnership;
        });
      return { owner, elected };
    };
    const a = stand(here);
    const before = await a.elected();
    const engine = redisEngine({ client: here, applyRoomEvent, initialRoomState });
    const store = redisSessionStore({ client: here, ownership: before });
    const session = { sessionId: 's', seq: 1, resumeUrl: 'wss://resume', userId: '42', savedAt: 1 };
    const rooms = Array.from({ length: 12 }, (_, n) => `channel:${n + 1}`);
    const publish = (ownership: ShardOwnership, n: number) =>
      rooms.map((room) => {
        const event: NewRoomEvent = { event: 'chat.message', payload: n, id: `id ${n}`, ts: 1, group: 'guild:1' };
        return codeOf(engine.fenced(ownership, () => engine.publish(room, event)));
      });
    expect(new Set(await Promise.all(publish(before, 1)))).toEqual(new Set(['taken']));
    await store.save('a', session);

    // The lease runs out while its owner thinks of other things.
    await here.hSet('guildkit:{owner:gateway}:lease', 'until', '1');
    const b = stand(there);
    const after = await b.elected();
    expect(after.term).toBeGreaterThan(before.term);
    const late = await Promise.all([...publish(before, 2), codeOf(store.save('a', { ...session, seq: 2 }))]);
    expect(new Set(late)).toEqual(new Set(['ERR_REDIS_OWNER_DEPOSED']));
    expect(new Set(await Promise.all(publish(after, 3)))).toEqual(new Set(['taken']));
    for (const room of rooms) expect((await engine.read(room)).seq).toBe(2);
    expect(await store.load('a')).toEqual(session);
    await a.owner.close();
    await b.owner.close();
    await engine.close();
  }, 60_000);
});
