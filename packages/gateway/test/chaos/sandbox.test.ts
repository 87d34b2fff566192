/** The client against Discord on this machine, with faults: every event arrives, once and in order. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DomainEvent } from '@guildkit/core';
import {
  DiscordGatewayClient,
  type DiscordGatewayClientOptions,
  fileSessionStore,
  type GapEvent,
  type GatewayError,
  memorySessionStore,
} from '@guildkit/gateway';
import { createSandbox, type Sandbox, type SandboxOptions } from '@guildkit/sandbox';
import { afterEach, expect, test, vi } from 'vitest';
import { fastClock } from '../support/fast-clock.js';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await createSandbox({ rateLimits: false, ...options });
  cleanups.push(() => sandbox.close());
  return sandbox;
}

function makeClient(sandbox: Sandbox, options: Partial<DiscordGatewayClientOptions> = {}) {
  const clock = fastClock();
  const client = new DiscordGatewayClient({
    ...sandbox.connection,
    intents: ['Guilds', 'GuildVoiceStates'],
    clock,
    ...options,
  });
  cleanups.push(() => client.close());
  const errors: GatewayError[] = [];
  const changes: string[] = [];
  const events: DomainEvent[] = [];
  client.on('error', (error) => errors.push(error));
  client.on('stateChange', ({ from, to, reason }) => changes.push(`${from} ${to} ${reason}`));
  client.onEvent('*', (event) => events.push(event));
  return { client, clock, errors, changes, events };
}

async function setUp(options?: SandboxOptions, clientOptions?: Partial<DiscordGatewayClientOptions>) {
  const sandbox = await startSandbox(options);
  const made = makeClient(sandbox, clientOptions);
  await made.client.connect();
  return { sandbox, ...made };
}

function once(client: DiscordGatewayClient, name: Parameters<DiscordGatewayClient['once']>[0]): Promise<unknown> {
  return new Promise((resolve) => client.once(name, resolve as never));
}

/** Resolves when the first shard leaves ready. */
function lost(client: DiscordGatewayClient): Promise<void> {
  return new Promise((resolve) => {
    client.on('stateChange', ({ from }) => from === 'ready' && resolve());
  });
}

const named = (events: readonly DomainEvent[]) => events.map(({ event }) => event);
const people = (events: readonly DomainEvent[], name: string) =>
  events.filter(({ event }) => event === name).map(({ payload }) => (payload as { username: string }).username);

test('connect() resolves with the guild known, and a person in voice becomes events', async () => {
  const sandbox = await startSandbox();
  const early = await sandbox.people.create({ name: 'early' });
  await early.joinVoice(sandbox.voiceChannelId);
  const { client, events } = makeClient(sandbox);
  await client.connect();
  expect(events).toMatchObject([
    {
      event: 'voice.snapshot',
      payload: {
        guildId: sandbox.guildId,
        members: [{ userId: early.id, username: 'early', channelId: sandbox.voiceChannelId, mute: false }],
        channels: [{ channelId: sandbox.voiceChannelId }],
      },
    },
  ]);
  const person = await sandbox.people.create({ name: 'ann', nick: 'Ann the Great' });
  const table = await sandbox.channels.create({ name: 'Table 1' });
  await person.joinVoice(sandbox.voiceChannelId);
  await person.setMute(true);
  await person.moveTo(table.id);
  await sandbox.channels.delete(table.id);
  await early.leaveVoice();
  await vi.waitFor(() => expect(people(events, 'voice.left')).toEqual(['Ann the Great', 'early']));
  expect(named(events.slice(1))).toEqual([
    'channel.created',
    'voice.joined',
    'voice.updated',
    'voice.moved',
    'voice.left',
    'channel.deleted',
    'voice.left',
  ]);
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
});

test('after a cut without farewell, what happened meanwhile arrives once and in order', async () => {
  const { sandbox, client, events } = await setUp();
  const person = await sandbox.people.create({ name: 'ann' });
  const seqs: number[] = [];
  const replays: boolean[] = [];
  client.onDispatch('VOICE_STATE_UPDATE', (_state, { seq, replayed }) => {
    seqs.push(seq);
    replays.push(replayed);
  });
  for (let round = 0; round < 5; round += 1) {
    const resumed = once(client, 'resumed');
    sandbox.faults.cut();
    await person.joinVoice(sandbox.voiceChannelId);
    await person.setMute(true);
    await person.leaveVoice();
    await resumed;
  }
  await vi.waitFor(() => expect(seqs).toHaveLength(15));
  expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  expect(new Set(seqs).size).toBe(15);
  expect(replays).toContain(true);
  const round = ['voice.joined', 'voice.updated', 'voice.left'];
  expect(named(events).slice(1)).toEqual([...round, ...round, ...round, ...round, ...round]);
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 5, resumesRefused: 0 });
});

