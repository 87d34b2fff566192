/**
 * What hubs and their clients make of a Redis that is away, slow, full, read-only or another than before. In each case: no
 * publish is said to have worked that is not in the log of its epoch, and no client lacks an event without being told.
 * `npm run soak -- faults` stops Redis for 30 s instead of one.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { type FaultOutcome, FaultWorld, type FaultWorldOptions } from '../support/fault-world.js';
import { pause, until } from '../support/process-run.js';
import { freePort } from '../support/redis-cluster.js';
import { RedisProxy } from '../support/redis-proxy.js';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';
import { settled } from '../support/settled.js';

/** How long Redis is away. */
const AWAY_MS = Number(process.env.GUILDKIT_SOAK_AWAY_MS ?? 700);

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

async function proxyTo(server: TestRedis): Promise<RedisProxy> {
  const proxy = await RedisProxy.start(server.path);
  closing.push(() => proxy.close());
  return proxy;
}

/** Two hubs whose clients go by these socket files, and events that flow. */
async function world(paths: readonly string[], options: Omit<FaultWorldOptions, 'connect'> = {}): Promise<FaultWorld> {
  const made = await FaultWorld.create({
    connect: async (n) => {
      const client = await connectTo(paths[n % paths.length] as string);
      return { client, destroy: () => client.destroy() };
    },
    ...options,
  });
  closing.push(() => made.close());
  made.start();
  await made.more(20);
  return made;
}

const codes = ({ rejected }: FaultOutcome) => Object.keys(rejected).sort();
const CLIENTS = 4;

