/** The engine and the stores on a cluster of three nodes. */
import {
  redisEngine,
  redisIdentifyQueue,
  redisInviteStore,
  redisRateLimitStore,
  redisRoomStore,
  redisTokenBucketStore,
} from '@guildkit/redis';
import { applyRoomEvent, initialRoomState } from '@guildkit/server-kit/hub';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Reader } from '../support/reader.js';
import { connectToCluster, startCluster } from '../support/redis-cluster.js';
import { hasRedis } from '../support/redis-server.js';

describe.skipIf(!hasRedis)('on a cluster', () => {
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
  const at = (n: number) => clients[n] as (typeof clients)[number];

  it('rooms of all nodes reach the readers of all processes, each event once', async () => {
    const engines = [at(0), at(1)].map((client) => redisEngine({ client, applyRoomEvent, initialRoomState }));
    const rooms = Array.from({ length: 12 }, (_, n) => `channel:${n + 1}`);
    const readers = await Promise.all(engines.flatMap((engine) => rooms.map((room) => Reader.join(engine, room))));
    const events = Array.from({ length: 10 }, (_, n) => n);
    for (const n of events) {
      await Promise.all(
        rooms.map((room) =>
          engines[n % 2]?.publish(room, { event: 'chat.message', payload: n, id: `${n}`, ts: 1, group: 'guild:1' }),
        ),
      );
    }
    await vi.waitFor(() => expect(readers.map(({ seen }) => seen)).toEqual(readers.map(() => events)), {
      timeout: 15_000,
    });
    expect(readers.map(({ restarts }) => restarts)).toEqual(readers.map(() => 0));
    expect([...((await engines[1]?.rooms('guild:1')) ?? [])].sort()).toEqual([...rooms].sort());
    for (const engine of engines) await engine.close();
  });

  it('every store finds the keys of a step on one node', async () => {
    const limits = redisRateLimitStore({ client: at(0) });
    const slots = ['a', 'b', 'c', 'd'].map((key) => ({ key, limit: 1 }));
    expect(await limits.take('one', slots, 10_000)).toBe(0);
    expect(await limits.take('two', slots, 10_000)).toBeGreaterThan(0);
    const invites = redisInviteStore({ client: at(1) });
    await invites.revokeRoom('10', Date.now() + 10_000);
    expect(await invites.isRevoked('a', '10')).toBe(true);
    const rooms = redisRoomStore({ client: at(0) });
    expect(await rooms.claim('a', 10_000)).toBeDefined();
    expect(await rooms.list()).toEqual([]);
    const limit = { tokens: 5, perMs: 5_000, burst: 10 };
    expect(await redisTokenBucketStore({ client: at(1) }).take('a', 1, limit)).toMatchObject({ remaining: 9 });
    const queue = redisIdentifyQueue({ client: at(0) });
    const { signal } = new AbortController();
    expect(await queue.acquire({ shardId: 3, maxConcurrency: 2, signal })).toEqual({ granted: true });
  });
});
