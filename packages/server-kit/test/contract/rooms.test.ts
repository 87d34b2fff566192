/** `/rooms` against the sandbox's REST: create, join, end, and what is left when it stops at any point. */
import type { DomainEvent } from '@guildkit/core';
import { createSandbox, type Person, type Sandbox } from '@guildkit/sandbox';
import { createInvites } from '@guildkit/server-kit/invites';
import {
  createRoomHandlers,
  memoryRoomStore,
  RoomError,
  type RoomErrorCode,
  RoomService,
  type RoomServiceOptions,
  type RoomStore,
} from '@guildkit/server-kit/rooms';
import { createVirtualClock, type VirtualClock } from '@guildkit/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { takeInventory } from '../../src/rooms/protocol/inventory.js';
import { joined, left, moved, snapshot } from '../support/discord-events.js';
import { keepingLogger } from '../support/log-lines.js';
import { type Fault, sandboxRest } from '../support/sandbox-rest.js';
import { roomStoreSuite } from './room-store-suite.js';

roomStoreSuite('memory', async () => {
  const clock = createVirtualClock();
  return { store: memoryRoomStore({ clock }), advance: (ms) => clock.advance(ms) };
});

let sandbox: Sandbox;
let people: Person[];
const services: RoomService[] = [];
beforeAll(async () => {
  sandbox = await createSandbox({ seed: 3, rateLimits: false });
  people = [];
  for (let n = 0; n < 6; n += 1) people.push(await sandbox.people.create({ name: `player ${n}` }));
});
afterEach(async () => {
  for (const service of services.splice(0)) await service.close();
  // Every test starts with an empty guild.
  const rest = sandboxRest(sandbox.connection);
  const { rooms, orphanRoles, surplus } = await discord();
  for (const { channelId } of [...rooms, ...surplus]) await rest.deleteChannel(channelId);
  for (const { roleId } of [...rooms, ...orphanRoles]) await rest.deleteGuildRole({ roleId, guildId: sandbox.guildId });
});
afterAll(() => sandbox.close());

const idOf = (n: number): string => (people[n] as Person).id;

/** What Discord has of rooms. */
async function discord() {
  const rest = sandboxRest(sandbox.connection);
  return takeInventory(await rest.getGuildRoles(sandbox.guildId), await rest.getChannels(sandbox.guildId));
}

type Decide = Parameters<typeof sandboxRest>[1];

function subject(options: Partial<RoomServiceOptions> & { fault?: Decide; clock?: VirtualClock } = {}) {
  const { fault, ...rest } = options;
  const clock = options.clock ?? createVirtualClock();
  const logger = keepingLogger();
  const api = sandboxRest(sandbox.connection, fault);
  const invites = createInvites({ secrets: 'an invite secret of many letters', clock });
  const published: unknown[] = [];
  const rooms = new RoomService({
    guildId: sandbox.guildId,
    rest: api,
    invites,
    clock,
    logger,
    random: () => 0.5,
    orphanGraceMs: 0,
    publish: (room, event, payload) => published.push([room, event, payload]),
    ...rest,
  });
  services.push(rooms);
  const tell = (event: DomainEvent): void =>
    rooms.applyEvent({ ...event, payload: { ...event.payload, guildId: sandbox.guildId } } as DomainEvent);
  tell(snapshot([]));
  return { rooms, clock, logger, api, invites, published, tell };
}

/** Lets HTTP answers arrive while virtual time passes. */
async function during<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let over = false;
  const done = work.finally(() => {
    over = true;
  });
  done.catch(() => {});
  while (!over) {
    await clock.advance(50);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return done;
}

const codeOf = (work: Promise<unknown>): Promise<RoomErrorCode | 'ok'> =>
  work.then(
    () => 'ok' as const,
    (error: unknown) => {
      if (RoomError.is(error)) return error.code;
      throw error;
    },
  );

