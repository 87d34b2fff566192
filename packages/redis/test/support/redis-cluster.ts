/** Three redis-servers as one cluster on loopback, without replicas. */
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

export async function startCluster(): Promise<{ ports: readonly number[]; close(): Promise<void> }> {
  const ports: number[] = [];
  const servers: TestRedis[] = [];
  for (let n = 0; n < NODES; n += 1) {
    const port = await freePort();
    ports.push(port);
    servers.push(await TestRedis.start('--port', String(port), '--cluster-enabled', 'yes'));
  }
  const admins = await Promise.all(servers.map(({ path }) => connectTo(path)));
  for (const [n, admin] of admins.entries()) {
    const from = Math.floor((n * SLOTS) / NODES);
    const to = Math.floor(((n + 1) * SLOTS) / NODES) - 1;
    await admin.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', String(from), String(to)]);
    if (n > 0) await admins[0]?.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(ports[n])]);
  }
  for (const admin of admins) {
    await vi.waitFor(
      async () => {
        const info = String(await admin.sendCommand(['CLUSTER', 'INFO']));
        if (!info.includes('cluster_state:ok') || !info.includes(`cluster_known_nodes:${NODES}`)) throw new Error(info);
      },
      { timeout: 20_000, interval: 50 },
    );
  }
  for (const admin of admins) await admin.close();
  return {
    ports,
    close: async () => {
      for (const server of servers) await server.close();
    },
  };
}

/** A client of the cluster, connected. */
export async function connectToCluster(ports: readonly number[]) {
  const client = createCluster({ rootNodes: ports.map((port) => ({ url: `redis://127.0.0.1:${port}` })) });
  client.on('error', () => {});
  await client.connect();
  return client;
}
