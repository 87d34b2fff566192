/** The shared limits under the suite that the store in memory passes, by the server's own time. */
import { systemClock } from '@guildkit/core';
import { redisRateLimitStore } from '@guildkit/redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeRateLimitStore } from '../../../rest/test/support/rate-limit-store-contract.js';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';

const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe.skipIf(!hasRedis)('on a Redis', () => {
  let server: TestRedis;
  let prefixes = 0;
  beforeAll(async () => {
    server = await TestRedis.start();
  });
  afterAll(() => server.close());

  describeRateLimitStore('redisRateLimitStore', async () => {
    const clients = [await connectTo(server.path), await connectTo(server.path)] as const;
    prefixes += 1;
    const prefix = `p${prefixes}`;
    return {
      views: [redisRateLimitStore({ client: clients[0], prefix }), redisRateLimitStore({ client: clients[1], prefix })],
      clock: systemClock,
      advance: pass,
      settle: (promise) => promise,
      close: async () => {
        for (const client of clients) await client.close();
      },
    };
  });

  it('leaves no key behind that never ends', async () => {
    const client = await connectTo(server.path);
    await client.flushAll();
    const store = redisRateLimitStore({ client });
    const slots = [{ key: 'k', limit: 1 }];
    await store.take('a', slots, 500.5);
    await store.release('a', [
      { key: 'k', holdMs: 0.5 },
      { key: 'other', holdMs: 100 },
    ]);
    await store.block('k', 250.25);
    await store.block('k', 0);
    await store.learn('GET /x', { hash: 'h', limit: 5, windowMs: 1_000.5 });
    expect(await store.recall('GET /x')).toEqual({ hash: 'h', limit: 5, windowMs: 1_000.5 });
    const keys = await client.keys('*');
    expect(keys).toHaveLength(4);
    for (const key of keys) expect(await client.pTTL(key)).toBeGreaterThan(0);
    await client.close();
  });

  it('rejects, rather than to give what is not there', async () => {
    const client = await connectTo(server.path);
    const store = redisRateLimitStore({ client, commandTimeoutMs: 200 });
    server.pause();
    await expect(store.take('a', [{ key: 'k', limit: 1 }], 1_000)).rejects.toMatchObject({
      code: 'ERR_REDIS_COMMAND_TIMEOUT',
      retryable: true,
    });
    server.resume();
    client.destroy();
    await expect(store.recall('x')).rejects.toMatchObject({ code: 'ERR_REDIS_SERVER_UNAVAILABLE' });
    expect(() => redisRateLimitStore({} as never)).toThrow(TypeError);
  });
});