describe('create', () => {
  it('makes a private voice channel with a role that its creator has, and an invite', async () => {
    const { rooms, invites, api } = subject();
    const room = await rooms.create({ creatorId: idOf(0), name: 'Table 1', userLimit: 3 });
    expect(room).toMatchObject({ name: 'Table 1', guildId: sandbox.guildId });
    expect(await invites.verify(room.invite ?? '', room.channelId)).toMatchObject({
      roleId: room.roleId,
      creatorId: idOf(0),
    });
    const channel = (await api.getChannels(sandbox.guildId)).find(({ id }) => id === room.channelId) as never as {
      user_limit: number;
      permission_overwrites: { id: string; allow: string; deny: string }[];
    };
    expect(channel.user_limit).toBe(3);
    const bits = (id: string, key: 'allow' | 'deny'): bigint =>
      BigInt(channel.permission_overwrites.find((each) => each.id === id)?.[key] ?? 0);
    expect(bits(sandbox.guildId, 'deny') & (1n << 20n)).toBe(1n << 20n);
    expect(bits(room.roleId, 'allow') & (1n << 20n)).toBe(1n << 20n);
    expect(await api.getGuildMember({ guildId: sandbox.guildId, userId: idOf(0) })).toMatchObject({
      roles: [room.roleId],
    });
    await expect((people[1] as Person).joinVoice(room.channelId)).rejects.toThrow();
  });

  it('gives one room for creations at once, for the same key, and for the same key after a restart', async () => {
    const store = memoryRoomStore();
    const world = subject({ store });
    const creations = await Promise.all(
      ['a', 'a', 'b', undefined].map((idempotencyKey) => world.rooms.create({ creatorId: idOf(0), idempotencyKey })),
    );
    expect(new Set(creations.map(({ channelId }) => channelId)).size).toBe(1);
    const again = await world.rooms.create({ creatorId: idOf(0), idempotencyKey: 'a' });
    expect(again.channelId).toBe(creations[0]?.channelId);
    expect((await discord()).rooms).toHaveLength(1);
    // Nothing is known but what Discord has.
    const restarted = subject();
    const third = await restarted.rooms.create({ creatorId: idOf(0), idempotencyKey: 'a' });
    expect(third.channelId).toBe(creations[0]?.channelId);
    const other = await world.rooms.create({ creatorId: idOf(1), idempotencyKey: 'a' });
    expect(other.channelId).not.toBe(third.channelId);
    expect((await discord()).rooms).toHaveLength(2);
  });

  it('gives one room when two processes with one store are asked at once', async () => {
    const clock = createVirtualClock();
    const store = memoryRoomStore({ clock });
    const [a, b] = [subject({ clock, store }), subject({ clock, store })];
    const made = await during(
      clock,
      Promise.all([a.rooms.create({ creatorId: idOf(0) }), b.rooms.create({ creatorId: idOf(0) })]),
    );
    expect(made[0].channelId).toBe(made[1].channelId);
    expect((await discord()).rooms).toHaveLength(1);
  });

  it('bounds the rooms of one creator', async () => {
    const { rooms } = subject({ maxRoomsPerCreator: 2 });
    const made = await rooms.create({ creatorId: idOf(0), idempotencyKey: 'a' });
    await rooms.create({ creatorId: idOf(0), idempotencyKey: 'b' });
    expect(await codeOf(rooms.create({ creatorId: idOf(0), idempotencyKey: 'c' }))).toBe('ERR_ROOM_LIMIT');
    expect((await rooms.create({ creatorId: idOf(0), idempotencyKey: 'a' })).channelId).toBe(made.channelId);
    await rooms.end(made.channelId);
    expect(await codeOf(rooms.create({ creatorId: idOf(0), idempotencyKey: 'c' }))).toBe('ok');
    expect((await discord()).rooms).toHaveLength(2);
  });

  it('refuses input before anything is sent', async () => {
    const { rooms, api } = subject();
    const bad = [
      { name: '' },
      { name: '\u0000\u202e ' },
      { name: 'x'.repeat(101) },
      { userLimit: 5 },
      { userLimit: 0 },
      { userLimit: 1.5 },
      { parentId: 'x' },
      { idempotencyKey: '' },
      { creatorId: 'x' },
    ];
    for (const change of bad)
      expect(await codeOf(rooms.create({ creatorId: idOf(0), ...change })), JSON.stringify(change)).toBe(
        'ERR_ROOM_INPUT_INVALID',
      );
    expect(api.calls).toEqual([]);
  });

  it('leaves nothing when its creator is not in the guild; with their token they are added', async () => {
    const stranger = await sandbox.people.create({ name: 'stranger' });
    await stranger.leaveGuild();
    const { rooms } = subject();
    expect(await codeOf(rooms.create({ creatorId: stranger.id }))).toBe('ERR_ROOM_MEMBERSHIP_REQUIRED');
    const { rooms: none, orphanRoles } = await discord();
    expect([none, orphanRoles]).toEqual([[], []]);
    const { accessToken } = sandbox.oauth.tokensFor(stranger);
    expect(await codeOf(rooms.create({ creatorId: stranger.id, accessToken }))).toBe('ok');
  });
});

