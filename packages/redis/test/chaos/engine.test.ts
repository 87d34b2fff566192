/** What only a shared engine can get wrong: connections cut, a server that is stopped, flushed, restarted or replaced. */
import { RedisError, redisEngine } from '@guildkit/redis';
import { applyRoomEvent, initialRoomState, type NewRoomEvent } from '@guildkit/server-kit/hub';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { engineOn } from '../support/engine.js';
import { Reader } from '../support/reader.js';
import { freePort } from '../support/redis-cluster.js';
import { connectTo, hasRedis, TestRedis } from '../support/redis-server.js';

const ROOM = 'channel:10';
const event = (n: number, id = `id ${n}`): NewRoomEvent => ({ event: 'chat.message', payload: n, id, ts: 1 });
const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, index) => from + index);
const FAST = { commandTimeoutMs: 10_000, tailCheckMs: 50 };

/** Generous: a busy machine takes long to start a server or a full copy. */
const eventually = <T>(attempt: () => T | Promise<T>) => vi.waitFor(attempt, { timeout: 15_000, interval: 20 });

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(...args: string[]): Promise<TestRedis> {
  const server = await TestRedis.start(...args);
  closing.push(() => server.close());
  return server;
}

async function engine(server: TestRedis, options: Parameters<typeof engineOn>[1] = FAST) {
  const made = await engineOn(server, options);
  closing.push(() => made.engine.close());
  return made;
}

