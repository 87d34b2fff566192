/** A process that goes on with the session of an earlier one: who was in voice, and what happened meanwhile. */
import type { DomainEvent } from '@guildkit/core';
import { type DiscordGatewayClientOptions, memorySessionStore, type SessionStore } from '@guildkit/gateway';
import { expect, test } from 'vitest';
import { fakeGateway } from '../support/fake-gateway.js';

const GUILD = '41771983423143937';
const dispatch = (t: string, s: number, d: unknown = {}) => ({ op: 0, t, s, d });
const user = (id: string) => ({ user: { id, username: `user ${id}` } });
const voice = (userId: string, channelId: string | null) => ({
  guild_id: GUILD,
  user_id: userId,
  channel_id: channelId,
  member: user(userId),
});
const guildCreate = (people: Record<string, string>) => ({
  id: GUILD,
  members: Object.keys(people).map(user),
  voice_states: Object.entries(people).map(([user_id, channel_id]) => ({ user_id, channel_id })),
  channels: [
    { id: '10', type: 2, name: 'Table 1' },
    { id: '20', type: 2, name: 'Table 2' },
  ],
});

function start(sessionStore: SessionStore, options: Partial<DiscordGatewayClientOptions> = {}) {
  const made = fakeGateway({ intents: ['Guilds', 'GuildVoiceStates'], sessionStore, ...options });
  const events: DomainEvent[] = [];
  made.client.onEvent('*', (event) => events.push(event));
  return {
    ...made,
    events,
    /** Connects until the client has asked to resume. */
    async resuming() {
      const connected = made.client.connect();
      while (made.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
      made.last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
      return { connected, socket: made.last() };
    },
  };
}

/** A first process that knows ann in table 1 and bob in table 2, and then is gone. */
async function firstProcess(sessionStore: SessionStore, options: Partial<DiscordGatewayClientOptions> = {}) {
  const first = start(sessionStore, options);
  const connected = first.connect({ guilds: [{ id: GUILD, unavailable: true }] });
  while (first.client.health().shards[0]?.phase !== 'ready') await new Promise((resolve) => setImmediate(resolve));
  first.last().receive(dispatch('GUILD_CREATE', 2, guildCreate({ ann: '10' })));
  await connected;
  first.last().receive(dispatch('VOICE_STATE_UPDATE', 3, voice('bob', '20')));
  return first;
}

const named = (events: readonly DomainEvent[]) =>
  events.map(({ event, payload }) => [event, (payload as { userId?: string }).userId]);

test('after a resume the replayed events are told with where people came from, then the whole as a snapshot', async () => {
  const store = memorySessionStore();
  const first = await firstProcess(store);
  await first.client.detach();

  const second = start(store);
  const { connected, socket } = await second.resuming();
  expect(socket.sent.at(-1)).toMatchObject({ op: 6, d: { seq: 3 } });
  socket.receive(dispatch('VOICE_STATE_UPDATE', 4, voice('ann', '20')));
  socket.receive(dispatch('VOICE_STATE_UPDATE', 5, voice('bob', null)));
  socket.receive(dispatch('RESUMED', 6));
  await connected;
  expect(named(second.events)).toEqual([
    ['voice.moved', 'ann'],
    ['voice.left', 'bob'],
    ['voice.snapshot', undefined],
  ]);
  expect(second.events[0]?.payload).toMatchObject({ fromChannelId: '10', channelId: '20', username: 'user ann' });
  expect(second.events[1]?.payload).toMatchObject({ channelId: '20' });
  expect(second.events[2]?.payload).toMatchObject({
    guildId: GUILD,
    members: [{ userId: 'ann', channelId: '20' }],
    channels: [
      { channelId: '10', name: 'Table 1' },
      { channelId: '20', name: 'Table 2' },
    ],
  });
  expect(new Set(second.events.map(({ id }) => id)).size).toBe(3);
  await second.client.close();
});

test('the snapshot is told at each RESUMED: one that is replayed comes in the middle', async () => {
  const store = memorySessionStore();
  await (await firstProcess(store)).client.detach();
  const second = start(store);
  const { connected, socket } = await second.resuming();
  socket.receive(dispatch('RESUMED', 4));
  socket.receive(dispatch('VOICE_STATE_UPDATE', 5, voice('bob', null)));
  socket.receive(dispatch('RESUMED', 6));
  await connected;
  expect(named(second.events)).toEqual([
    ['voice.snapshot', undefined],
    ['voice.left', 'bob'],
    ['voice.snapshot', undefined],
  ]);
  expect(new Set(second.events.map(({ id }) => id)).size).toBe(3);
  await second.client.close();
});

test('a session of its own is resumed without a snapshot', async () => {
  const first = await firstProcess(memorySessionStore());
  const events: DomainEvent[] = [];
  first.client.onEvent('*', (event) => events.push(event));
  first.last().close(1006);
  await first.clock.advance(1_000);
  first.last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  first.last().receive(dispatch('RESUMED', 4));
  expect(first.client.health().state).toBe('ready');
  expect(events).toEqual([]);
  await first.client.close();
});

test('when the session is gone, the new one tells what happened since it was stored', async () => {
  const store = memorySessionStore();
  await (await firstProcess(store)).client.detach();
  const second = start(store);
  const { connected, socket } = await second.resuming();
  socket.receive({ op: 9, d: false });
  await second.clock.advance(6_000);
  second.last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  await second.clock.advance(0);
  const ready = { session_id: 's2', resume_gateway_url: 'wss://r', user: { id: '42' }, guilds: [{ id: GUILD }] };
  second.last().receive(dispatch('READY', 1, ready));
  second.last().receive(dispatch('GUILD_CREATE', 2, guildCreate({ ann: '20' })));
  await connected;
  expect(named(second.events)).toEqual([
    ['voice.left', 'bob'],
    ['voice.moved', 'ann'],
    ['voice.snapshot', undefined],
  ]);
  await second.client.close();
});

test('a guild that the bot was taken out of meanwhile is left by everyone', async () => {
  const store = memorySessionStore();
  await (await firstProcess(store)).client.detach();
  const second = start(store);
  const { connected, socket } = await second.resuming();
  socket.receive({ op: 9, d: false });
  await second.clock.advance(6_000);
  second.last().receive({ op: 10, d: { heartbeat_interval: 40_000 } });
  await second.clock.advance(0);
  const ready = { session_id: 's2', resume_gateway_url: 'wss://r', user: { id: '42' }, guilds: [] };
  second.last().receive(dispatch('READY', 1, ready));
  await connected;
  expect(named(second.events)).toEqual([
    ['voice.left', 'ann'],
    ['voice.left', 'bob'],
  ]);
  expect(new Set(second.events.map(({ id }) => id)).size).toBe(2);
  await second.client.close();
});

test('what is stored belongs to its number: both are written behind the listeners', async () => {
  const memory = memorySessionStore();
  const saves: { seq: number; people: string[]; told: number }[] = [];
  const told: DomainEvent[] = [];
  const store: SessionStore = {
    ...memory,
    async save(key, session) {
      const members = session.voice?.guilds.flatMap((guild) => guild.members) ?? [];
      saves.push({ seq: session.seq, people: members.map(({ userId }) => userId), told: told.length });
      await memory.save(key, session);
    },
  };
  const first = await firstProcess(store);
  first.client.onEvent('voice.joined', (event) => told.push(event));
  await first.clock.advance(5_000);
  first.last().receive(dispatch('VOICE_STATE_UPDATE', 4, voice('eve', '10')));
  await first.clock.advance(0);
  expect(saves.at(-1)).toEqual({ seq: 4, people: ['ann', 'bob', 'eve'], told: 1 });
  await first.client.close();
});

test('in quiet times the number is stored with the next heartbeat', async () => {
  const memory = memorySessionStore();
  const seqs: number[] = [];
  const store: SessionStore = {
    ...memory,
    async save(key, session) {
      seqs.push(session.seq);
      await memory.save(key, session);
    },
  };
  const first = await firstProcess(store);
  expect(seqs).toEqual([1]);
  await first.clock.advance(20_000);
  first.last().receive({ op: 11 });
  await first.clock.advance(0);
  expect(seqs).toEqual([1, 3]);
  await first.clock.advance(40_000);
  first.last().receive({ op: 11 });
  await first.clock.advance(0);
  expect(seqs).toEqual([1, 3]);
  await first.client.close();
});

test('a store that is slower than events come gets the newest, one after the other', async () => {
  const memory = memorySessionStore();
  const waiting: (() => void)[] = [];
  const seqs: number[] = [];
  const store: SessionStore = {
    ...memory,
    async save(key, session) {
      seqs.push(session.seq);
      await new Promise<void>((resolve) => waiting.push(resolve));
      await memory.save(key, session);
    },
  };
  const first = await firstProcess(store);
  for (let seq = 4; seq < 10; seq += 1) {
    // The wall alone: the store has not used its time up.
    first.clock.jumpWall(5_000);
    first.last().receive(dispatch('VOICE_STATE_UPDATE', seq, voice('eve', seq % 2 === 0 ? '10' : '20')));
    await first.clock.advance(0);
  }
  expect(seqs).toEqual([1]);
  waiting.shift()?.();
  await first.clock.advance(0);
  expect(seqs).toEqual([1, 9]);
  const detached = first.client.detach();
  for (let turn = 0; turn < 3; turn += 1) {
    await first.clock.advance(0);
    waiting.shift()?.();
  }
  await detached;
  expect(seqs).toEqual([1, 9, 9]);
});

test('a record that cannot be read costs the knowledge, not the session', async () => {
  const store = memorySessionStore();
  await (await firstProcess(store)).client.detach();
  const spoilt: SessionStore = {
    ...store,
    load: async (key) => {
      const stored = await store.load(key);
      return stored && { ...stored, voice: { version: 9, guilds: 'none' } as never };
    },
  };
  const second = start(spoilt);
  const { connected, socket } = await second.resuming();
  expect(socket.sent.at(-1)).toMatchObject({ op: 6 });
  socket.receive(dispatch('VOICE_STATE_UPDATE', 4, voice('bob', null)));
  socket.receive(dispatch('RESUMED', 5));
  await connected;
  expect(second.events).toMatchObject([{ event: 'voice.left', payload: { userId: 'bob', channelId: null } }]);
  await second.client.close();
});

test('without domain events nothing of people is stored, and other guilds than the wanted are not taken over', async () => {
  const store = memorySessionStore();
  let voiceOf: unknown = 'never saved';
  const watched: SessionStore = {
    ...store,
    save: (key, session) => {
      voiceOf = session.voice;
      return store.save(key, session);
    },
  };
  const { client, connect } = fakeGateway({ sessionStore: watched, domainEvents: false });
  await connect();
  await client.detach();
  expect(voiceOf).toBeUndefined();

  const both = memorySessionStore();
  await (await firstProcess(both)).client.detach();
  const second = start(both, { guildId: '99' });
  const { connected, socket } = await second.resuming();
  socket.receive(dispatch('RESUMED', 4));
  await connected;
  expect(second.events).toEqual([]);
  await second.client.close();
});

test('the age of a session counts from its first process', async () => {
  const store = memorySessionStore();
  const first = await firstProcess(store);
  const since = first.client.health().shards[0]?.sessionSince;
  expect(since).toBeTypeOf('number');
  await first.client.detach();
  const second = start(store);
  const { connected, socket } = await second.resuming();
  await second.clock.advance(1_000);
  socket.receive(dispatch('RESUMED', 4));
  await connected;
  expect(second.client.health().shards[0]?.sessionSince).toBe(since);
  await second.client.close();
});