test('RECONNECT (op 7) leads to a resume', async () => {
  const { sandbox, client, changes } = await setUp();
  const resumed = once(client, 'resumed');
  sandbox.faults.reconnect();
  await resumed;
  expect(changes).toContain('ready waiting reconnectRequested');
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1, resumesRefused: 0 });
});

test('INVALID_SESSION (op 9) with d: true leads to a resume', async () => {
  const { sandbox, client, changes } = await setUp();
  const resumed = once(client, 'resumed');
  sandbox.faults.invalidateSession({ resumable: true });
  await resumed;
  expect(changes).toContain('ready waiting sessionInvalid');
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1, resumesRefused: 0 });
});

test('INVALID_SESSION (op 9) with d: false leads to a new session, which tells what happened meanwhile', async () => {
  const { sandbox, client, events } = await setUp();
  const [ann, bob] = [await sandbox.people.create({ name: 'ann' }), await sandbox.people.create({ name: 'bob' })];
  await ann.joinVoice(sandbox.voiceChannelId);
  await vi.waitFor(() => expect(people(events, 'voice.joined')).toEqual(['ann']));
  const ready = once(client, 'ready');
  sandbox.faults.invalidateSession({ resumable: false });
  await ann.leaveVoice();
  await bob.joinVoice(sandbox.voiceChannelId);
  await ready;
  await vi.waitFor(() => expect(named(events).filter((name) => name === 'voice.snapshot')).toHaveLength(2));
  expect(named(events).slice(2)).toEqual(['voice.left', 'voice.joined', 'voice.snapshot']);
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 2, resumes: 0 });
});

test('a session that timed out (4009) is not resumed', async () => {
  const { sandbox, client } = await setUp();
  const ready = once(client, 'ready');
  sandbox.faults.closeWith(4009);
  await ready;
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 2, resumes: 0 });
});

test('a refused RESUME is followed by a new session', async () => {
  const { sandbox, client } = await setUp();
  const ready = once(client, 'ready');
  sandbox.faults.cut();
  sandbox.faults.forgetSessions();
  await ready;
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 2, resumes: 1, resumesRefused: 1 });
});

test('a zombie connection is noticed by its missing ACK, and nothing is lost', async () => {
  const { sandbox, client, changes, events } = await setUp({ heartbeatIntervalMs: 4_000 });
  const person = await sandbox.people.create({ name: 'ann' });
  sandbox.faults.heartbeatAcks(false);
  const resumed = once(client, 'resumed');
  await vi.waitFor(() => expect(changes).toContain('ready waiting heartbeatTimeout'));
  sandbox.faults.heartbeatAcks(true);
  await person.joinVoice(sandbox.voiceChannelId);
  await resumed;
  await vi.waitFor(() => expect(people(events, 'voice.joined')).toEqual(['ann']));
});

test('a lost dispatch is noticed and fetched by a resume', async () => {
  const { sandbox, client, events } = await setUp();
  const gaps: GapEvent[] = [];
  client.on('gap', (gap) => gaps.push(gap));
  const person = await sandbox.people.create({ name: 'ann' });
  sandbox.faults.dropDispatches(2);
  await person.joinVoice(sandbox.voiceChannelId);
  await person.setMute(true);
  await person.setMute(false);
  await vi.waitFor(() => expect(named(events).slice(1)).toEqual(['voice.joined', 'voice.updated', 'voice.updated']));
  expect(gaps).toMatchObject([{ recovery: 'resume' }]);
  expect((gaps[0]?.received ?? 0) - (gaps[0]?.expected ?? 0)).toBe(2);
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1 });
});

test('a server that is down for 60 s (of the client) is asked rarely, and the session survives', async () => {
  const { sandbox, client, events } = await setUp();
  const alerts: unknown[] = [];
  client.on('alert', (alert) => alerts.push(alert));
  const person = await sandbox.people.create({ name: 'ann' });
  const resumed = once(client, 'resumed');
  sandbox.faults.down();
  sandbox.faults.cut();
  await person.joinVoice(sandbox.voiceChannelId);
  await vi.waitFor(() => expect(alerts).toHaveLength(1), { timeout: 4_000 });
  expect(sandbox.traffic.counters.gatewayRefusals).toBeLessThanOrEqual(5);
  sandbox.faults.up();
  await resumed;
  await vi.waitFor(() => expect(people(events, 'voice.joined')).toEqual(['ann']));
  expect(sandbox.traffic.counters.identifies).toBe(1);
});

