/** The gateway of an owner while Redis, Discord or the rooms fail: what is not in the rooms is told again. */
import type { DomainEvent } from '@guildkit/core';
import { DiscordGatewayClient } from '@guildkit/gateway';
import { createShardOwner, type OwnedGatewayOptions, runOwnedGateway, type ShardOwner } from '@guildkit/redis';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { RealtimeHub } from '@guildkit/server-kit/hub';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { engineOn } from '../support/engine.js';
import { Reader } from '../support/reader.js';
import { hasRedis, TestRedis } from '../support/redis-server.js';

const LEASE_MS = 1_000;
const eventually = <T>(attempt: () => T | Promise<T>) => vi.waitFor(attempt, { timeout: 20_000, interval: 20 });
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface World {
  readonly redis: TestRedis;
  readonly sandbox: Sandbox;
  readonly owner: ShardOwner;
  readonly errors: unknown[];
  readonly deposed: string[];
  readonly client: Awaited<ReturnType<typeof engineOn>>['client'];
  readonly reader: Reader;
  /** Who is in the voice channel, as a page that comes now is shown. */
  readonly members: () => Promise<string[]>;
}

type Options = Partial<Pick<OwnedGatewayOptions, 'publish' | 'maxQueued' | 'drainMs'>> & { readonly token?: string };

async function start({ token, publish, ...options }: Options = {}): Promise<World> {
  const redis = await TestRedis.start();
  closing.push(() => redis.close());
  const sandbox = await createSandbox({ rateLimits: false });
  closing.push(() => sandbox.close());
  const { engine, client } = await engineOn(redis, { commandTimeoutMs: 300, tailCheckMs: 50 });
  closing.push(() => engine.close());
  const hub = new RealtimeHub({ origins: [], authenticate: () => null, authorize: () => false, engine });
  hub.on('error', () => {});
  closing.push(() => hub.close());
  const reader = await Reader.join(engine, `channel:${sandbox.voiceChannelId}`);
  const errors: unknown[] = [];
  const deposed: string[] = [];
  const owner = createShardOwner({
    client,
    leaseMs: LEASE_MS,
    askEveryMs: 50,
    run: (ownership) =>
      runOwnedGateway(ownership, {
        client,
        engine,
        commandTimeoutMs: 300,
        ...options,
        gateway: (sessionStore) => {
          const connection = { ...sandbox.connection, ...(token === undefined ? {} : { token }) };
          const gateway = new DiscordGatewayClient({
            ...connection,
            intents: ['Guilds', 'GuildVoiceStates'],
            sessionStore,
            backoff: { baseMs: 20, capMs: 100 },
          });
          gateway.on('error', () => {});
          return gateway;
        },
        publish: publish ?? hub.publishDiscordEvent,
      }),
  });
  owner.on('error', ({ error }) => errors.push(error));
  owner.on('deposed', ({ reason }) => deposed.push(reason));
  closing.push(() => owner.close());
  const members = async () => {
    const { snapshot } = await engine.read(`channel:${sandbox.voiceChannelId}`);
    return snapshot.kind === 'voice' ? snapshot.members.map(({ userId }) => userId).sort() : [];
  };
  return { redis, sandbox, owner, errors, deposed, client, reader, members };
}

const seen = ({ reader }: World) =>
  reader.seen.map((payload) => {
    const { userId, mute } = payload as { readonly userId: string; readonly mute?: boolean };
    return `${mute === undefined ? 'left' : 'joined'} ${userId}`;
  });

