/** What depends on who asks and how often: IDENTIFY limits, presence, members, channel info. */
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test, vi } from 'vitest';
import { call, RawClient } from '../support/gateway-client.js';

const GUILDS = 1;
const GUILD_MEMBERS = 2;
const GUILD_PRESENCES = 256;
const identify = (token: string, more: object = {}) => ({ op: 2, d: { token, intents: 1, properties: {}, ...more } });
const limits = async (sandbox: Sandbox) => (await call(sandbox, 'GET', '/gateway/bot')).body.session_start_limit;

describe('IDENTIFY', () => {
  test('too soon gets opcode 9 and may be sent again; other buckets and bots are free', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, maxConcurrency: 2 });
    const { token } = sandbox.connection;
    const shard = (id: number) => {
      const client = RawClient.to(sandbox);
      client.send(identify(token, { shard: [id, 4] }));
      return client;
    };
    await shard(0).dispatch('READY');
    await shard(1).dispatch('READY');
    const refused = shard(2);
    expect((await refused.op(9)).d).toBe(false);
    const other = await sandbox.bots.create();
    await RawClient.identified(sandbox, { token: other.token });
    expect(await limits(sandbox)).toMatchObject({ total: 1000, remaining: 998, max_concurrency: 2 });
    await clock.advance(5_000);
    refused.send(identify(token, { shard: [2, 4] }));
    await refused.dispatch('READY');
    expect(await limits(sandbox)).toMatchObject({ remaining: 997, reset_after: 86_395_000 });
  });

  test('once too often in 24 hours ends all sessions and voids the token', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, identifyLimit: 2 });
    const { token } = sandbox.connection;
    const first = await RawClient.identified(sandbox);
    await clock.advance(5_000);
    const second = await RawClient.identified(sandbox);
    const once = RawClient.to(sandbox);
    once.send(identify(token));
    expect((await once.closed).code).toBe(4004);
    expect([(await first.closed).code, (await second.closed).code]).toEqual([4004, 4004]);
    expect((await call(sandbox, 'GET', '/users/@me')).status).toBe(401);
    const me = Buffer.from(token.split('.')[0] ?? '', 'base64url').toString();
    const renewed = await sandbox.bots.resetToken(me);
    expect(renewed.token).not.toBe(token);
    expect((await call(sandbox, 'GET', '/users/@me', { token: renewed.token })).status).toBe(200);
    await clock.advance(86_400_000);
    await RawClient.identified(sandbox, { token: renewed.token });
    await expect(sandbox.bots.resetToken('1')).rejects.toThrow(RangeError);
  });

  test('a token that is reset ends the sessions it began', async () => {
    await using sandbox = await createSandbox();
    const bot = await sandbox.bots.create();
    const client = await RawClient.identified(sandbox, { token: bot.token });
    const { token } = await sandbox.bots.resetToken(bot.id);
    expect((await client.closed).code).toBe(4004);
    await sandbox.bots.resetToken(bot.id);
    const stale = RawClient.to(sandbox);
    stale.send(identify(token));
    expect((await stale.closed).code).toBe(4004);
  });
});

