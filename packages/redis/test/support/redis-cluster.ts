/** Three redis-servers as one cluster on loopback. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createCluster } from 'redis';
import { vi } from 'vitest';
import { connectTo, TestRedis } from './redis-server.js';

/** Ports whose cluster bus (port + 10000) exists, too. */
export async function freePort(): Promise<number> {
  for (;;) {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as { port: number };
    probe.close();
    await once(probe, 'close');
    if (port < 55_000) return port;
  }
}

const SLOTS = 16_384;
const NODES = 3;

export interface ClusterNode {
  readonly port: number;
  readonly server: TestRedis;
  readonly admin: Awaited<ReturnType<typeof connectTo>>;
}

export interface TestCluster {
  readonly ports: readonly number[];
  readonly nodes: readonly ClusterNode[];
  /** What a further node has to be started with, beside its port. */
  readonly args: readonly string[];
  close(): Promise<void>;
}

/** @param settings Further arguments of each node. */
export async function startCluster(...settings: string[]): Promise<TestCluster> {
  const args = ['--cluster-enabled', 'yes', ...settings];
  const nodes: ClusterNode[] = [];
  for (let n = 0; n < NODES; n += 1) {
    const port = await freePort();
    const server = await TestRedis.start('--port', String(port), ...args);
    nodes.push({ port, server, admin: await connectTo(server.path) });
  }
  for (const [n, { admin, port }] of nodes.entries()) {
    const from = Math.floor((n * SLOTS) / NODES);
    const to = Math.floor(((n + 1) * SLOTS) / NODES) - 1;
    await admin.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', String(from), String(to)]);
    if (n > 0) await nodes[0]?.admin.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(port)]);
  }
  for (const { admin } of nodes) {
    await vi.waitFor(
      async () => {
        const info = String(await admin.sendCommand(['CLUSTER', 'INFO']));
        if (!info.includes('cluster_state:ok') || !info.includes(`cluster_known_nodes:${NODES}`)) throw new Error(info);
      },
      { timeout: 20_000, interval: 50 },
    );
  }
  return {
    ports: nodes.map(({ port }) => port),
    nodes,
    args,
    close: async () => {
      for (const { admin, server } of nodes) {
        admin.destroy();
        await server.close();
      }
    },
  };
}

/** A client of the cluster, connected. */
export async function connectToCluster(ports: readonly number[]) {
  const client = createCluster({
    rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })),
    defaults: { disableOfflineQueue: true },
    // It asks who has taken over once a node is away for so long: five seconds otherwise.
    topologyRefreshOnReconnectionAttemptStrategy: 500,
  });
  client.on('error', () => {});
  await client.connect();
  return client;
}