describe('faults', () => {
  const CALLS = ['getGuildRoles', 'getChannels', 'createGuildRole', 'createVoiceChannel', 'addGuildMemberRole'];
  const faults: Fault[] = ['lostRequest', 'lostAnswer', 'refused'];
  it.each(CALLS.flatMap((name) => faults.map((fault) => [name, fault] as const)))(
    'create: %s is %s once',
    async (name, fault) => {
      let hit = false;
      const world = subject({
        fault: (_, called) => {
          if (hit || called !== name) return 'none';
          hit = true;
          return fault;
        },
      });
      const code = await during(world.clock, codeOf(world.rooms.create({ creatorId: idOf(0), idempotencyKey: name })));
      expect(hit).toBe(true);
      const { rooms, orphanRoles, surplus } = await discord();
      // Either the one room or nothing at all.
      expect([rooms.length, orphanRoles.length, surplus.length]).toEqual([code === 'ok' ? 1 : 0, 0, 0]);
      expect(code).toBe(fault === 'refused' ? 'ERR_ROOM_DISCORD_FAILED' : 'ok');
    },
  );

  it('of 160 joins with 2 of 100 calls failing every one succeeds at the first try', async () => {
    let seed = 11;
    const random = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed / 2 ** 31;
    };
    let failed = 0;
    const world = subject({
      fault: () => {
        const chance = random();
        if (chance >= 0.02) return 'none';
        failed += 1;
        return chance < 0.01 ? 'lostRequest' : 'lostAnswer';
      },
    });
    const work = async (): Promise<string[]> => {
      const codes: string[] = [];
      for (let n = 0; n < 40; n += 1) {
        const room = await world.rooms.create({ creatorId: idOf(n % 6), idempotencyKey: `room ${n}` });
        const players = [0, 1, 2, 3].map((k) => idOf((n + k) % 6));
        const { channelId, invite } = room;
        codes.push(
          ...(await Promise.all(players.map((userId) => codeOf(world.rooms.join({ channelId, userId, invite }))))),
        );
      }
      return codes;
    };
    const codes = await during(world.clock, work());
    expect(codes).toEqual(Array(160).fill('ok'));
    expect(failed).toBeGreaterThan(2);
    const found = await discord();
    expect([found.rooms.length, found.orphanRoles.length, found.surplus.length]).toEqual([40, 0, 0]);
  });

  it('an outage that outlasts every try leaves at most what the next sweep removes', async () => {
    let down = false;
    const world = subject({
      fault: (_, name) => {
        if (name === 'createVoiceChannel') down = true;
        return down ? 'lostRequest' : 'none';
      },
    });
    expect(await during(world.clock, codeOf(world.rooms.create({ creatorId: idOf(0) })))).toBe(
      'ERR_ROOM_DISCORD_FAILED',
    );
    expect((await discord()).orphanRoles).toHaveLength(1);
    const after = subject();
    expect(await after.rooms.reconcile()).toEqual({ adopted: 0, ended: 0, removed: 1 });
    expect((await discord()).orphanRoles).toEqual([]);
  });
});

