/** What gateway clients of several processes share. */
import { redisIdentifyQueue, redisSessionStore } from '@guildkit/redis';
import { createVirtualClock } from '@guildkit/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identifyQueueSuite } from '../../../gateway/test/contract/identify-queue-suite.js';
import { aSession, sessionStoreSuite } from '../../../gateway/test/contract/session-store-suite.js';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';

describe.skipIf(!hasRedis)('on a Redis', () => {
  let server: TestRedis;
  let client: Awaited<ReturnType<typeof connectTo>>;
  let prefixes = 0;
  beforeAll(async () => {
    server = await TestRedis.start();
    client = await connectTo(server.path);
  });
  afterAll(async () => {
    client.destroy();
    await server.close();
  });

  identifyQueueSuite('redis', async () => {
    const clock = createVirtualClock();
    prefixes += 1;
    let underWay = 0;
    const counted = <T>(promise: Promise<T>): Promise<T> => {
      underWay += 1;
      return promise.finally(() => {
        underWay -= 1;
      });
    };
    const options = {
      client: {
        evalSha: (...args: Parameters<typeof client.evalSha>) => counted(client.evalSha(...args)),
        eval: (...args: Parameters<typeof client.eval>) => counted(client.eval(...args)),
      },
      clock,
      prefix: `p${prefixes}`,
    };
    /** Time stands still until Redis has answered and what waited for it has gone on. */
    const answered = async () => {
      for (let idle = 0; idle < 3; idle = underWay === 0 ? idle + 1 : 0) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    return {
      queues: [redisIdentifyQueue(options), redisIdentifyQueue(options)],
      now: () => clock.now(),
      async advance(ms) {
        const end = clock.now() + ms;
        await answered();
        while (clock.now() < end) {
          await clock.advance(Math.max(0, Math.min(end, clock.nextAt ?? end) - clock.now()));
          await answered();
        }
      },
      pending: () => clock.pending,
      close: async () => {},
    };
  });

  it('a shard whose process has died keeps nobody waiting for longer than its lease', async () => {
    const clock = createVirtualClock();
    const options = { client, clock, prefix: 'dead' };
    const signal = new AbortController().signal;
    await redisIdentifyQueue(options).acquire({ shardId: 0, maxConcurrency: 1, signal });
    // It asks, and never again: its time stands still.
    const dead = redisIdentifyQueue({ ...options, clock: createVirtualClock() });
    dead.acquire({ shardId: 1, maxConcurrency: 1, signal }).catch(() => {});
    await expect.poll(() => client.zCard('dead:{identify:0}:tickets')).toBe(1);
    await clock.advance(10_000);
    const permit = redisIdentifyQueue(options).acquire({ shardId: 2, maxConcurrency: 1, signal });
    expect(await permit).toEqual({ granted: true });
  });

  sessionStoreSuite('redis', async () => {
    prefixes += 1;
    return redisSessionStore({ client, prefix: `p${prefixes}` });
  });

  it('a session store is one for all processes, keeps nothing for ever, and takes what is no session for none', async () => {
    const [store, other] = [
      redisSessionStore({ client, prefix: 'sessions' }),
      redisSessionStore({ client, prefix: 'sessions' }),
    ];
    const budget = { total: 1_000, remaining: 9, resetAt: 5_000 };
    await store.save('a', aSession(2));
    await store.identifyBudgets?.save('a', budget);
    expect(await other.load('a')).toEqual(aSession(2));
    expect(await other.identifyBudgets?.load('a')).toEqual(budget);
    const keys = await client.keys('sessions:*');
    expect(keys).toHaveLength(2);
    for (const key of keys) expect(await client.pTTL(key)).toBeGreaterThan(0);
    for (const text of ['', '{', '[]', '1', 'null']) {
      await client.set('sessions:gateway-session:c', text);
      expect(await store.load('c')).toBeUndefined();
    }
  });
});
