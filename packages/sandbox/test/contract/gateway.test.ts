import { inflateSync } from 'node:zlib';
import { createSandbox } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { RawClient } from '../support/gateway-client.js';

const GUILDS = 1;
const GUILD_MEMBERS = 2;
const GUILD_VOICE_STATES = 128;
const GUILD_PRESENCES = 256;

describe('a session', () => {
  test('begins with HELLO, READY and GUILD_CREATE', async () => {
    await using sandbox = await createSandbox({ rateLimits: false, heartbeatIntervalMs: 30_000 });
    const anna = await sandbox.people.create({ name: 'anna', avatar: 'a'.repeat(32) });
    await anna.joinVoice(sandbox.voiceChannelId);
    const client = await RawClient.identified(sandbox);
    expect(client.frames[0]).toEqual({ op: 10, t: null, s: null, d: { heartbeat_interval: 30_000 } });
    const ready = await client.dispatch('READY');
    expect(ready).toMatchObject({
      s: 1,
      d: {
        v: 10,
        user: { bot: true, username: 'sandbox-bot' },
        guilds: [{ id: sandbox.guildId, unavailable: true }],
        resume_gateway_url: sandbox.gatewayUrl,
      },
    });
    const guild = await client.dispatch('GUILD_CREATE');
    expect(guild).toMatchObject({
      s: 2,
      d: {
        id: sandbox.guildId,
        voice_states: [{ user_id: anna.id, channel_id: sandbox.voiceChannelId, self_mute: false }],
        channels: [
          { id: sandbox.textChannelId, type: 0, name: 'general' },
          { id: sandbox.voiceChannelId, type: 2, name: 'General', user_limit: 0, bitrate: 64_000 },
        ],
      },
    });
    // Without GUILD_PRESENCES: the bot and those in voice.
    expect(guild.d.members.map((member: { user: { username: string } }) => member.user.username)).toEqual([
      'sandbox-bot',
      'anna',
    ]);
    expect(guild.d.member_count).toBe(3);
  });

  test('sees what its intents cover and nothing else', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const voice = await RawClient.identified(sandbox, { intents: GUILDS | GUILD_VOICE_STATES });
    const guilds = await RawClient.identified(sandbox, { intents: GUILDS | GUILD_MEMBERS });
    const nothing = await RawClient.identified(sandbox, { intents: 0 });
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    await sandbox.channels.create({ name: 'Lounge' });
    await Promise.all([voice.settled(), guilds.settled(), nothing.settled()]);
    const names = (client: RawClient) => client.frames.flatMap(({ t }) => t ?? []);
    const start = 'VOICE_CHANNEL_START_TIME_UPDATE';
    expect(names(voice)).toEqual(['READY', 'GUILD_CREATE', 'VOICE_STATE_UPDATE', start, 'CHANNEL_CREATE']);
    expect(names(guilds)).toEqual(['READY', 'GUILD_CREATE', 'GUILD_MEMBER_ADD', start, 'CHANNEL_CREATE']);
    expect(names(nothing)).toEqual(['READY']);
  });

  test('with GUILD_PRESENCES gets every member', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    await sandbox.people.create({ name: 'anna' });
    const client = await RawClient.identified(sandbox, { intents: GUILDS | GUILD_PRESENCES });
    expect((await client.dispatch('GUILD_CREATE')).d.members).toHaveLength(3);
  });

  test('follows a deleted channel: those in it are out of voice', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox);
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    await sandbox.channels.delete(sandbox.voiceChannelId);
    await client.dispatch('CHANNEL_DELETE', (d) => d.id === sandbox.voiceChannelId);
    await client.dispatch('VOICE_STATE_UPDATE', (d) => d.user_id === anna.id && d.channel_id === null);
    expect(anna.channelId).toBeNull();
  });

  test('joins voice by opcode 4 and hangs up when it ends', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const seat = await RawClient.identified(sandbox);
    const other = await sandbox.bots.create({ name: 'watcher' });
    const watcher = await RawClient.identified(sandbox, { token: other.token });
    seat.send({
      op: 4,
      d: { guild_id: sandbox.guildId, channel_id: sandbox.voiceChannelId, self_mute: true, self_deaf: false },
    });
    const state = await seat.dispatch('VOICE_STATE_UPDATE');
    expect(state.d).toMatchObject({ session_id: seat.sessionId, channel_id: sandbox.voiceChannelId, self_mute: true });
    const server = await seat.dispatch('VOICE_SERVER_UPDATE');
    expect(server.d).toMatchObject({ guild_id: sandbox.guildId, endpoint: expect.stringContaining('127.0.0.1:') });
    seat.close(1000);
    await watcher.dispatch('VOICE_STATE_UPDATE', (d) => d.channel_id === null && d.user_id === state.d.user_id);
    // The server's token is for the session that asked.
    expect(watcher.frames.some(({ t }) => t === 'VOICE_SERVER_UPDATE')).toBe(false);
  });

  test('asks for members by id, by prefix and, with the intent, for all', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const [anna, bela] = await Promise.all(['anna', 'bela'].map((name) => sandbox.people.create({ name })));
    const client = await RawClient.identified(sandbox, { intents: GUILDS | GUILD_MEMBERS });
    const ask = (d: object) => client.send({ op: 8, d: { guild_id: sandbox.guildId, limit: 0, ...d } });
    ask({ user_ids: [anna?.id, '1'], nonce: 'ids' });
    ask({ query: 'be', nonce: 'prefix' });
    ask({ query: '', nonce: 'all' });
    const chunk = async (nonce: string) => (await client.dispatch('GUILD_MEMBERS_CHUNK', (d) => d.nonce === nonce)).d;
    expect(await chunk('ids')).toMatchObject({
      members: [{ user: { id: anna?.id } }],
      not_found: ['1'],
      chunk_count: 1,
    });
    expect(await chunk('prefix')).toMatchObject({ members: [{ user: { id: bela?.id } }] });
    expect((await chunk('all')).members).toHaveLength(4);
  });

  test('gives all members once in 30 s, then says how long to wait', async () => {
    await using sandbox = await createSandbox();
    const client = await RawClient.identified(sandbox, { intents: GUILDS | GUILD_MEMBERS });
    const ask = (d: object) => client.send({ op: 8, d: { guild_id: sandbox.guildId, limit: 0, ...d } });
    ask({ query: '', nonce: 'first' });
    ask({ query: '', nonce: 'second' });
    ask({ query: 'o', nonce: 'query' });
    await client.dispatch('GUILD_MEMBERS_CHUNK', (d) => d.nonce === 'first');
    const { d } = await client.dispatch('RATE_LIMITED');
    expect(d).toMatchObject({ opcode: 8, meta: { guild_id: sandbox.guildId, nonce: 'second' } });
    expect(d.retry_after).toBeGreaterThan(0);
    expect(d.retry_after).toBeLessThanOrEqual(30);
    await client.dispatch('GUILD_MEMBERS_CHUNK', (chunk) => chunk.nonce === 'query');
  });

  test('answers for soundboard sounds, guild by guild', async () => {
    await using sandbox = await createSandbox();
    const client = await RawClient.identified(sandbox, { intents: GUILDS });
    client.send({ op: 31, d: { guild_ids: ['1', sandbox.guildId] } });
    const { d } = await client.dispatch('SOUNDBOARD_SOUNDS');
    expect(d).toEqual({ guild_id: sandbox.guildId, soundboard_sounds: [] });
  });

  test('belongs to a shard: guilds of another are not its own', async () => {
    await using sandbox = await createSandbox({ rateLimits: false, shards: 2 });
    const own = Number((BigInt(sandbox.guildId) >> 22n) % 2n);
    const clients = [0, 1].map((id) => {
      const client = RawClient.to(sandbox);
      client.send({ op: 2, d: { token: sandbox.connection.token, intents: 129, properties: {}, shard: [id, 2] } });
      return client;
    });
    const readies = await Promise.all(clients.map((client) => client.dispatch('READY')));
    expect(readies.map(({ d }) => d.guilds.length)).toEqual(own === 0 ? [1, 0] : [0, 1]);
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    await Promise.all(clients.map((client) => client.settled()));
    const seen = clients.map((client) => client.frames.filter(({ t }) => t === 'VOICE_STATE_UPDATE').length);
    expect(seen).toEqual(own === 0 ? [1, 0] : [0, 1]);
  });

  test('is compressed with zlib-stream when asked for', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const ws = new WebSocket(`${sandbox.gatewayUrl}?v=10&encoding=json&compress=zlib-stream`);
    const chunks: Buffer[] = [];
    ws.on('message', (data: Buffer) => chunks.push(data));
    ws.once('open', () =>
      ws.send(JSON.stringify({ op: 2, d: { token: sandbox.connection.token, intents: 1, properties: {} } })),
    );
    await vi.waitFor(() => expect(chunks).toHaveLength(3));
    for (const chunk of chunks) expect(chunk.subarray(-4).toString('hex')).toBe('0000ffff');
    // One stream: everything so far, closed with an empty last block and no check sum, is what a reader has inflated.
    const text = inflateSync(Buffer.concat(chunks), { finishFlush: 2 }).toString();
    expect(text).toMatch(/^\{"t":null,"s":null,"op":10.*"t":"READY".*"t":"GUILD_CREATE"/s);
    ws.terminate();
  });
});