describe.skipIf(!hasRedis)('the gateway of an owner', () => {
  it('is detached while Redis is away for longer than the lease, and resumed: nothing is lost', async () => {
    const world = await start();
    const { redis, sandbox, owner, deposed, client } = world;
    const ann = await sandbox.people.create({ name: 'ann' });
    await ann.joinVoice(sandbox.voiceChannelId);
    await eventually(() => expect(seen(world)).toEqual([`joined ${ann.id}`]));
    // Without a stored session the next ownership would begin anew, from how Discord is then.
    await eventually(async () => expect(await client.keys('*gateway-session*')).toHaveLength(1));
    redis.pause();
    await ann.leaveVoice();
    await eventually(() => expect(deposed).toEqual(['expired']));
    expect(owner.isOwner).toBe(false);
    await ann.joinVoice(sandbox.voiceChannelId);
    redis.resume();
    await eventually(() => expect(owner.isOwner).toBe(true));
    await eventually(() => expect(seen(world)).toEqual([`joined ${ann.id}`, `left ${ann.id}`, `joined ${ann.id}`]));
    await ann.leaveVoice();
    await eventually(() => expect(seen(world)).toHaveLength(4));
    expect(world.reader.restarts).toBe(0);
    expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumesRefused: 0 });
  });

  it('begins anew when Redis has lost the session: the rooms end as Discord is', async () => {
    const world = await start();
    const { sandbox, owner, client, reader, members } = world;
    const [ann, bob] = [await sandbox.people.create({ name: 'ann' }), await sandbox.people.create({ name: 'bob' })];
    await ann.joinVoice(sandbox.voiceChannelId);
    await eventually(() => expect(seen(world)).toEqual([`joined ${ann.id}`]));
    const before = owner.term as number;
    await client.flushAll();
    await bob.joinVoice(sandbox.voiceChannelId);
    await eventually(() => expect(owner.term).toBeGreaterThan(before));
    await eventually(async () => expect(await members()).toEqual([ann.id, bob.id].sort()));
    expect(reader.restarts).toBeGreaterThan(0);
    expect(sandbox.traffic.counters.identifies).toBe(2);
  });

  it('is told again what a Redis that was restarted from a file has lost, in order', async () => {
    const world = await start();
    const { redis, sandbox, owner, client, members } = world;
    const [ann, bob] = [await sandbox.people.create({ name: 'ann' }), await sandbox.people.create({ name: 'bob' })];
    await ann.joinVoice(sandbox.voiceChannelId);
    await eventually(() => expect(seen(world)).toEqual([`joined ${ann.id}`]));
    await client.sendCommand(['SAVE']);
    const before = owner.term as number;
    // Acknowledged, and then lost.
    await ann.leaveVoice();
    await bob.joinVoice(sandbox.voiceChannelId);
    await eventually(() => expect(seen(world)).toHaveLength(3));
    await redis.down();
    await redis.up();
    await bob.leaveVoice();
    await ann.joinVoice(sandbox.voiceChannelId);
    await eventually(() => expect(owner.term).toBeGreaterThan(before));
    const key = `guildkit:{channel:${sandbox.voiceChannelId}}:log`;
    await eventually(async () => {
      const log = (await client.sendCommand(['XRANGE', key, '-', '+'])) as [string, string[]][];
      const names = log.map(([, [, body]]) => /voice\.\w+/.exec(body as string)?.[0]);
      expect(names).toEqual(['voice.joined', 'voice.left', 'voice.joined', 'voice.left', 'voice.joined']);
    });
    expect(await members()).toEqual([ann.id]);
    expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumesRefused: 0 });
  });

  it('hands over with everything taken when it is closed, and the next owner is told nothing twice', async () => {
    const taken: DomainEvent[] = [];
    let fail = 3;
    const world = await start({
      publish: async (event) => {
        if (event.event === 'voice.joined' && fail > 0) {
          fail -= 1;
          return 'failed';
        }
        taken.push(event);
        return 'published';
      },
    });
    const { sandbox, owner } = world;
    await eventually(() => expect(taken.map(({ event }) => event)).toContain('voice.snapshot'));
    const ann = await sandbox.people.create({ name: 'ann' });
    await ann.joinVoice(sandbox.voiceChannelId);
    await ann.leaveVoice();
    owner.resign();
    await eventually(() => expect(world.deposed).toEqual(['resigned']));
    await eventually(() => expect(sandbox.traffic.counters.resumes).toBe(1));
    await eventually(() => expect(taken.filter(({ id }) => id.includes('resumed'))).toHaveLength(1));
    const told = taken.filter(({ event }) => event !== 'voice.snapshot').map(({ event }) => event);
    expect(told).toEqual(['voice.joined', 'voice.left']);
    expect(fail).toBe(0);
  });

  it('gives the shard back when too much waits, and says what no retry can help', async () => {
    const publish = vi.fn(async () => 'failed');
    const full = await start({ publish, maxQueued: 3, drainMs: 10 });
    await eventually(() => expect(publish).toHaveBeenCalled());
    for (let n = 0; n < 4; n += 1) {
      const person = await full.sandbox.people.create({ name: `p${n}` });
      await person.joinVoice(full.sandbox.voiceChannelId);
    }
    await eventually(() => expect(full.deposed).toContain('resigned'));

    const wrong = await start({ token: 'not.a.token' });
    await eventually(() => expect(wrong.errors).toHaveLength(1));
    expect(String(wrong.errors[0])).toContain('token');
    expect([wrong.deposed, wrong.owner.isOwner]).toEqual([['ended'], false]);
  });

  it('refuses options that are none', async () => {
    const run = async () => {};
    for (const bad of [{ run }, { client: {} }, { client: {}, run, leaseMs: 1 }, { client: {}, run, name: 'a b' }]) {
      expect(() => createShardOwner(bad as never)).toThrow(TypeError);
    }
    await expect(runOwnedGateway({ signal: new AbortController().signal } as never, {} as never)).rejects.toThrow(
      TypeError,
    );
  });
});