describe.skipIf(!hasRedis)('the engine on a Redis', () => {
  it('takes a client of node-redis as it is', async () => {
    const server = await start();
    const client = await connectTo(server.path);
    closing.push(() => client.close());
    const made = redisEngine({ client, applyRoomEvent, initialRoomState });
    closing.push(() => made.close());
    const heard: number[] = [];
    await made.watch(ROOM, ({ seq }) => heard.push(seq));
    await made.publish(ROOM, event(1));
    await eventually(() => expect(heard).toEqual([1]));
  });

  it('gives two processes that publish at once the same log, the same state and each event once', async () => {
    const server = await start();
    const [a, b] = [await engine(server), await engine(server)];
    const [here, there] = [await Reader.join(a.engine, ROOM), await Reader.join(b.engine, ROOM)];
    const joined = (userId: number): NewRoomEvent => ({
      event: 'voice.joined',
      payload: {
        guildId: '1',
        channelId: '10',
        userId: String(userId),
        username: 'u',
        avatar: null,
        mute: false,
        deaf: false,
        video: false,
        timestamp: userId,
      },
      id: `join ${userId}`,
      ts: 1,
    });
    // 300 are more than the checkpoints and the rings hold.
    const published = upTo(300).map((n) => (n % 2 ? a : b).engine.publish(ROOM, joined(n)));
    await Promise.all([...published, ...upTo(300).map((n) => (n % 2 ? b : a).engine.publish(ROOM, joined(n)))]);
    await eventually(() => expect(here.seen).toHaveLength(300));
    await eventually(() => expect(there.seen).toEqual(here.seen));
    expect([here.restarts, there.restarts]).toEqual([0, 0]);
    const fresh = await engine(server);
    const read = await fresh.engine.read(ROOM);
    expect(read).toMatchObject({ seq: 300, snapshot: { kind: 'voice' } });
    expect(read.snapshot.kind === 'voice' && read.snapshot.members).toHaveLength(300);
    expect(read.snapshot).toEqual((await a.engine.read(ROOM)).snapshot);
  });

  it('shows a process at once what it has published itself, whatever the feed has brought yet', async () => {
    const server = await start();
    const { engine: own } = await engine(server);
    await own.watch(ROOM, () => {});
    for (const n of upTo(100)) {
      const { epoch, seq } = await own.publish(ROOM, event(n));
      expect(await own.read(ROOM, { epoch, seq: seq - 1 })).toMatchObject({ seq, recovered: true, events: [{ seq }] });
    }
  });

  it('fills what came while the listening connection was cut, without its readers noticing', async () => {
    const server = await start();
    const filled: number[] = [];
    const deaf = await engine(server, { ...FAST, tailCheckMs: 600_000, onFilled: ({ events }) => filled.push(events) });
    const { engine: speaking, client } = await engine(server);
    const reader = await Reader.join(deaf.engine, ROOM);
    await speaking.publish(ROOM, event(1));
    for (const n of upTo(40, 2)) {
      if (n % 10 === 0) await client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
      await speaking.publish(ROOM, event(n));
    }
    await eventually(() => expect(reader.seen).toEqual(upTo(40)));
    expect(reader.restarts).toBe(0);
    expect(filled.length).toBeGreaterThan(0);
  });

  it('notices a lost last event, which leaves no hole', async () => {
    const server = await start();
    const { engine: deaf } = await engine(server);
    const { client } = await engine(server);
    const reader = await Reader.join(deaf, ROOM);
    await deaf.publish(ROOM, event(1));
    await eventually(() => expect(reader.seen).toEqual([1]));
    // As the publishing script does, but for the message.
    const meta = `guildkit:{${ROOM}}:meta`;
    await client.sendCommand(['HINCRBY', meta, 'seq', '1']);
    const body = `${JSON.stringify(['chat.message', 'lost', 1, null])}\n2`;
    await client.sendCommand(['XADD', `guildkit:{${ROOM}}:log`, '2-0', 'b', body, 'a', String(Date.now())]);
    await eventually(() => expect(reader.seen).toEqual([1, 2]));
    expect(reader.restarts).toBe(0);
  });

  it('paused: no call succeeds, and asked again with the same id each event is there once', async () => {
    const server = await start();
    const { engine: own } = await engine(server, { ...FAST, commandTimeoutMs: 500 });
    const reader = await Reader.join(own, ROOM);
    await own.publish(ROOM, event(1));
    await eventually(() => expect(reader.seen).toEqual([1]));
    server.pause();
    const failed = await Promise.allSettled(upTo(5, 2).map((n) => own.publish(ROOM, event(n))));
    expect(failed.map((each) => each.status === 'rejected' && RedisError.is(each.reason) && each.reason.code)).toEqual(
      Array(4).fill('ERR_REDIS_COMMAND_TIMEOUT'),
    );
    expect(reader.seen).toEqual([1]);
    server.resume();
    for (const n of upTo(5, 2)) await eventually(() => own.publish(ROOM, event(n)));
    await eventually(() => expect(reader.seen).toEqual(upTo(5)));
    expect(reader.restarts).toBe(0);
  });

  it('flushed: another epoch, of which readers are told before the next event', async () => {
    const server = await start();
    const { engine: own, client } = await engine(server);
    const reader = await Reader.join(own, ROOM);
    await Promise.all(upTo(3).map((n) => own.publish(ROOM, event(n))));
    const { position } = reader;
    await client.flushAll();
    await eventually(() => expect(reader.restarts).toBe(1));
    expect(reader.position).toMatchObject({ seq: 0 });
    expect(await own.read(ROOM, position)).toMatchObject({ recovered: false });
    await own.publish(ROOM, event(4));
    await eventually(() => expect(reader.seen).toEqual([4]));
  });

  it('killed and back without its data: failures while it is away, then another epoch', async () => {
    const server = await start();
    const { engine: own, client } = await engine(server);
    const reader = await Reader.join(own, ROOM);
    await Promise.all(upTo(3).map((n) => own.publish(ROOM, event(n))));
    await eventually(() => expect(reader.seen).toEqual([1, 2, 3]));
    await server.down();
    const failures = await Promise.allSettled([own.publish(ROOM, event(4)), own.rooms('guild:1'), own.viewers?.(ROOM)]);
    expect(failures.map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
    await eventually(() => expect(client.isReady).toBe(false));
    const refused = await own.publish(ROOM, event(4)).catch((error: unknown) => error);
    expect(RedisError.is(refused) && refused.code).toBe('ERR_REDIS_SERVER_UNAVAILABLE');
    await server.up();
    await eventually(() => expect(reader.restarts).toBe(1));
    await eventually(() => own.publish(ROOM, event(4)));
    await eventually(() => expect(reader.seen).toEqual([4]));
  });

  it('restarted from a file that lacks acknowledged events: another epoch, the state as the file has it', async () => {
    const server = await start();
    const { engine: own, client } = await engine(server);
    const reader = await Reader.join(own, ROOM);
    await Promise.all(upTo(3).map((n) => own.publish(ROOM, event(n))));
    await client.sendCommand(['SAVE']);
    await own.publish(ROOM, event(4));
    await eventually(() => expect(reader.seen).toEqual(upTo(4)));
    const { position } = reader;
    await server.down();
    await server.up();
    await eventually(() => expect(reader.restarts).toBe(1));
    // Its number is used again, in another epoch.
    expect(await eventually(() => own.publish(ROOM, event(5)))).toMatchObject({ seq: 4 });
    expect((await own.read(ROOM, position)).recovered).toBe(false);
    await eventually(() => expect(reader.seen).toEqual([5]));
  });

  it('a promoted replica is another epoch: positions of the old primary are not taken for its own', async () => {
    const port = String(await freePort());
    const primary = await start('--port', port, '--repl-diskless-sync-delay', '0');
    const replica = await start('--replicaof', '127.0.0.1', port);
    const probe = await connectTo(replica.path);
    closing.push(() => probe.close());
    const before = await engine(primary);
    await eventually(async () => expect(await probe.info('replication')).toContain('master_link_status:up'));
    await Promise.all(upTo(3).map((n) => before.engine.publish(ROOM, event(n))));
    const at = await before.engine.read(ROOM);
    await eventually(async () => expect(await probe.hGet(`guildkit:{${ROOM}}:meta`, 'seq')).toBe('3'));
    await probe.sendCommand(['REPLICAOF', 'NO', 'ONE']);
    // Acknowledged by a primary that is one no more, and its number given to another event.
    const lost = await before.engine.publish(ROOM, event(4, 'lost'));
    const after = await engine(replica);
    const next = await after.engine.publish(ROOM, event(4, 'kept'));
    expect([lost.seq, next.seq]).toEqual([4, 4]);
    expect(lost.epoch).toBe(at.epoch);
    expect(next.epoch).not.toBe(lost.epoch);
    expect((await after.engine.read(ROOM, lost)).recovered).toBe(false);
    expect((await after.engine.read(ROOM, at)).recovered).toBe(false);
    expect(await after.engine.read(ROOM, { epoch: next.epoch, seq: 3 })).toMatchObject({ recovered: true });
  });

  it('a log that was evicted beside its numbers is told, not taken for an empty one', async () => {
    const server = await start();
    const { engine: own, client } = await engine(server);
    await Promise.all(upTo(3).map((n) => own.publish(ROOM, event(n))));
    const { epoch } = await own.read(ROOM);
    await client.del(`guildkit:{${ROOM}}:log`);
    const read = await own.read(ROOM, { epoch, seq: 1 });
    expect(read).toMatchObject({ recovered: false, seq: 3 });
    expect(read.epoch).not.toBe(epoch);
  });

  it('says what it does not understand, and is closed once', async () => {
    const server = await start();
    const { engine: own, client } = await engine(server);
    const reader = await Reader.join(own, ROOM);
    // Foreign messages make it read the log, no more.
    for (const text of ['', 'x', 'e 1 {', 'e x []', 'e 1 []']) {
      await client.sPublish(`guildkit:{${ROOM}}:feed`, text);
    }
    await own.publish(ROOM, event(1));
    await eventually(() => expect(reader.seen).toEqual([1]));
    await client.sendCommand(['HSET', `guildkit:{guild:1}:meta`, 'epoch', 'e', 'seq', '1', 'replid', 'x']);
    await client.sendCommand(['XADD', 'guildkit:{guild:1}:log', '1-0', 'b', 'not ours', 'a', '1']);
    const malformed = await own.read('guild:1').catch((error: unknown) => error);
    expect(RedisError.is(malformed) && malformed.code).toBe('ERR_REDIS_REPLY_MALFORMED');
    await own.close();
    const closed = await own.publish(ROOM, event(2)).catch((error: unknown) => error);
    expect(RedisError.is(closed) && closed.code).toBe('ERR_REDIS_ENGINE_CLOSED');
    for (const bad of [{}, { client: {}, applyRoomEvent, initialRoomState, maxEvents: 0 }] as never[]) {
      expect(() => redisEngine(bad)).toThrow(TypeError);
    }
  });
});