describe('crash points', () => {
  const points = (count: number) =>
    Array.from({ length: count }, (_, n) => [n + 1, 'crashBefore'] as const).flatMap(([n]) => [
      [n, 'crashBefore'] as const,
      [n, 'crashAfter'] as const,
    ]);
  const stores: [string, (clock: VirtualClock) => RoomStore | undefined][] = [
    ['a store that was lost', () => undefined],
    ['a store that survived', (clock) => memoryRoomStore({ clock })],
  ];

  describe.each(stores)('with %s', (_, makeStore) => {
    // Roles and channels are listed, role, channel, role given.
    it.each(points(5))('create, call %i: %s', async (at, how) => {
      const clock = createVirtualClock();
      const store = makeStore(clock);
      const before = subject({ clock, store, tries: 1, fault: (call) => (call === at ? how : 'none') });
      await during(
        clock,
        before.rooms.create({ creatorId: idOf(0), idempotencyKey: 'k' }).catch(() => undefined),
      );
      // Claims of the dead process have run out by now.
      await clock.advance(60_000);
      const after = subject({ clock, store });
      await during(clock, after.rooms.reconcile());
      const found = await discord();
      expect([found.orphanRoles.length, found.surplus.length]).toEqual([0, 0]);
      expect(found.rooms.length).toBeLessThanOrEqual(1);
      expect((await after.rooms.list()).map(({ channelId }) => channelId)).toEqual(
        found.rooms.map(({ channelId }) => channelId),
      );
      // The page asks again with its key: one room, and its creator is in.
      const room = await during(clock, after.rooms.create({ creatorId: idOf(0), idempotencyKey: 'k' }));
      expect((await discord()).rooms.map(({ channelId }) => channelId)).toEqual([room.channelId]);
      const joined = await during(
        clock,
        after.rooms.join({ channelId: room.channelId, userId: idOf(0), invite: room.invite }),
      );
      expect(joined.room.holders).toEqual([idOf(0)]);
    });

    // Channel, role.
    it.each(points(2))('end, call %i: %s', async (at, how) => {
      const clock = createVirtualClock();
      const store = makeStore(clock);
      const made = await subject({ clock, store }).rooms.create({ creatorId: idOf(0) });
      let n = 0;
      const before = subject({
        clock,
        store,
        tries: 1,
        fault: (__, name) => {
          if (!name.startsWith('delete')) return 'none';
          n += 1;
          return n === at ? how : 'none';
        },
      });
      await before.rooms.reconcile();
      await during(
        clock,
        before.rooms.end(made.channelId).catch(() => undefined),
      );
      await clock.advance(60_000);
      const after = subject({ clock, store });
      await during(clock, after.rooms.reconcile());
      const found = await discord();
      if (store === undefined && at === 1 && how === 'crashBefore') {
        // Nobody knows that it was to end: it is a room as any other.
        expect(found.rooms.map(({ channelId }) => channelId)).toEqual([made.channelId]);
        await after.rooms.end(made.channelId);
      }
      const { rooms, orphanRoles } = await discord();
      expect([rooms, orphanRoles]).toEqual([[], []]);
      expect(await after.rooms.list()).toEqual([]);
    });
  });
});