describe('RESUME', () => {
  test('replays what was missed, once and in order, then RESUMED', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const first = await RawClient.identified(sandbox);
    const anna = await sandbox.people.create({ name: 'anna' });
    await anna.joinVoice(sandbox.voiceChannelId);
    await first.dispatch('VOICE_CHANNEL_START_TIME_UPDATE');
    const { seq, sessionId } = first;
    sandbox.faults.cut();
    await first.closed;
    await anna.setMute(true);
    await anna.leaveVoice();

    const second = RawClient.to(sandbox);
    second.send({ op: 6, d: { token: sandbox.connection.token, session_id: sessionId, seq } });
    await second.dispatch('RESUMED');
    expect(second.dispatches).toEqual([
      ['VOICE_STATE_UPDATE', seq + 1],
      ['VOICE_STATE_UPDATE', seq + 2],
      ['VOICE_CHANNEL_START_TIME_UPDATE', seq + 3],
      ['RESUMED', seq + 4],
    ]);
    await anna.joinVoice(sandbox.voiceChannelId);
    const next = await second.frame(({ s }) => s === seq + 5);
    expect(next.d.channel_id).toBe(sandbox.voiceChannelId);
    expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1, resumesRefused: 0 });
  });

  test('takes the session over from a connection that is still open', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const first = await RawClient.identified(sandbox);
    const second = RawClient.to(sandbox);
    second.send({ op: 6, d: { token: sandbox.connection.token, session_id: first.sessionId, seq: first.seq } });
    await second.dispatch('RESUMED');
    expect((await first.closed).code).toBe(4000);
  });

  test.each([
    ['an unknown session', async () => ({ session_id: 'f'.repeat(32), seq: 1 }), 9],
    ['a sequence that never was', async (session_id: string) => ({ session_id, seq: 99 }), 4007],
    ['a session of another bot', async (session_id: string) => ({ session_id, seq: 1 }), 9],
    ['more than the log holds', async (session_id: string) => ({ session_id, seq: 1 }), 9],
  ])('refuses %s', async (name, claim, refusal) => {
    await using sandbox = await createSandbox({ rateLimits: false, replayLimit: 3 });
    const other = await sandbox.bots.create();
    const first = await RawClient.identified(sandbox);
    sandbox.faults.cut();
    if (name === 'more than the log holds')
      for (let n = 0; n < 4; n += 1) await sandbox.channels.create({ name: `c${n}` });
    const token = name === 'a session of another bot' ? other.token : sandbox.connection.token;
    const second = RawClient.to(sandbox);
    second.send({ op: 6, d: { token, ...(await claim(first.sessionId)) } });
    if (refusal === 9) expect((await second.op(9)).d).toBe(false);
    else expect((await second.closed).code).toBe(refusal);
    expect(sandbox.traffic.counters.resumesRefused).toBe(1);
    if (refusal !== 9) return;
    // The connection is still good for IDENTIFY.
    second.send({ op: 2, d: { token, intents: 1, properties: {} } });
    await second.dispatch('READY');
  });

  test('is refused after a close with 1000, and after the resume window', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ rateLimits: false, clock, resumeWindowMs: 60_000 });
    const refused = async (sessionId: string): Promise<void> => {
      const client = RawClient.to(sandbox);
      client.send({ op: 6, d: { token: sandbox.connection.token, session_id: sessionId, seq: 1 } });
      expect((await client.op(9)).d).toBe(false);
      client.terminate();
      await client.closed;
    };
    const polite = await RawClient.identified(sandbox);
    polite.close(1000);
    await polite.closed;
    await vi.waitFor(() => expect(sandbox.traffic.counters.gatewayOpen).toBe(0));
    await refused(polite.sessionId);

    const late = await RawClient.identified(sandbox);
    sandbox.faults.cut();
    await clock.advance(60_000);
    await refused(late.sessionId);
  });
});