test('a send that was made while the connection was down goes out after the resume', async () => {
  const { sandbox, client, events } = await setUp();
  const resumed = once(client, 'resumed');
  const down = lost(client);
  sandbox.faults.cut();
  await down;
  const sent = client.signalling.sendVoiceState({
    guildId: sandbox.guildId,
    channelId: sandbox.voiceChannelId,
    selfMute: false,
    selfDeaf: true,
  });
  expect(client.health().shards[0]?.queued).toBe(1);
  await resumed;
  await sent;
  await vi.waitFor(() => expect(named(events)).toContain('voice.joined'));
  expect(events.at(-1)?.payload).toMatchObject({ userId: client.signalling.userId, deaf: true });
});

test('malformed frames are counted, told, and change nothing', async () => {
  const { sandbox, client, errors, events } = await setUp();
  for (const text of ['{', '{"op":77}', '{"op":0,"s":"x","t":5}', '[1]', '"x"']) sandbox.faults.sendRaw(text);
  sandbox.faults.sendRaw(Buffer.from([1, 2, 3]));
  await (await sandbox.people.create({ name: 'ann' })).joinVoice(sandbox.voiceChannelId);
  await vi.waitFor(() => expect(people(events, 'voice.joined')).toEqual(['ann']));
  expect(errors.map(({ code }) => code)).toEqual(Array(6).fill('ERR_GATEWAY_FRAME_MALFORMED'));
  expect(client.health()).toMatchObject({ state: 'ready', shards: [{ malformed: 6, reconnects: 0 }] });
});

test('with zlib-stream everything is the same, and a corrupt stream is made anew without loss', async () => {
  const { sandbox, client, errors, events, changes } = await setUp({}, { compression: 'zlib-stream' });
  const person = await sandbox.people.create({ name: 'ann' });
  await person.joinVoice(sandbox.voiceChannelId);
  await vi.waitFor(() => expect(people(events, 'voice.joined')).toEqual(['ann']));
  const resumed = once(client, 'resumed');
  sandbox.faults.sendRaw(Buffer.from('no deflate stream'));
  await person.setMute(true);
  await resumed;
  await person.leaveVoice();
  await vi.waitFor(() => expect(named(events).slice(1)).toEqual(['voice.joined', 'voice.updated', 'voice.left']));
  expect(changes).toContain('ready waiting streamCorrupt');
  expect(errors.map(({ code }) => code)).toEqual(['ERR_GATEWAY_STREAM_CORRUPT']);
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1, resumesRefused: 0 });
});

test('a wrong token is refused when the gateway is looked up, and never shown', async () => {
  const sandbox = await startSandbox();
  const token = 'MTIzNDU2Nzg5.wrong-token.do-not-show';
  const { client } = makeClient(sandbox, { token });
  const error = await client.connect().catch((caught: unknown) => caught as GatewayError);
  expect(error).toMatchObject({ code: 'ERR_GATEWAY_TOKEN_REFUSED', status: 401 });
  expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(token);
});

test('a wrong token is refused by the gateway with 4004, and never shown', async () => {
  const sandbox = await startSandbox();
  const token = 'MTIzNDU2Nzg5.wrong-token.do-not-show';
  const fetchGatewayInfo = async () => ({
    url: sandbox.gatewayUrl,
    shards: 1,
    session_start_limit: { total: 1, remaining: 1, reset_after: 0, max_concurrency: 1 },
  });
  const lines: unknown[] = [];
  const log = (fields: unknown, message: unknown): void => void lines.push(fields, message);
  const logger = { debug: log, info: log, warn: log, error: log };
  const { client, errors } = makeClient(sandbox, { token, fetchGatewayInfo, logger });
  await expect(client.connect()).rejects.toMatchObject({ code: 'ERR_GATEWAY_TOKEN_REFUSED', status: 4004 });
  expect(JSON.stringify([lines, errors, errors.map(String), client.health()])).not.toContain(token);
  expect(sandbox.traffic.counters.gatewayConnections).toBe(1);
});