describe('join', () => {
  it('seats four and no fifth, however many come at once, each as often as they like', async () => {
    const { rooms, tell } = subject();
    const { channelId, invite = '' } = await rooms.create({ creatorId: idOf(0) });
    const players = [0, 1, 2, 3, 4, 5, 1].map(idOf);
    const codes = await Promise.all(players.map((userId) => codeOf(rooms.join({ channelId, userId, invite }))));
    const held = (await rooms.get(channelId))?.holders ?? [];
    expect(held).toHaveLength(4);
    // Who came twice has one seat and two answers, or none.
    expect(codes).toEqual(players.map((userId) => (held.includes(userId) ? 'ok' : 'ERR_ROOM_FULL')));
    const gone = held.find((userId) => userId !== idOf(0)) ?? '';
    const leavers: string[] = [];
    rooms.on('left', ({ userId }) => leavers.push(userId));
    expect(await rooms.isSeated(channelId, gone)).toBe(true);
    await rooms.leave(channelId, gone);
    await rooms.leave(channelId, gone);
    expect([leavers, await rooms.isSeated(channelId, gone), await rooms.isSeated('99', gone)]).toEqual([
      [gone],
      false,
      false,
    ]);
    const late = [0, 1, 2, 3, 4, 5].map(idOf).find((userId) => !held.includes(userId)) ?? '';
    expect(await codeOf(rooms.join({ channelId, userId: late }))).toBe('ok');
    tell(left(late, channelId));
    expect(rooms.stats().refused).toEqual({ ERR_ROOM_FULL: codes.filter((code) => code !== 'ok').length });
  });

  it('an invite with few uses is used by who gets in, not by who finds the room full', async () => {
    const { rooms, invites } = subject();
    const { channelId, roleId } = await rooms.create({ creatorId: idOf(0), userLimit: 2 });
    const { token } = await invites.create({
      guildId: sandbox.guildId,
      channelId,
      roleId,
      creatorId: idOf(0),
      maxUses: 1,
    });
    await rooms.join({ channelId, userId: idOf(1) });
    expect(await codeOf(rooms.join({ channelId, userId: idOf(2), invite: token }))).toBe('ERR_ROOM_FULL');
    await rooms.leave(channelId, idOf(1));
    expect(await codeOf(rooms.join({ channelId, userId: idOf(3), invite: token }))).toBe('ok');
    await rooms.leave(channelId, idOf(3));
    await expect(rooms.join({ channelId, userId: idOf(4), invite: token })).rejects.toMatchObject({
      code: 'ERR_INVITE_USES_SPENT',
    });
    expect((await rooms.get(channelId))?.holders).toEqual([idOf(0)]);
  });

  it('moves who is in voice, sends others a link, and knows when they came', async () => {
    const { rooms, tell, api, clock } = subject();
    const { channelId } = await rooms.create({ creatorId: idOf(0) });
    const url = `https://discord.com/channels/${sandbox.guildId}/${channelId}`;
    expect((await rooms.join({ channelId, userId: idOf(1) })).placement).toEqual({ how: 'link', url });
    const arrival = rooms.arrival(channelId, idOf(1), { withinMs: 5_000 });
    tell(joined(idOf(1), channelId));
    expect(await arrival).toBe(true);
    expect((await rooms.join({ channelId, userId: idOf(1) })).placement.how).toBe('present');

    const mover = people[2] as Person;
    await mover.joinVoice(sandbox.voiceChannelId);
    tell(joined(mover.id, sandbox.voiceChannelId));
    const joining = rooms.join({ channelId, userId: mover.id });
    while (mover.channelId !== channelId) await new Promise((resolve) => setImmediate(resolve));
    tell(moved(mover.id, sandbox.voiceChannelId, channelId));
    expect((await joining).placement.how).toBe('moved');
    expect(api.calls.filter((name) => name === 'moveMember')).toHaveLength(1);

    const late = rooms.arrival(channelId, idOf(3), { withinMs: 5_000 });
    await clock.advance(5_000);
    expect(await late).toBe(false);
    expect(await rooms.arrival(channelId, idOf(3), { signal: AbortSignal.abort() })).toBe(false);
    await mover.leaveVoice();
  });

  it('tries a move again, and falls back to the link', async () => {
    let failures = 1;
    const world = subject({
      fault: (_, name) => {
        if (name !== 'moveMember' || failures <= 0) return 'none';
        failures -= 1;
        return 'lostRequest';
      },
    });
    const { rooms, tell, clock } = world;
    const { channelId } = await rooms.create({ creatorId: idOf(0) });
    const mover = people[4] as Person;
    await mover.joinVoice(sandbox.voiceChannelId);
    tell(joined(mover.id, sandbox.voiceChannelId));
    const joining = during(clock, rooms.join({ channelId, userId: mover.id }));
    while (mover.channelId !== channelId) await new Promise((resolve) => setImmediate(resolve));
    tell(moved(mover.id, sandbox.voiceChannelId, channelId));
    expect((await joining).placement.how).toBe('moved');
    // Discord says nothing of the move: three tries, then the link.
    const ghost = idOf(5);
    tell(joined(ghost, sandbox.voiceChannelId));
    expect((await during(clock, rooms.join({ channelId, userId: ghost }))).placement.how).toBe('link');
    await mover.leaveVoice();
  });

  it('refuses rooms that are unknown or over, invites of other rooms, and gives the seat back when the role fails', async () => {
    let refuse = false;
    const { rooms, clock } = subject({
      fault: (_, name) => (refuse && name === 'addGuildMemberRole' ? 'refused' : 'none'),
    });
    expect(await codeOf(rooms.join({ channelId: '99', userId: idOf(1) }))).toBe('ERR_ROOM_UNKNOWN');
    const a = await rooms.create({ creatorId: idOf(0) });
    const b = await rooms.create({ creatorId: idOf(1) });
    await expect(rooms.join({ channelId: a.channelId, userId: idOf(2), invite: b.invite })).rejects.toMatchObject({
      code: 'ERR_INVITE_ROOM_MISMATCH',
    });
    refuse = true;
    expect(await during(clock, codeOf(rooms.join({ channelId: a.channelId, userId: idOf(2) })))).toBe(
      'ERR_ROOM_DISCORD_FAILED',
    );
    expect((await rooms.get(a.channelId))?.holders).toEqual([idOf(0)]);
    refuse = false;
    await rooms.end(a.channelId);
    expect(await codeOf(rooms.join({ channelId: a.channelId, userId: idOf(2) }))).toBe('ERR_ROOM_OVER');
    await expect(rooms.join({ channelId: a.channelId, userId: idOf(2), invite: a.invite })).rejects.toMatchObject({
      code: 'ERR_INVITE_TOKEN_REVOKED',
    });
  });
});