describe('misuse is answered with its close code', () => {
  const identify = (token: string, more: object = {}) => ({ op: 2, d: { token, intents: 1, properties: {}, ...more } });

  test.each<[string, number, (token: string) => unknown]>([
    ['unknown opcode', 4001, () => ({ op: 99, d: null })],
    ['not JSON', 4002, () => '{"op":'],
    ['not an object', 4002, () => [1]],
    ['no opcode', 4002, () => ({ d: 1 })],
    ['an oversized frame', 4002, () => ({ op: 1, d: null, pad: 'x'.repeat(4096) })],
    ['identify without properties', 4002, (token) => ({ op: 2, d: { token, intents: 1 } })],
    [
      'a command before identify',
      4003,
      () => ({ op: 3, d: { since: null, activities: [], status: 'online', afk: false } }),
    ],
    ['a wrong token', 4004, () => identify('nobody')],
    ['a wrong token at resume', 4004, () => ({ op: 6, d: { token: 'nobody', session_id: 'x', seq: 1 } })],
    ['a shard out of range', 4010, (token) => identify(token, { shard: [2, 2] })],
    ['a shard that is no pair', 4010, (token) => identify(token, { shard: 'zero' })],
    ['unknown intents', 4013, (token) => identify(token, { intents: 2 ** 30 })],
    ['intents that are no number', 4013, (token) => identify(token, { intents: 'all' })],
    ['missing intents', 4013, (token) => identify(token, { intents: undefined })],
  ])('%s: %i', async (_name, code, frame) => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = RawClient.to(sandbox);
    const payload = frame(sandbox.connection.token);
    if (typeof payload === 'string') client.sendText(payload);
    else client.send(payload);
    const closing = await client.closed;
    expect(closing.code).toBe(code);
    expect(closing.reason).not.toBe('');
  });

  test('a second identify: 4005', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox);
    client.send(identify(sandbox.connection.token));
    expect((await client.closed).code).toBe(4005);
  });

  test('privileged intents that are not switched on: 4014', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const bot = await sandbox.bots.create({ privilegedIntents: ['MessageContent'] });
    const client = RawClient.to(sandbox);
    client.send(identify(bot.token, { intents: GUILDS | GUILD_MEMBERS }));
    expect((await client.closed).code).toBe(4014);
    const allowed = RawClient.to(sandbox);
    allowed.send(identify(bot.token, { intents: GUILDS | 32_768 }));
    await allowed.dispatch('READY');
  });

  test('no shard where shards are required: 4011', async () => {
    await using sandbox = await createSandbox({ rateLimits: false, shards: 2 });
    const client = RawClient.to(sandbox);
    client.send(identify(sandbox.connection.token));
    expect((await client.closed).code).toBe(4011);
  });

  test.each(['8', '11', 'x'])('API version %s: 4012', async (version) => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = RawClient.to(sandbox, `?v=${version}&encoding=json`);
    expect((await client.closed).code).toBe(4012);
    expect(client.frames).toEqual([]);
  });

  test('more than 120 frames a minute: 4008, and the session can be resumed', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock });
    const client = await RawClient.identified(sandbox);
    const presence = { op: 3, d: { since: null, activities: [], status: 'idle', afk: false } };
    for (let sent = 1; sent < 120; sent += 1) client.send(presence);
    client.send(presence);
    expect((await client.closed).code).toBe(4008);
    const again = RawClient.to(sandbox);
    again.send({ op: 6, d: { token: sandbox.connection.token, session_id: client.sessionId, seq: client.seq } });
    await again.dispatch('RESUMED');
  });

  test('no heartbeat: 4009, one and a half intervals after the last', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ rateLimits: false, clock, heartbeatIntervalMs: 40_000 });
    const client = await RawClient.identified(sandbox);
    await clock.advance(59_999);
    await client.settled();
    await clock.advance(59_999);
    await client.settled();
    await clock.advance(60_000);
    expect((await client.closed).code).toBe(4009);
  });

  test.each(['?v=10&encoding=etf', '?v=10&compress=gzip', '/voice'])('refuses %s with 400', async (query) => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const ws = new WebSocket(`${sandbox.gatewayUrl}${query}`);
    const status = await new Promise((resolve) => {
      ws.once('unexpected-response', (_request, response) => resolve(response.statusCode));
      ws.once('error', () => {});
    });
    expect(status).toBe(400);
    expect(sandbox.traffic.counters.gatewayRefusals).toBe(1);
    ws.terminate();
  });
});