describe.skipIf(!hasRedis)('a Redis', { timeout: AWAY_MS + 60_000 }, () => {
  it('stopped and back with its data: nothing is lost, clients get the state of a new epoch', async () => {
    const server = await redis('--appendonly', 'yes', '--appendfsync', 'always');
    const here = await world([server.path]);
    await server.down();
    const before = here.resolved.length;
    await pause(AWAY_MS);
    await here.failures(2);
    expect(here.resolved.length).toBe(before);
    await server.up();
    await here.more(20);
    const admin = await adminOf(server);
    const outcome = settled(await here.outcome(admin));
    expect(outcome).toMatchObject({ snapshots: CLIENTS, lost: 0 });
    // The file had all of it: nobody's event is gone, whatever its epoch.
    const log = await admin.xRange('guildkit:{channel:10}:log', '-', '+');
    expect(log).toHaveLength(outcome.resolved);
  });

  it('stopped and back without its data: clients get the state of a new epoch', async () => {
    const server = await redis();
    const here = await world([server.path]);
    await server.down();
    const before = here.resolved.length;
    await pause(AWAY_MS);
    await here.failures(2);
    expect(here.resolved.length).toBe(before);
    await server.up();
    await here.more(20);
    const outcome = settled(await here.outcome(await adminOf(server)));
    expect(outcome).toMatchObject({ snapshots: CLIENTS, lost: 0 });
    expect(codes(outcome)).toContain('ERR_REDIS_SERVER_UNAVAILABLE');
  });

  it('flushed: clients get the state of a new epoch', async () => {
    const server = await redis();
    const admin = await adminOf(server);
    const here = await world([server.path]);
    await admin.flushAll();
    await here.more(20);
    expect(settled(await here.outcome(admin))).toMatchObject({ snapshots: CLIENTS, lost: 0, rejected: {} });
  });

  it('paused: publishes fail, and those asked for again are there once', async () => {
    const server = await redis();
    const here = await world([server.path]);
    server.pause();
    await pause(AWAY_MS);
    await here.failures(2);
    server.resume();
    await here.more(20);
    const outcome = settled(await here.outcome(await adminOf(server)));
    expect(outcome).toMatchObject({ snapshots: 0, lost: 0 });
    expect(codes(outcome)).toEqual(['ERR_REDIS_COMMAND_TIMEOUT']);
  });

  it('busy with something long: as paused', async () => {
    const server = await redis('--enable-debug-command', 'local');
    const admin = await adminOf(server);
    const here = await world([server.path], { commandTimeoutMs: 250 });
    await admin.sendCommand(['DEBUG', 'SLEEP', '0.8']);
    await here.more(20);
    const outcome = settled(await here.outcome(admin));
    expect(outcome).toMatchObject({ snapshots: 0, lost: 0 });
    expect(codes(outcome)).toEqual(['ERR_REDIS_COMMAND_TIMEOUT']);
  });

  it('slow: everything comes later, nothing fails', async () => {
    const server = await redis();
    const proxy = await proxyTo(server);
    const here = await world([proxy.path], { commandTimeoutMs: 5_000 });
    proxy.latencyMs = 100;
    await here.more(10);
    proxy.latencyMs = 0;
    await here.more(10);
    expect(settled(await here.outcome(await adminOf(server)))).toMatchObject({ snapshots: 0, lost: 0, rejected: {} });
  });

  it('whose connections break with answers on their way: what was asked for again is there once', async () => {
    const server = await redis();
    const proxy = await proxyTo(server);
    const here = await world([proxy.path], { gapMs: 1 });
    proxy.latencyMs = 10;
    for (let n = 0; n < 8; n += 1) {
      await pause(60);
      proxy.cut();
    }
    proxy.latencyMs = 0;
    await here.more(20);
    const outcome = settled(await here.outcome(await adminOf(server)));
    expect(outcome).toMatchObject({ snapshots: 0, lost: 0 });
    expect(codes(outcome)).toContain('ERR_REDIS_COMMAND_FAILED');
  });

  it('whose listening connection stands still and does not break: events come by the comparison with the log', async () => {
    const server = await redis();
    const proxy = await proxyTo(server);
    const here = await world([proxy.path, server.path]);
    // The second one is the listener's.
    proxy.hold(1);
    await here.more(30);
    await here.heard();
    await pause(AWAY_MS);
    await here.heard();
    proxy.release();
    await here.more(10);
    expect(settled(await here.outcome(await adminOf(server)))).toMatchObject({ snapshots: 0, lost: 0, rejected: {} });
  });

  it('that cuts a slow listener off: its hub reads what it missed, clients notice nothing', async () => {
    const server = await redis();
    const admin = await adminOf(server);
    await admin.sendCommand(['CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 262144 131072 1']);
    const proxy = await proxyTo(server);
    // The first hub listens by the proxy, the other at the server; no tail check would mend it unseen.
    const here = await world([proxy.path, server.path], {
      padding: 'x'.repeat(20_000),
      gapMs: 1,
      commandTimeoutMs: 200,
    });
    const listeners = async () =>
      String(await admin.sendCommand(['CLIENT', 'LIST', 'TYPE', 'pubsub']))
        .trim()
        .split('\n').length;
    expect(await listeners()).toBe(2);
    proxy.hold();
    await until(async () => (await listeners()) < 2, 20_000, 'it is cut off');
    proxy.release();
    await until(async () => (await listeners()) === 2, 20_000, 'it listens again');
    await here.more(10);
    expect(settled(await here.outcome(admin))).toMatchObject({ snapshots: 0, lost: 0 });
  });

  it('full, evicting nothing: publishes are refused, what is there can be read', async () => {
    const server = await redis('--maxmemory-policy', 'noeviction');
    const admin = await adminOf(server);
    const here = await world([server.path]);
    await admin.configSet('maxmemory', '1mb');
    await here.failures(4);
    const before = here.resolved.length;
    const late = here.join();
    await until(() => late.isOpen, 10_000, 'a new client is there');
    expect(here.resolved.length).toBe(before);
    await admin.configSet('maxmemory', '0');
    await here.more(20);
    const outcome = settled(await here.outcome(admin));
    expect(outcome).toMatchObject({ snapshots: 0, lost: 0 });
    expect(codes(outcome)).toEqual(['ERR_REDIS_COMMAND_FAILED']);
  });

  it('full, evicting whatever it likes: clients are told, or lack nothing', async () => {
    const server = await redis('--maxmemory-policy', 'allkeys-random');
    const admin = await adminOf(server);
    const here = await world([server.path], { padding: 'x'.repeat(4_000), gapMs: 1 });
    await admin.configSet('maxmemory', '3mb');
    await here.more(500, 60_000);
    await admin.configSet('maxmemory', '0');
    const evicted = Number(/evicted_keys:(\d+)/.exec(await admin.info('stats'))?.[1]);
    expect(evicted).toBeGreaterThan(0);
    await here.more(20);
    settled(await here.outcome(admin, { isEvicted: true }));
  });

  it('without the replicas it must have: publishes are refused, clients keep what they have', async () => {
    const server = await redis();
    const admin = await adminOf(server);
    const here = await world([server.path]);
    await admin.configSet('min-replicas-to-write', '1');
    await here.failures(4);
    await admin.configSet('min-replicas-to-write', '0');
    await here.more(20);
    const outcome = settled(await here.outcome(admin));
    expect(outcome).toMatchObject({ snapshots: 0, lost: 0 });
    expect(codes(outcome)).toEqual(['ERR_REDIS_COMMAND_FAILED']);
  });

  it('made a replica and a primary again: publishes are refused, then clients get the state of a new epoch', async () => {
    const server = await redis();
    const admin = await adminOf(server);
    const here = await world([server.path]);
    await admin.sendCommand(['REPLICAOF', '127.0.0.1', String(await freePort())]);
    await here.failures(4);
    await admin.sendCommand(['REPLICAOF', 'NO', 'ONE']);
    await here.more(20);
    const outcome = settled(await here.outcome(admin));
    expect(outcome).toMatchObject({ snapshots: CLIENTS, lost: 0 });
    expect(codes(outcome)).toEqual(['ERR_REDIS_COMMAND_FAILED']);
  });

  it('that forgets its scripts: nobody notices', async () => {
    const server = await redis();
    const admin = await adminOf(server);
    const here = await world([server.path]);
    for (let n = 0; n < 10; n += 1) {
      await admin.scriptFlush();
      await here.more(3);
    }
    expect(settled(await here.outcome(admin))).toMatchObject({ snapshots: 0, lost: 0, rejected: {} });
  });

  it('replaced by its replica while one hub still writes to it: that hub’s clients are told what is gone', async () => {
    const port = String(await freePort());
    const primary = await redis('--port', port, '--repl-diskless-sync-delay', '0');
    const replica = await redis('--replicaof', '127.0.0.1', port);
    const admin = await adminOf(replica);
    await until(
      async () => (await admin.info('replication')).includes('master_link_status:up'),
      15_000,
      'they are linked',
    );
    const ways = [await proxyTo(primary), await proxyTo(primary)] as const;
    const here = await world(ways.map(({ path }) => path));
    await admin.sendCommand(['REPLICAOF', 'NO', 'ONE']);
    ways[1].lead(replica.path);
    // The first hub is told of success by a primary that is one no more.
    await here.more(30);
    await pause(AWAY_MS);
    ways[0].lead(replica.path);
    await here.more(20);
    const outcome = settled(await here.outcome(admin));
    const epochs = new Set(here.resolved.map(({ epoch }) => epoch));
    const { epoch } = here.resolved.at(-1) ?? {};
    const lost = here.resolved.filter((each) => each.epoch !== epoch);
    // The case is the one meant: acknowledged in an epoch that ended, at numbers that others have now.
    const kept = new Set(here.resolved.filter((each) => each.epoch === epoch).map(({ seq }) => seq));
    expect(lost.some(({ seq }) => kept.has(seq))).toBe(true);
    // One of the first replica's attachment, one of the promotion.
    expect(epochs.size).toBeGreaterThanOrEqual(2);
    expect(outcome.snapshots).toBeGreaterThanOrEqual(CLIENTS);
  });
});