describe('end', () => {
  it('is the creator’s and the moderators’, and safe to repeat', async () => {
    const { rooms } = subject();
    const { channelId } = await rooms.create({ creatorId: idOf(0) });
    expect(await codeOf(rooms.end(channelId, { userId: idOf(1) }))).toBe('ERR_ROOM_FORBIDDEN');
    const ends = await Promise.all([
      rooms.end(channelId, { userId: idOf(0) }),
      rooms.end(channelId, { userId: idOf(1), isModerator: true }),
    ]);
    expect(ends.map(({ state }) => state)).toEqual(['ended', 'ended']);
    expect((await rooms.end(channelId, { userId: idOf(0) })).state).toBe('ended');
    expect(rooms.stats().ended.requested).toBe(1);
    expect(await codeOf(rooms.end('99'))).toBe('ERR_ROOM_UNKNOWN');
    const { rooms: none, orphanRoles } = await discord();
    expect([none, orphanRoles]).toEqual([[], []]);
  });

  it('goes on with the next sweep when Discord was away', async () => {
    let down = false;
    const { rooms, clock } = subject({ fault: () => (down ? 'lostRequest' : 'none') });
    await during(clock, rooms.start());
    const { channelId } = await rooms.create({ creatorId: idOf(0) });
    down = true;
    expect(await during(clock, codeOf(rooms.end(channelId)))).toBe('ERR_ROOM_DISCORD_FAILED');
    expect(await codeOf(rooms.join({ channelId, userId: idOf(1) }))).toBe('ERR_ROOM_OVER');
    down = false;
    const ended = new Promise((resolve) => rooms.once('ended', resolve));
    await clock.advance(300_000);
    await during(clock, ended);
    expect((await discord()).rooms).toEqual([]);
    // After an hour nobody asks for it any more.
    await clock.advance(7_200_000);
    await during(clock, rooms.reconcile());
    expect(await rooms.get(channelId)).toBeUndefined();
  });

  it('follows when someone deletes the channel in Discord', async () => {
    const { rooms, tell, api } = subject();
    const { channelId } = await rooms.create({ creatorId: idOf(0) });
    await api.deleteChannel(channelId);
    const ended = new Promise<{ cause: string }>((resolve) => rooms.once('ended', resolve));
    tell({ event: 'channel.deleted', payload: { channelId, guildId: sandbox.guildId }, id: 'e', traceId: 't', ts: 1 });
    expect((await ended).cause).toBe('deleted');
    expect((await discord()).orphanRoles).toEqual([]);
  });
});

