/** A cluster of three nodes of which a slot moves while events are published to it, and one that dies. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FaultWorld } from '../support/fault-world.js';
import { pause, until } from '../support/process-run.js';
import { connectToCluster, freePort, startCluster } from '../support/redis-cluster.js';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';
import { settled } from '../support/settled.js';

const META = 'guildkit:{channel:10}:meta';
const FEED = 'guildkit:{channel:10}:feed';
const AWAY_MS = Number(process.env.GUILDKIT_SOAK_AWAY_MS ?? 700);

describe.skipIf(!hasRedis)('a cluster', { timeout: AWAY_MS + 90_000 }, () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  let worldOfTest: FaultWorld | undefined;
  beforeAll(async () => {
    cluster = await startCluster(
      ...['--cluster-node-timeout', '1500', '--repl-diskless-sync-delay', '0'],
      // A copy that is some seconds old on a busy machine is one, too.
      ...['--cluster-replica-validity-factor', '0'],
    );
  }, 60_000);
  afterEach(async () => {
    await worldOfTest?.close();
    worldOfTest = undefined;
  });
  afterAll(() => cluster.close());

  async function world(): Promise<FaultWorld> {
    worldOfTest = await FaultWorld.create({
      connect: async () => {
        const client = await connectToCluster(cluster.ports);
        return { client, destroy: () => client.destroy() };
      },
    });
    worldOfTest.start();
    await worldOfTest.more(20);
    return worldOfTest;
  }

  /** Which node has the room, by its place among the nodes. */
  async function ownerOf(slot: number): Promise<number> {
    for (const [n, { admin }] of cluster.nodes.entries()) {
      const myself = String(await admin.sendCommand(['CLUSTER', 'NODES']))
        .split('\n')
        .find((line) => line.includes('myself'));
      const ranges = (myself ?? '')
        .split(' ')
        .slice(8)
        .filter((text) => !text.startsWith('['));
      const isOwner = ranges.some((text) => {
        const [from, to = from] = text.split('-').map(Number);
        return from !== undefined && to !== undefined && slot >= from && slot <= to;
      });
      if (isOwner) return n;
    }
    throw new Error(`nobody has slot ${slot}`);
  }

  it('moves a slot: clients get the state of a new epoch, what was refused is there once', async () => {
    const here = await world();
    const slot = Number(await cluster.nodes[0]?.admin.sendCommand(['CLUSTER', 'KEYSLOT', META]));
    const from = await ownerOf(slot);
    const to = (from + 1) % 3;
    const [source, target] = [cluster.nodes[from], cluster.nodes[to]];
    if (source === undefined || target === undefined) throw new Error('three nodes are expected');
    const idOf = async (node: typeof source) => String(await node.admin.sendCommand(['CLUSTER', 'MYID']));
    const [sourceId, targetId] = [await idOf(source), await idOf(target)];
    await target.admin.sendCommand(['CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', sourceId]);
    await source.admin.sendCommand(['CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', targetId]);
    // One key after the other, with events between: all states of a move are met.
    for (;;) {
      const [key] = (await source.admin.sendCommand([
        'CLUSTER',
        'GETKEYSINSLOT',
        String(slot),
        '1',
      ])) as unknown as string[];
      if (key === undefined) break;
      await source.admin.sendCommand(['MIGRATE', '127.0.0.1', String(target.port), key, '0', '5000']);
      await pause(30);
    }
    for (const { admin } of [target, source]) {
      await admin.sendCommand(['CLUSTER', 'SETSLOT', String(slot), 'NODE', targetId]);
    }
    await here.more(20);
    const outcome = settled(await here.outcome(target.admin));
    expect(await ownerOf(slot)).toBe(to);
    // Another node has another history: each client is told at least once.
    expect(outcome.snapshots).toBeGreaterThanOrEqual(4);
    // The feed follows, so that events need not wait for tail checks.
    await until(
      async () => String(await target.admin.sendCommand(['PUBSUB', 'SHARDCHANNELS'])).includes(FEED),
      20_000,
      'the room is listened to at its new node',
    );
  });

  it('loses a node: its replica takes over, clients are told', async () => {
    for (const { admin } of cluster.nodes) await admin.flushAll();
    const slot = Number(await cluster.nodes[0]?.admin.sendCommand(['CLUSTER', 'KEYSLOT', META]));
    const owner = cluster.nodes[await ownerOf(slot)];
    if (owner === undefined) throw new Error('nobody has the slot');
    const port = await freePort();
    const replica = await TestRedis.start('--port', String(port), ...cluster.args);
    const admin = await connectTo(replica.path);
    try {
      await admin.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(owner.port)]);
      const ownerId = String(await owner.admin.sendCommand(['CLUSTER', 'MYID']));
      await until(
        async () => String(await admin.sendCommand(['CLUSTER', 'NODES'])).includes(ownerId),
        20_000,
        'it has met them',
      );
      await admin.sendCommand(['CLUSTER', 'REPLICATE', ownerId]);
      await until(
        async () => (await admin.info('replication')).includes('master_link_status:up'),
        20_000,
        'it has a copy',
      );
      const replicaId = String(await admin.sendCommand(['CLUSTER', 'MYID']));
      for (const node of cluster.nodes) {
        await until(
          async () =>
            String(await node.admin.sendCommand(['CLUSTER', 'NODES']))
              .split('\n')
              .some((line) => line.startsWith(replicaId) && line.includes(`slave ${ownerId}`)),
          20_000,
          'those who vote for it know it',
        );
      }
      const here = await world();
      // On a busy machine the replica may have taken over already: whoever is the primary now is the one that dies.
      const isFirst = (await owner.admin.info('replication')).includes('role:master');
      await (isFirst ? owner.server : replica).down();
      await here.failures(1);
      await here.more(20, 40_000);
      const outcome = settled(await here.outcome(isFirst ? admin : owner.admin));
      expect(outcome.snapshots).toBeGreaterThanOrEqual(4);
    } finally {
      admin.destroy();
      await worldOfTest?.close();
      worldOfTest = undefined;
      await replica.close();
    }
  });
});
