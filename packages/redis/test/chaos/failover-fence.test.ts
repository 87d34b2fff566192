/**
 * A replica is promoted while the old primary still takes writes. With the check of the replication id a reader of the old
 * one is told; without it, it would take another event for the one that it has seen. Both are shown, so that the check
 * cannot be left out unseen.
 */
import { type RedisScriptOptions, redisEngine } from '@guildkit/redis';
import { applyRoomEvent, type HubEngine, initialRoomState, type NewRoomEvent } from '@guildkit/server-kit/hub';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { freePort } from '../support/redis-cluster.js';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';

const ROOM = 'channel:10';
const event = (n: number, id: string): NewRoomEvent => ({ event: 'chat.message', payload: id, id, ts: n });
const eventually = <T>(attempt: () => T | Promise<T>) => vi.waitFor(attempt, { timeout: 15_000, interval: 20 });
const CHECK = 'elseif m[4] ~= replid then';

describe.skipIf(!hasRedis)('a fail-over that loses an acknowledged event', () => {
  const closing: (() => Promise<unknown>)[] = [];
  let primary: TestRedis;
  let replica: TestRedis;
  beforeEach(async () => {
    const port = String(await freePort());
    primary = await TestRedis.start('--port', port);
    replica = await TestRedis.start('--replicaof', '127.0.0.1', port, '--repl-diskless-sync-delay', '0');
    closing.push(
      () => primary.close(),
      () => replica.close(),
    );
  });
  afterAll(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  /** An engine whose scripts have the check, or have lost it. */
  async function engineOn(server: TestRedis, hasCheck: boolean): Promise<HubEngine> {
    const client = await connectTo(server.path);
    let changed = 0;
    const engine = redisEngine({
      client: {
        // Every script is sent as a text.
        evalSha: async () => {
          throw new Error('NOSCRIPT');
        },
        eval: (script: string, options: RedisScriptOptions) => {
          if (script.includes(CHECK)) changed += 1;
          return client.eval(hasCheck ? script : script.replace(CHECK, 'elseif false then'), options);
        },
        duplicate: () => client.duplicate(),
      },
      applyRoomEvent,
      initialRoomState,
    });
    closing.push(async () => {
      expect(changed).toBeGreaterThan(0);
      await engine.close();
      client.destroy();
    });
    return engine;
  }

  /** What a reader of the old primary is given by the new one. */
  async function failOver(hasCheck: boolean) {
    const before = await engineOn(primary, hasCheck);
    const probe = await connectTo(replica.path);
    closing.push(async () => probe.destroy());
    await eventually(async () => expect(await probe.info('replication')).toContain('master_link_status:up'));
    for (const n of [1, 2, 3]) await before.publish(ROOM, event(n, `id ${n}`));
    await eventually(async () => expect(await probe.hGet(`guildkit:{${ROOM}}:meta`, 'seq')).toBe('3'));
    await probe.sendCommand(['REPLICAOF', 'NO', 'ONE']);
    // Acknowledged by a primary that is one no more; the reader has it. Its number is given to another event.
    const lost = await before.publish(ROOM, event(4, 'lost'));
    const after = await engineOn(replica, hasCheck);
    const kept = await after.publish(ROOM, event(4, 'kept'));
    return { lost, kept, read: await after.read(ROOM, lost) };
  }

  it('is told to who reads: the log has begun anew', async () => {
    const { lost, kept, read } = await failOver(true);
    expect([lost.seq, kept.seq]).toEqual([4, 4]);
    expect(kept.epoch).not.toBe(lost.epoch);
    expect(read.recovered).toBe(false);
  });

  it('goes unnoticed by scripts without the check: the reader never hears of the event that took the number', async () => {
    const { lost, kept, read } = await failOver(false);
    expect([lost.seq, kept.seq]).toEqual([4, 4]);
    expect(kept.epoch).toBe(lost.epoch);
    expect(read).toMatchObject({ recovered: true, events: [] });
  });
});