describe('emptiness', () => {
  it('closes after an hour without anyone, told 30 s before', async () => {
    const { rooms, clock, published } = subject();
    const { channelId } = await rooms.create({ creatorId: idOf(0) });
    const ended = new Promise<{ cause: string }>((resolve) => rooms.once('ended', resolve));
    await clock.advance(3_600_000);
    expect(published).toEqual([]);
    await clock.advance(300_000);
    expect(published).toEqual([
      [
        `channel:${channelId}`,
        'room.closing',
        { channelId, guildId: sandbox.guildId, closesAt: clock.wallTime() + 30_000 },
      ],
    ]);
    expect((await rooms.get(channelId))?.state).toBe('open');
    await clock.advance(30_000);
    expect((await ended).cause).toBe('idle');
    expect((await discord()).rooms).toEqual([]);
  });

  it('is told once, and closed once, by two processes with one store', async () => {
    const clock = createVirtualClock();
    const store = memoryRoomStore({ clock });
    const [a, b] = [subject({ clock, store }), subject({ clock, store })];
    await during(clock, a.rooms.create({ creatorId: idOf(0) }));
    await during(clock, b.rooms.reconcile());
    await clock.advance(3_600_000 + 300_000 + 60_000);
    while ((await discord()).rooms.length > 0) await clock.advance(100);
    await clock.advance(10_000);
    expect([...a.published, ...b.published]).toHaveLength(1);
    const [first, second] = [a.rooms.stats().ended, b.rooms.stats().ended];
    expect((await store.list()).map(({ state }) => state)).toEqual(['ended']);
    expect(first.idle + second.idle).toBeGreaterThanOrEqual(1);
  });

  it('stays open for who is in voice, who looks, who arrives in time, who asks, and who cannot be counted', async () => {
    let viewers: number | Error = 0;
    const { rooms, clock, tell, published } = subject({
      viewersOf: () => {
        if (viewers instanceof Error) throw viewers;
        return viewers;
      },
    });
    const { channelId } = await rooms.create({ creatorId: idOf(0) });
    const hours = (n: number) => clock.advance(n * 3_600_000);
    tell(joined(idOf(0), channelId));
    await hours(3);
    tell(left(idOf(0), channelId));
    viewers = 1;
    await hours(3);
    viewers = new Error('no');
    await hours(3);
    expect(published).toEqual([]);
    viewers = 0;
    const kept = new Promise((resolve) => rooms.once('kept', resolve));
    while (published.length === 0) await clock.advance(60_000);
    tell(joined(idOf(0), channelId));
    await kept;
    tell(left(idOf(0), channelId));
    while (published.length === 1) await clock.advance(60_000);
    await rooms.keepOpen(channelId);
    await hours(0.9);
    expect((await rooms.get(channelId))?.state).toBe('open');
    expect((await discord()).rooms).toHaveLength(1);
  });
});

