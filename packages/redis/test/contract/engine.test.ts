/** The engine under the suite that the one in memory passes. */
import { createVirtualClock } from '@guildkit/testkit';
import { afterAll, beforeAll, describe } from 'vitest';
import { engineSuite } from '../../../server-kit/test/contract/engine-suite.js';
import { engineOn } from '../support/engine.js';
import { hasRedis, TestRedis } from '../support/redis-server.js';

describe.skipIf(!hasRedis)('on a Redis', () => {
  let server: TestRedis;
  let prefixes = 0;
  beforeAll(async () => {
    server = await TestRedis.start();
  });
  afterAll(() => server.close());

  engineSuite('redis', async (bounds) => {
    const clock = createVirtualClock();
    prefixes += 1;
    const { engine, subscriber } = await engineOn(server, { ...bounds, clock, prefix: `p${prefixes}` });
    return {
      engine,
      advance: clock.advance,
      // What was published before stands before the answer on that connection.
      settle: async () => {
        await subscriber()?.ping();
      },
    };
  });
});
