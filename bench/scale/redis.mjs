/** A redis-server of the bench, on loopback TCP and keeping nothing, and what it says of its own work. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'redis';

/** Scripts and pub/sub, as an app sends them: what else is counted for the engine was called inside of a script. */
const SENT_BY_APPS = new Set(['evalsha', 'eval', 'ssubscribe', 'sunsubscribe', 'script|load']);

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** A connected client. */
export async function connectTo(port) {
  const client = createClient({ socket: { host: '127.0.0.1', port }, disableOfflineQueue: true });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** @throws Error when there is no redis-server. */
export async function startRedis() {
  const folder = await mkdtemp(join(tmpdir(), 'guildkit-bench-'));
  const port = await freePort();
  const args = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const child = spawn(process.env.REDIS_SERVER_PATH ?? 'redis-server', args.map(String), { stdio: 'ignore' });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  let failed;
  child.once('error', () => {
    failed = new Error('redis-server is missing: install it, or set REDIS_SERVER_PATH.');
  });
  let client;
  for (let n = 0; client === undefined; n += 1) {
    if (failed !== undefined || n > 100) throw failed ?? new Error('redis-server does not start.');
    await sleep(50);
    client = await connectTo(port).catch(() => undefined);
  }
  const { redis_version: version } = fieldsOf(await client.info('server'));
  return {
    port,
    client,
    version,
    /** What the server has done since its start, this call not included. */
    async usage() {
      const text = await client.info('all');
      const fields = fieldsOf(text);
      const calls = {};
      const spentUs = {};
      for (const [key, value] of Object.entries(fields)) {
        if (!key.startsWith('cmdstat_')) continue;
        const [, count, usec] = /calls=(\d+),usec=(\d+)/.exec(value);
        calls[key.slice(8)] = Number(count);
        spentUs[key.slice(8)] = Number(usec);
      }
      return {
        cpuMs: (Number(fields.used_cpu_user) + Number(fields.used_cpu_sys)) * 1_000,
        inBytes: Number(fields.total_net_input_bytes),
        outBytes: Number(fields.total_net_output_bytes),
        memory: Number(fields.used_memory),
        calls,
        spentUs,
        ownBytes: Buffer.byteLength(text),
      };
    },
    async close() {
      client.destroy();
      process.off('exit', end);
      end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const fieldsOf = (text) =>
  Object.fromEntries(
    text
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );

/** What was done between two usages; the first call's own answer is taken off. */
export function between(before, after) {
  const calls = {};
  for (const [name, count] of Object.entries(after.calls)) {
    const more = count - (before.calls[name] ?? 0) - (name === 'info' ? 1 : 0);
    if (more > 0) calls[name] = more;
  }
  const total = Object.values(calls).reduce((sum, count) => sum + count, 0);
  const scripts = (calls.evalsha ?? 0) + (calls.eval ?? 0) > 0;
  const sent = Object.entries(calls)
    .filter(([name]) => !scripts || SENT_BY_APPS.has(name))
    .reduce((sum, [, count]) => sum + count, 0);
  return {
    cpuMs: after.cpuMs - before.cpuMs,
    inBytes: after.inBytes - before.inBytes,
    outBytes: after.outBytes - before.outBytes - before.ownBytes,
    calls,
    /** Commands that came over the network. */
    sent,
    /** Those, and the ones that scripts called. */
    total,
  };
}