describe('start', () => {
  it('finds rooms in Discord, with those who are in them, and leaves other channels and roles alone', async () => {
    const { channelId, roleId } = await subject().rooms.create({ creatorId: idOf(0), name: 'Table 7', userLimit: 2 });
    const rest = sandboxRest(sandbox.connection);
    const other = await rest.createGuildRole({ name: 'Moderator', guildId: sandbox.guildId, permissions: 0n });
    const { rooms, tell } = subject();
    tell(
      snapshot([
        [idOf(0), channelId],
        [idOf(1), channelId],
      ]),
    );
    expect(await rooms.start()).toEqual({ adopted: 1, ended: 0, removed: 0 });
    expect(await rooms.get(channelId)).toMatchObject({
      name: 'Table 7',
      roleId,
      creatorId: idOf(0),
      userLimit: 2,
      holders: [idOf(0), idOf(1)],
    });
    expect(await codeOf(rooms.join({ channelId, userId: idOf(2) }))).toBe('ERR_ROOM_FULL');
    expect(await rooms.reconcile()).toEqual({ adopted: 0, ended: 0, removed: 0 });
    expect((await rest.getGuildRoles(sandbox.guildId)).some(({ id }) => id === other.id)).toBe(true);
    expect((await rest.getChannels(sandbox.guildId)).some(({ id }) => id === sandbox.voiceChannelId)).toBe(true);
  });
});

describe('handlers', () => {
  it('serve the routes with the statuses of R17', async () => {
    const { rooms } = subject();
    let who: { userId: string; roles: readonly string[]; expiresAt: number } | null = null;
    const handlers = createRoomHandlers({ rooms, principalOf: async () => who });
    const as = (n: number, roles: readonly string[] = []): void => {
      who = { userId: idOf(n), roles, expiresAt: Number.POSITIVE_INFINITY };
    };
    const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
      new Request(`https://app.example${path}`, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers,
      });
    const statusOf = async (answer: Promise<Response>) => (await answer).status;

    expect(await statusOf(handlers.createRoom(post('/api/create-room', {})))).toBe(401);
    as(0);
    for (const bad of ['{', '[]', { name: 5 }, { userLimit: 9 }, { strange: 1 }]) {
      expect(await statusOf(handlers.createRoom(post('/api/create-room', bad)))).toBe(400);
    }
    const made = await handlers.createRoom(post('/api/create-room', { name: 'Table' }, { 'idempotency-key': 'k' }));
    expect(made.status).toBe(201);
    const room = (await made.json()) as { channelId: string; invite: string };
    const again = (await (
      await handlers.createRoom(post('/api/create-room', { name: 'Table' }, { 'idempotency-key': 'k' }))
    ).json()) as typeof room;
    expect(again.channelId).toBe(room.channelId);

    as(1);
    const { channelId, invite } = room;
    const entered = await handlers.joinRoom(post('/api/join-room', { channelId, invite }));
    expect(await entered.json()).toMatchObject({ channelId, name: 'Table', how: 'link' });
    expect(await statusOf(handlers.joinRoom(post('/api/join-room', { channelId, invite: 'forged' })))).toBe(403);
    expect(await statusOf(handlers.joinRoom(post('/api/join-room', { channelId: '99', invite })))).toBe(404);
    as(2);
    await handlers.joinRoom(post('/api/join-room', { channelId, invite }));
    as(3);
    await handlers.joinRoom(post('/api/join-room', { channelId, invite }));
    as(4);
    expect(await statusOf(handlers.joinRoom(post('/api/join-room', { channelId, invite })))).toBe(409);

    const end = () => new Request(`https://app.example/api/end-room/${channelId}`, { method: 'DELETE' });
    expect(await statusOf(handlers.endRoom(end(), { channelId }))).toBe(403);
    as(4, ['moderator']);
    expect(await statusOf(handlers.endRoom(end(), { channelId }))).toBe(204);
    expect(await statusOf(handlers.endRoom(end(), { channelId }))).toBe(204);
    expect(await statusOf(handlers.endRoom(post('/api/end-room', {}), { channelId }))).toBe(405);
  });
});