describe('presence', () => {
  test('may be changed five times in twenty seconds by a session; more is ignored without a word', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, maxConcurrency: 8 });
    const other = await sandbox.bots.create();
    const watcher = await RawClient.identified(sandbox, { intents: GUILDS | GUILD_PRESENCES });
    const client = await RawClient.identified(sandbox, { token: other.token });
    const become = (name: string) =>
      client.send({ op: 3, d: { since: null, status: 'online', afk: false, activities: [{ name, type: 0 }] } });
    const seen = (name: string) => watcher.dispatch('PRESENCE_UPDATE', (d) => d.activities[0]?.name === name);
    const ignored = () => sandbox.traffic.recent.filter(({ what }) => what === 'presence ignored: too many').length;
    for (const name of ['1', '2', '3', '4', '5', '6']) become(name);
    await vi.waitFor(() => expect(ignored()).toBe(1));
    await clock.advance(19_999);
    become('7');
    await vi.waitFor(() => expect(ignored()).toBe(2));
    await clock.advance(1);
    become('8');
    await seen('8');
    const names = watcher.frames.filter(({ t }) => t === 'PRESENCE_UPDATE').map(({ d }) => d.activities[0]?.name);
    expect(names.filter((name) => name !== undefined)).toEqual(['1', '2', '3', '4', '5', '8']);
  });

  test('of a bot: from IDENTIFY, by opcode 3, offline at the end; for others with the intent', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const other = await sandbox.bots.create();
    const intents = GUILDS | GUILD_PRESENCES;
    const watcher = await RawClient.identified(sandbox, { intents });
    const blind = await RawClient.identified(sandbox, { intents: GUILDS });
    const seen = (status: string) =>
      watcher.dispatch('PRESENCE_UPDATE', (d) => d.user.id === other.id && d.status === status);
    const client = await RawClient.identified(sandbox, {
      intents,
      token: other.token,
      d: { presence: { since: null, status: 'dnd', afk: false, activities: [{ name: 'chess', type: 0 }] } },
    });
    expect((await seen('dnd')).d).toMatchObject({
      guild_id: sandbox.guildId,
      activities: [{ name: 'chess', type: 0 }],
      client_status: { web: 'dnd' },
    });
    // In its own GUILD_CREATE, with the other bot's.
    const { presences } = (await client.dispatch('GUILD_CREATE')).d;
    expect(presences.map((it: { status: string }) => it.status).sort()).toEqual(['dnd', 'online']);
    const second = await RawClient.identified(sandbox, { token: other.token });
    client.send({ op: 3, d: { since: 1, activities: [], status: 'idle', afk: true } });
    await seen('idle');
    client.close(1000);
    await client.closed;
    await watcher.settled();
    expect(watcher.frames.filter(({ t, d }) => t === 'PRESENCE_UPDATE' && d.status === 'offline')).toEqual([]);
    second.close(1000);
    await seen('offline');
    await blind.settled();
    for (const it of [blind, client]) expect(it.frames.some(({ t }) => t === 'PRESENCE_UPDATE')).toBe(false);
  });

  test('of a person: what they set', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const watcher = await RawClient.identified(sandbox, { intents: GUILDS | GUILD_PRESENCES });
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.setPresence('idle', 'chess');
    await anna.setPresence('idle', 'chess');
    const seen = await watcher.dispatch('PRESENCE_UPDATE');
    expect(seen.d).toMatchObject({
      user: { id: anna.id },
      status: 'idle',
      client_status: { desktop: 'idle' },
      activities: [{ name: 'chess', type: 0 }],
    });
    await anna.setPresence('offline');
    await watcher.dispatch('PRESENCE_UPDATE', (d) => d.status === 'offline');
    expect(watcher.frames.filter(({ t }) => t === 'PRESENCE_UPDATE')).toHaveLength(2);
    await expect(anna.setPresence('busy' as never)).rejects.toThrow(TypeError);
  });

  test('a large guild shows who is online, has a role or nickname, or is in voice', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    for (let n = 0; n < 60; n += 1) await sandbox.people.create({ name: `person ${n}` });
    const nick = await sandbox.people.create({ name: 'nick', nick: 'Nick' });
    const speaker = await sandbox.people.create({ name: 'speaker' });
    await speaker.joinVoice(sandbox.voiceChannelId);
    const guildOf = async (d: object, intents = GUILDS | GUILD_PRESENCES) =>
      (await (await RawClient.identified(sandbox, { intents, d })).dispatch('GUILD_CREATE')).d;
    const large = await guildOf({});
    expect([large.large, large.member_count]).toEqual([true, 64]);
    const ids = large.members.map((member: { user: { id: string } }) => member.user.id);
    expect(ids).toHaveLength(3);
    expect(ids).toEqual(expect.arrayContaining([nick.id, speaker.id]));
    const small = await guildOf({ large_threshold: 250 });
    expect([small.large, small.members.length]).toEqual([false, 64]);
    expect((await guildOf({}, GUILDS)).members).toHaveLength(2);
  });
});