describe('faults', () => {
  test('cut with and without a close frame, by shard', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const polite = await RawClient.identified(sandbox);
    sandbox.faults.cut({ shardId: 1 });
    await polite.settled();
    sandbox.faults.cut({ handshake: true });
    expect((await polite.closed).code).toBe(4000);
    const rude = await RawClient.identified(sandbox);
    sandbox.faults.cut();
    expect((await rude.closed).code).toBe(1006);
  });

  test('opcode 9 that is not resumable ends the session, the other keeps it', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const resume = async (client: RawClient): Promise<RawClient> => {
      const next = RawClient.to(sandbox);
      next.send({ op: 6, d: { token: sandbox.connection.token, session_id: client.sessionId, seq: client.seq } });
      await next.frame(({ op, t }) => op === 9 || t === 'RESUMED');
      return next;
    };
    const kept = await RawClient.identified(sandbox);
    sandbox.faults.invalidateSession({ resumable: true });
    expect((await kept.op(9)).d).toBe(true);
    const resumed = await resume(kept);
    expect(resumed.frames.some(({ t }) => t === 'RESUMED')).toBe(true);
    sandbox.faults.invalidateSession({ resumable: false });
    expect((await resumed.op(9)).d).toBe(false);
    expect((await (await resume(kept)).op(9)).d).toBe(false);
  });

  test('asks for a heartbeat, leaves heartbeats unanswered, loses dispatches, sends raw bytes, closes with a code', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox);
    sandbox.faults.requestHeartbeat();
    await client.op(1);
    sandbox.faults.dropDispatches(1);
    await sandbox.channels.create({ name: 'lost' });
    await sandbox.channels.create({ name: 'found' });
    const found = await client.dispatch('CHANNEL_CREATE');
    expect([found.d.name, found.s]).toEqual(['found', 4]);
    sandbox.faults.sendRaw('{"op":11,"t":null,"s":null,"d":"raw"}');
    await client.frame(({ d }) => d === 'raw');
    sandbox.faults.heartbeatAcks(false);
    client.send({ op: 1, d: 4 });
    await vi.waitFor(() => expect(sandbox.traffic.counters.heartbeats).toBe(1));
    sandbox.faults.heartbeatAcks(true);
    await client.settled();
    expect(client.frames.filter(({ op, d }) => op === 11 && d === null)).toHaveLength(1);
    sandbox.faults.closeWith(4004, 'no');
    expect(await client.closed).toEqual({ code: 4004, reason: 'no' });
    expect(() => sandbox.faults.closeWith(1006)).toThrow(RangeError);
  });

  test('down refuses connections with 503, for a while or until up', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ rateLimits: false, clock });
    const status = (): Promise<number | undefined> =>
      new Promise((resolve) => {
        const ws = new WebSocket(sandbox.gatewayUrl);
        ws.once('unexpected-response', (_request, response) => {
          resolve(response.statusCode);
          ws.terminate();
        });
        ws.once('error', () => {});
        ws.once('open', () => {
          resolve(101);
          ws.terminate();
        });
      });
    sandbox.faults.down();
    expect(await status()).toBe(503);
    sandbox.faults.up();
    expect(await status()).toBe(101);
    sandbox.faults.down(5_000);
    await clock.advance(4_999);
    expect(await status()).toBe(503);
    await clock.advance(1);
    expect(await status()).toBe(101);
  });
});
