/** Two hubs on one Redis, and clients on real sockets: what they see when Redis is cut, paused or flushed. */
import type { HubEngine } from '@guildkit/server-kit/hub';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { startHub, type TestClient } from '../../../server-kit/test/support/hub-server.js';
import { engineOn } from '../support/engine.js';
import { hasRedis, TestRedis } from '../support/redis-server.js';

const ROOM = 'channel:10';
const eventually = <T>(attempt: () => T | Promise<T>) => vi.waitFor(attempt, { timeout: 15_000, interval: 20 });
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start() {
  const server = await TestRedis.start();
  closing.push(() => server.close());
  const hubs: Awaited<ReturnType<typeof startHub>>[] = [];
  let client: Awaited<ReturnType<typeof engineOn>>['client'] | undefined;
  for (let n = 0; n < 2; n += 1) {
    const made = await engineOn(server, { commandTimeoutMs: 1_000, tailCheckMs: 50 });
    client = made.client;
    const engine: HubEngine = made.engine;
    closing.push(() => engine.close());
    const hub = await startHub({ engine });
    closing.push(() => hub[Symbol.asyncDispose]());
    hubs.push(hub);
  }
  return {
    server,
    client: client as NonNullable<typeof client>,
    a: hubs[0] as (typeof hubs)[number],
    b: hubs[1] as (typeof hubs)[number],
  };
}

const say = (hub: Awaited<ReturnType<typeof startHub>>, n: number) =>
  hub.hub.publish(ROOM, 'room.closing', { channelId: '10', guildId: '1', closesAt: n }, { id: `id ${n}` });
const seqs = (client: TestClient) => client.log(ROOM).map(({ seq }) => seq);

describe.skipIf(!hasRedis)('hubs that share a Redis', () => {
  it('bring each event to the clients of all, once and in order, cut and paused as it may be', async () => {
    const { server, client, a, b } = await start();
    const [here, there] = [await a.join('user-1'), await b.join('user-2')];
    await here.subscribe(ROOM);
    await there.subscribe(ROOM);
    for (let n = 1; n <= 10; n += 1) {
      if (n % 4 === 0) await client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
      await say(n % 2 ? a : b, n);
    }
    server.pause();
    await expect(say(a, 11)).rejects.toMatchObject({ code: 'ERR_HUB_PUBLISH_FAILED' });
    server.resume();
    await eventually(() => say(a, 11));
    const all = Array.from({ length: 11 }, (_, n) => n + 1);
    await eventually(() => expect([seqs(here), seqs(there)]).toEqual([all, all]));
    // Nothing of the engine's own reaches a client.
    expect([...here.frames, ...there.frames].filter(({ event }) => event === 'room.resync')).toEqual([]);
    expect(here.closed ?? there.closed).toBeUndefined();
  });

  it('tell their clients when the log has begun anew, before anything is published', async () => {
    const { client, a, b } = await start();
    const [here, there] = [await a.join('user-1'), await b.join('user-2')];
    const before = await here.subscribe(ROOM);
    await there.subscribe(ROOM);
    for (const n of [1, 2, 3]) await say(a, n);
    await Promise.all([here.untilSeq(ROOM, 3), there.untilSeq(ROOM, 3)]);
    await client.flushAll();
    for (const each of [here, there]) {
      const told = await each.event('sys.snapshot');
      expect(told.payload).toMatchObject({ room: ROOM, seq: 0 });
      expect(told.payload.epoch).not.toBe(before.payload.epoch);
    }
    await say(b, 4);
    await eventually(() =>
      expect([seqs(here), seqs(there)]).toEqual([
        [1, 2, 3, 1],
        [1, 2, 3, 1],
      ]),
    );
    expect([...here.frames, ...there.frames].filter(({ event }) => event === 'room.resync')).toEqual([]);
  });
});
