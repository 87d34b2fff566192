/**
 * Two processes stand for one shard. The owner is stopped (SIGSTOP), and the other goes on with the session; the stopped
 * one wakes and changes nothing that others see: readers see each event once, in order, none lost; so does who reads what
 * the owners say over REST.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { bundle, type Program } from '../support/bundle.js';
import { engineOn } from '../support/engine.js';
import type { OwnerNews } from '../support/owner-process.js';
import { Reader } from '../support/reader.js';
import { hasRedis, TestRedis } from '../support/redis-server.js';

/** Long enough for a busy machine to prolong it, short enough to wait for. */
const LEASE_MS = 2_000;
const eventually = <T>(attempt: () => T | Promise<T>) => vi.waitFor(attempt, { timeout: 20_000, interval: 20 });

interface OwnerProcess {
  readonly child: ChildProcess;
  readonly news: OwnerNews[];
  last(kind: OwnerNews['kind']): OwnerNews | undefined;
  count(kind: OwnerNews['kind']): number;
}

interface Change {
  readonly what: 'joined' | 'left';
  readonly userId: string;
}

describe.skipIf(!hasRedis)('two processes that stand for one shard', () => {
  let program: Program;
  const closing: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    program = await bundle(new URL('../support/owner-process.ts', import.meta.url));
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(() => program.remove());

  function start(sandbox: Sandbox, server: TestRedis): OwnerProcess {
    const { connection, textChannelId: greetings } = sandbox;
    const settings = { connection, socket: server.path, leaseMs: LEASE_MS, greetings };
    const child = fork(program.path, [JSON.stringify(settings)]);
    const news: OwnerNews[] = [];
    child.on('message', (message) => news.push(message as OwnerNews));
    closing.push(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    return {
      child,
      news,
      last: (kind) => news.findLast((each) => each.kind === kind),
      count: (kind) => news.filter((each) => each.kind === kind).length,
    };
  }

  it('the owner is stopped, killed, closed: the other resumes, and readers see each event once and in order', async () => {
    const server = await TestRedis.start();
    closing.push(() => server.close());
    const sandbox = await createSandbox({ rateLimits: false });
    closing.push(() => sandbox.close());
    const tables = [sandbox.voiceChannelId, (await sandbox.channels.create({ name: 'Table 2' })).id];
    const people = await Promise.all(['ann', 'bob', 'eve', 'joe'].map((name) => sandbox.people.create({ name })));

    const { engine } = await engineOn(server, { tailCheckMs: 200 });
    closing.push(() => engine.close());
    const readers = new Map<string, Reader>();
    for (const table of tables) readers.set(table, await Reader.join(engine, `channel:${table}`));
    const happened = new Map<string, Change[]>(tables.map((table) => [table, []]));
    const joined: string[] = [];
    let turns = 0;

    async function somethingHappens(times: number): Promise<void> {
      for (let n = 0; n < times; n += 1) {
        turns += 1;
        const person = people[turns % people.length] as (typeof people)[number];
        const [from, to] = [person.channelId, [...tables, null][(turns * 7) % 3] ?? null];
        if (from === to) continue;
        const { id: userId } = person;
        if (from !== null) happened.get(from)?.push({ what: 'left', userId });
        if (to !== null) happened.get(to)?.push({ what: 'joined', userId });
        if (to === null) await person.leaveVoice();
        else if (from === null) {
          joined.push(userId);
          await person.joinVoice(to);
        } else await person.moveTo(to);
        // Lets the processes get somewhere, or not.
        if (turns % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
    const seen = (table: string): Change[] =>
      (readers.get(table)?.seen ?? []).map((payload) => {
        const { userId } = payload as { readonly userId: string };
        return { what: 'mute' in (payload as object) ? 'joined' : 'left', userId };
      });
    const allSeen = () =>
      eventually(() => {
        for (const table of tables) expect(seen(table)).toEqual(happened.get(table));
      });

    const processes = [start(sandbox, server), start(sandbox, server)];
    const owner = () =>
      processes.find(({ news }) => news.findLast(({ kind }) => /elected|deposed/.test(kind))?.kind === 'elected');
    const [first] = await eventually(() => {
      const found = owner();
      expect(found?.count('connected')).toBe(1);
      return [found as OwnerProcess];
    });
    expect(first.last('connected')).toEqual({ kind: 'connected', how: 'ready' });
    await somethingHappens(40);

    let current = first;
    for (let round = 1; round <= 2; round += 1) {
      const other = processes.find((each) => each !== current) as OwnerProcess;
      const before = other.count('connected');
      current.child.kill('SIGSTOP');
      await somethingHappens(40);
      await eventually(() => expect(other.count('connected')).toBeGreaterThan(before));
      expect(other.last('connected')).toEqual({ kind: 'connected', how: 'resumed' });
      await somethingHappens(40);
      // All of it, before the stopped one wakes.
      await allSeen();
      const deposed = current.count('deposed');
      current.child.kill('SIGCONT');
      await somethingHappens(40);
      await eventually(() => expect(current.count('deposed')).toBeGreaterThan(deposed));
      expect(current.last('deposed')).toMatchObject({ late: Array(3).fill('ERR_REDIS_OWNER_DEPOSED') });
      current = other;
    }

    // Handed over: at once, without waiting for the lease.
    const heir = processes.find((each) => each !== current) as OwnerProcess;
    const before = heir.count('connected');
    current.child.send('close');
    await somethingHappens(40);
    await eventually(() => expect(heir.count('connected')).toBeGreaterThan(before));
    await somethingHappens(40);

    // Killed: a third process goes on.
    const third = start(sandbox, server);
    heir.child.kill('SIGKILL');
    await somethingHappens(40);
    await eventually(() => expect(third.count('connected')).toBe(1));
    await somethingHappens(40);

    await allSeen();
    expect([...readers.values()].map(({ restarts }) => restarts)).toEqual([0, 0]);
    // What was done over REST for each event was done once, in the order of the events.
    expect(sandbox.channels.messages(sandbox.textChannelId).map(({ content }) => content)).toEqual(joined);
    const { identifies, resumes, resumesRefused } = sandbox.traffic.counters;
    // A machine that is busy enough may depose an owner more.
    expect([identifies, resumes >= 4, resumesRefused]).toEqual([1, true, 0]);
    const terms = [...processes, third].flatMap(({ news }) =>
      news.flatMap((each) => (each.kind === 'elected' ? [each.term] : [])),
    );
    expect(terms.length).toBeGreaterThanOrEqual(5);
    expect(new Set(terms).size).toBe(terms.length);
  }, 60_000);
});
