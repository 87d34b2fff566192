/** A primary, its replica, and a Sentinel that promotes it when the primary dies. */
import { createSentinel } from 'redis';
import { afterEach, describe, expect, it } from 'vitest';
import { FaultWorld } from '../support/fault-world.js';
import { isSoak } from '../support/figures.js';
import { pause, until } from '../support/process-run.js';
import { freePort } from '../support/redis-cluster.js';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';
import { settled } from '../support/settled.js';

const AWAY_MS = Number(process.env.GUILDKIT_SOAK_AWAY_MS ?? 700);
const NAME = 'guildkit';
const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function redis(...args: string[]): Promise<TestRedis> {
  const server = await TestRedis.start(...args);
  closing.push(() => server.close());
  return server;
}

async function adminOf(server: TestRedis) {
  const admin = await connectTo(server.path);
  closing.push(() => admin.destroy());
  return admin;
}

describe.skipIf(!hasRedis)('behind a Sentinel', { timeout: AWAY_MS + 90_000 }, () => {
  it('the replica takes over for a primary that stands still: clients are told, also of what the old one had said', async () => {
    const ports = [await freePort(), await freePort()] as const;
    const settings = ['--repl-diskless-sync-delay', '0', '--repl-timeout', '5'];
    const first = await redis('--port', String(ports[0]), ...settings);
    const second = await redis('--port', String(ports[1]), '--replicaof', '127.0.0.1', String(ports[0]), ...settings);
    const [firstAdmin, secondAdmin] = [await adminOf(first), await adminOf(second)];
    // Sentinel breaks the connections of whom it gives another role: asked again then.
    const says = (admin: typeof firstAdmin, what: string) =>
      admin.info('replication').then(
        (info) => info.includes(what),
        () => false,
      );
    const isLinked = (admin: typeof firstAdmin) => says(admin, 'master_link_status:up');
    await until(() => isLinked(secondAdmin), 20_000, 'the replica has a copy');
    const port = await freePort();
    const sentinel = await TestRedis.sentinel(port, [
      `sentinel monitor ${NAME} 127.0.0.1 ${ports[0]} 1`,
      `sentinel down-after-milliseconds ${NAME} 1500`,
      `sentinel failover-timeout ${NAME} 10000`,
    ]);
    closing.push(() => sentinel.close());
    const here = await FaultWorld.create({
      connect: async () => {
        const client = createSentinel({
          name: NAME,
          sentinelRootNodes: [{ host: '127.0.0.1', port }],
          nodeClientOptions: { disableOfflineQueue: true },
          scanInterval: 500,
        });
        client.on('error', () => {});
        await client.connect();
        return { client, destroy: () => client.destroy() };
      },
    });
    closing.push(() => here.close());
    here.start();
    await here.more(20);

    // It stands still for long enough to be replaced, and comes back as one that believes to be the primary.
    first.pause();
    await until(() => says(secondAdmin, 'role:master'), 30_000, 'the replica is promoted');
    await here.more(20);
    await pause(AWAY_MS);
    first.resume();
    await here.more(20);
    let [now, primaries] = [secondAdmin, 1];
    if (isSoak) {
      // Sentinel takes ten seconds to make it a replica of its own.
      await until(() => isLinked(firstAdmin), 60_000, 'the old primary follows');
      await second.down();
      await here.failures(1);
      await here.more(20, 60_000);
      [now, primaries] = [firstAdmin, 2];
    }
    const outcome = settled(await here.outcome(now));
    // Each client is told of each primary after the first.
    expect(outcome.snapshots).toBeGreaterThanOrEqual(4 * primaries);
    expect(new Set(here.resolved.map(({ epoch }) => epoch)).size).toBeGreaterThan(primaries);
  });
});