test('a guild that the bot is not in fails connect() with its name', async () => {
  const sandbox = await startSandbox();
  const { client } = makeClient(sandbox, { guildId: [sandbox.guildId, '123'] });
  await expect(client.connect()).rejects.toMatchObject({
    code: 'ERR_GATEWAY_GUILD_UNKNOWN',
    message: expect.stringContaining('guild 123'),
  });
});

test('detach() keeps the session, and the next client resumes it without loss', async () => {
  const sandbox = await startSandbox();
  const sessionStore = memorySessionStore();
  const first = makeClient(sandbox, { sessionStore });
  await first.client.connect();
  const person = await sandbox.people.create({ name: 'ann' });
  await first.client.detach();
  expect(first.clock.pending).toBe(0);
  await person.joinVoice(sandbox.voiceChannelId);
  const second = makeClient(sandbox, { sessionStore });
  await second.client.connect();
  await vi.waitFor(() => expect(people(second.events, 'voice.joined')).toEqual(['ann']));
  expect(second.client.signalling.userId).toBe(first.client.signalling.userId);
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1, resumesRefused: 0 });
  await second.client.close();
  const third = makeClient(sandbox, { sessionStore });
  await third.client.connect();
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 2, resumes: 1 });
});

test('a process that was killed resumes from its file; what came since is delivered again, with the same ids', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'guildkit-gateway-'));
  cleanups.push(() => rm(directory, { recursive: true, force: true }));
  const sandbox = await startSandbox();
  const first = makeClient(sandbox, { sessionStore: fileSessionStore({ directory }) });
  await first.client.connect();
  const sessions = async () => (await readdir(directory)).filter((name) => name.endsWith('-0-1.json'));
  await vi.waitFor(async () => expect(await sessions()).toHaveLength(1));
  const [file = ''] = await sessions();
  const stored = await readFile(join(directory, file));
  const person = await sandbox.people.create({ name: 'ann' });
  await person.joinVoice(sandbox.voiceChannelId);
  await vi.waitFor(() => expect(people(first.events, 'voice.joined')).toEqual(['ann']));
  // What a kill leaves behind: the file of before, and a connection that is gone.
  await first.client.detach();
  await writeFile(join(directory, file), stored);
  const second = makeClient(sandbox, { sessionStore: fileSessionStore({ directory }) });
  await second.client.connect();
  await vi.waitFor(() => expect(people(second.events, 'voice.joined')).toEqual(['ann']));
  const joined = ({ event }: DomainEvent): boolean => event === 'voice.joined';
  expect(second.events.find(joined)?.id).toBe(first.events.find(joined)?.id);
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1 });
});

test('several shards are all ready, each with its own session', async () => {
  const { sandbox, client } = await setUp({ shards: 2 });
  expect(client.health().shards.map(({ shardId, phase }) => [shardId, phase])).toEqual([
    [0, 'ready'],
    [1, 'ready'],
  ]);
  const resumed = once(client, 'resumed');
  sandbox.faults.cut({ shardId: 1 });
  expect(await resumed).toMatchObject({ shardId: 1 });
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 2, resumes: 1 });
});

test('close() leaves no timer and no connection, whatever goes on', async () => {
  const sandbox = await startSandbox();
  for (const moment of ['at once', 'ready', 'down', 'resuming'] as const) {
    const { client, clock } = makeClient(sandbox);
    const connected = client.connect();
    connected.catch(() => {});
    if (moment !== 'at once') await connected;
    if (moment === 'down') sandbox.faults.down();
    if (moment === 'down' || moment === 'resuming') {
      const gone = lost(client);
      sandbox.faults.cut();
      await gone;
    }
    await client.close();
    await client.close();
    sandbox.faults.up();
    expect(clock.pending).toBe(0);
    expect(client.health().state).toBe('closed');
    await vi.waitFor(() => expect(sandbox.traffic.counters.gatewayOpen).toBe(0));
  }
});

test('close() works from inside a listener, and disposal closes', async () => {
  const { sandbox, client, events } = await setUp();
  const closed = once(client, 'closed');
  client.onEvent('voice.joined', () => void client.close());
  const person = await sandbox.people.create({ name: 'ann' });
  await person.joinVoice(sandbox.voiceChannelId);
  await person.leaveVoice();
  expect(await closed).toEqual({ reason: 'closed', error: undefined });
  expect(named(events)).not.toContain('voice.left');
  {
    await using second = makeClient(sandbox).client;
    await second.connect();
  }
  await vi.waitFor(() => expect(sandbox.traffic.counters.gatewayOpen).toBe(0));
});