describe('opcode 8', () => {
  const ask = (client: RawClient, sandbox: Sandbox, d: object) =>
    client.send({ op: 8, d: { guild_id: sandbox.guildId, limit: 0, ...d } });
  const chunksOf = (client: RawClient, nonce: string) =>
    client.frames.filter(({ t, d }) => t === 'GUILD_MEMBERS_CHUNK' && d.nonce === nonce).map(({ d }) => d);

  test('gives 2,500 people in three chunks, with presences where asked for and allowed', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    for (let n = 0; n < 2_500; n += 1) await sandbox.people.create({ name: `p${n}` });
    const intents = GUILDS | GUILD_MEMBERS | GUILD_PRESENCES;
    const client = await RawClient.identified(sandbox, { intents });
    ask(client, sandbox, { query: '', nonce: 'all', presences: true });
    await client.settled();
    const chunks = chunksOf(client, 'all');
    expect(chunks.map((chunk) => [chunk.chunk_index, chunk.chunk_count, chunk.members.length])).toEqual([
      [0, 3, 1000],
      [1, 3, 1000],
      [2, 3, 502],
    ]);
    const ids = chunks.flatMap((chunk) => chunk.members.map((member: { user: { id: string } }) => member.user.id));
    expect(new Set(ids).size).toBe(2_502);
    expect(chunks.flatMap((chunk) => chunk.presences)).toMatchObject([{ status: 'online', user: { id: ids[1] } }]);
    const without = await RawClient.identified(sandbox, { intents: GUILDS | GUILD_MEMBERS });
    ask(without, sandbox, { user_ids: [ids[1], ids[1], '1'], presences: true, nonce: 'ids' });
    await without.settled();
    expect(chunksOf(without, 'ids')).toMatchObject([{ members: [{}], not_found: ['1'] }]);
    expect(chunksOf(without, 'ids')[0]).not.toHaveProperty('presences');
  });

  test('for everyone: once in 30 s for a guild, else RATE_LIMITED', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock });
    const client = await RawClient.identified(sandbox, { intents: GUILDS | GUILD_MEMBERS });
    ask(client, sandbox, { query: '', nonce: 'one' });
    await client.settled();
    await clock.advance(10_000);
    ask(client, sandbox, { query: '', nonce: 'two' });
    ask(client, sandbox, { query: 'own', nonce: 'prefix' });
    const limited = await client.dispatch('RATE_LIMITED');
    expect(limited.d).toEqual({ opcode: 8, retry_after: 20, meta: { guild_id: sandbox.guildId, nonce: 'two' } });
    await client.settled();
    expect([chunksOf(client, 'one').length, chunksOf(client, 'two').length, chunksOf(client, 'prefix').length]).toEqual(
      [1, 0, 1],
    );
    await clock.advance(20_000);
    ask(client, sandbox, { query: '', nonce: 'three' });
    await client.settled();
    expect(chunksOf(client, 'three')).toHaveLength(1);
  });

  test('for everyone without GUILD_MEMBERS gets no answer; a prefix does', async () => {
    await using sandbox = await createSandbox();
    const client = await RawClient.identified(sandbox, { intents: GUILDS });
    ask(client, sandbox, { query: '', nonce: 'all' });
    ask(client, sandbox, { query: 'OWN', limit: 1, nonce: 'prefix' });
    ask(client, sandbox, { guild_id: '1', query: 'x', nonce: 'elsewhere' });
    await client.settled();
    const nonces = client.frames.filter(({ t }) => t === 'GUILD_MEMBERS_CHUNK').map(({ d }) => d.nonce);
    expect(nonces).toEqual(['prefix']);
  });
});

describe('opcodes 31 and 43', () => {
  test('soundboard sounds of the bot’s guilds', async () => {
    await using sandbox = await createSandbox();
    const client = await RawClient.identified(sandbox);
    client.send({ op: 31, d: { guild_ids: [sandbox.guildId, '1'] } });
    await client.settled();
    const sounds = client.frames.filter(({ t }) => t === 'SOUNDBOARD_SOUNDS').map(({ d }) => d);
    expect(sounds).toEqual([{ guild_id: sandbox.guildId, soundboard_sounds: [] }]);
  });

  test('channel info: since when a voice channel is in use, from the first to the last in it', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock });
    const client = await RawClient.identified(sandbox);
    const [anna, bela] = [await sandbox.people.create({ name: 'anna' }), await sandbox.people.create({ name: 'bela' })];
    const start = Math.floor(clock.wallTime() / 1000);
    await anna.joinVoice(sandbox.voiceChannelId);
    await clock.advance(3_000);
    await bela.joinVoice(sandbox.voiceChannelId);
    client.send({ op: 43, d: { guild_id: sandbox.guildId, fields: ['status', 'voice_start_time'] } });
    const info = await client.dispatch('CHANNEL_INFO');
    expect(info.d).toEqual({
      guild_id: sandbox.guildId,
      channels: [{ id: sandbox.voiceChannelId, status: null, voice_start_time: start }],
    });
    await anna.leaveVoice();
    await bela.leaveVoice();
    await client.settled();
    const times = client.frames.flatMap(({ t, d }) => (t === 'VOICE_CHANNEL_START_TIME_UPDATE' ? [d] : []));
    expect(times).toEqual([
      { id: sandbox.voiceChannelId, guild_id: sandbox.guildId, voice_start_time: start },
      { id: sandbox.voiceChannelId, guild_id: sandbox.guildId, voice_start_time: null },
    ]);
  });
});
