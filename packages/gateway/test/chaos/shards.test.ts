/** Several shards against Discord on this machine: who gets which guild, and how they come and go by themselves. */
import {
  DiscordGatewayClient,
  type DiscordGatewayClientOptions,
  type GatewayError,
  localIdentifyQueue,
  memorySessionStore,
} from '@guildkit/gateway';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import type { APIGatewayBotInfo } from 'discord-api-types/v10';
import { afterEach, expect, test, vi } from 'vitest';
import { fastClock } from '../support/fast-clock.js';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startSandbox(shards: number): Promise<Sandbox> {
  const sandbox = await createSandbox({ rateLimits: false, shards });
  cleanups.push(() => sandbox.close());
  return sandbox;
}

function makeClient(sandbox: Sandbox, options: Partial<DiscordGatewayClientOptions> = {}) {
  const clock = fastClock();
  const { token, apiBase } = sandbox.connection;
  const client = new DiscordGatewayClient({
    ...sandbox.connection,
    intents: ['Guilds', 'GuildVoiceStates', 'GuildMembers'],
    clock,
    // As Discord says for large bots.
    async fetchGatewayInfo() {
      const response = await fetch(`${apiBase}/gateway/bot`, { headers: { authorization: `Bot ${token}` } });
      const info = (await response.json()) as APIGatewayBotInfo;
      return { ...info, session_start_limit: { ...info.session_start_limit, max_concurrency: 16 } };
    },
    ...options,
  });
  cleanups.push(() => client.close());
  const changes: string[] = [];
  client.on('stateChange', ({ shardId, from, to }) => changes.push(`${shardId} ${from} ${to}`));
  return { client, clock, changes };
}

const shardOf = (guildId: string, count: number): number => Number((BigInt(guildId) >> 22n) % BigInt(count));

test.each([2, 3, 8, 16])(
  '%i shards: each has its session, and a guild is heard and asked on its own',
  async (count) => {
    const sandbox = await startSandbox(count);
    const { client, clock } = makeClient(sandbox);
    const own = shardOf(sandbox.guildId, count);
    const heard: [string, number][] = [];
    client.on('dispatch', ({ name, shardId }) => heard.push([name, shardId]));
    await client.connect();
    expect(client.health().shards.map(({ shardId, phase }) => [shardId, phase])).toEqual(
      Array.from({ length: count }, (_, id) => [id, 'ready']),
    );
    expect(sandbox.traffic.counters).toMatchObject({ identifies: count, gatewayOpen: count, badFrames: 0 });
    expect(client.health().identifyBudget?.remaining).toBe(1_000 - count);
    const on = (name: string) => heard.filter(([heardName]) => heardName === name).map(([, shardId]) => shardId);
    expect(on('READY').sort((a, b) => a - b)).toEqual([...Array(count).keys()]);
    expect(on('GUILD_CREATE')).toEqual([own]);

    const { guildId, voiceChannelId: channelId } = sandbox;
    await client.updateVoiceState({ guildId, channelId, selfMute: true, selfDeaf: false });
    // Discord sends it to the session that asked.
    await vi.waitFor(() => expect(on('VOICE_SERVER_UPDATE')).toEqual([own]));
    const { members } = await client.requestGuildMembers({ guildId });
    expect(members.length).toBeGreaterThan(0);
    expect(on('GUILD_MEMBERS_CHUNK')).toEqual([own]);
    expect([...(await client.requestSoundboardSounds([guildId])).keys()]).toEqual([guildId]);
    await client.close();
    expect(clock.pending).toBe(0);
    await vi.waitFor(() => expect(sandbox.traffic.counters.gatewayOpen).toBe(0));
  },
);

test("'auto' runs as many as Discord recommends, one after the other where max_concurrency is 1", async () => {
  const sandbox = await startSandbox(3);
  const { client, changes } = makeClient(sandbox, { fetchGatewayInfo: undefined, shards: 'auto' });
  await client.connect();
  expect(client.health().shards).toHaveLength(3);
  // While one identifies, the others wait for their permit.
  const identified = changes.filter((change) => change.endsWith('awaitingPermit identifying'));
  expect(identified).toHaveLength(3);
  const index = (change: string): number => changes.indexOf(change);
  const [first, second, third] = identified.map((change) => change.split(' ')[0]);
  expect(index(`${second} awaitingPermit identifying`)).toBeGreaterThan(index(`${first} identifying ready`));
  expect(index(`${third} awaitingPermit identifying`)).toBeGreaterThan(index(`${second} identifying ready`));
});

test('a shard that loses its connection resumes; the others do not notice', async () => {
  const sandbox = await startSandbox(4);
  const { client, changes } = makeClient(sandbox);
  await client.connect();
  const own = shardOf(sandbox.guildId, 4);
  const joined: string[] = [];
  client.onEvent('voice.joined', ({ payload }) => joined.push(payload.userId));
  const resumed = new Promise((resolve) => client.once('resumed', resolve));
  const before = changes.length;
  sandbox.faults.cut({ shardId: own });
  const person = await sandbox.people.create({ name: 'ann' });
  await person.joinVoice(sandbox.voiceChannelId);
  expect(await resumed).toMatchObject({ shardId: own });
  await vi.waitFor(() => expect(joined).toEqual([person.id]));
  expect(new Set(changes.slice(before).map((change) => change.split(' ')[0]))).toEqual(new Set([`${own}`]));
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 4, resumes: 1 });
});

test('two processes share the shards; each waits for its own guilds, and refuses those of the other', async () => {
  const sandbox = await startSandbox(4);
  const clock = fastClock();
  const identifyQueue = localIdentifyQueue({ clock });
  const { identifyBudgets } = memorySessionStore();
  const processes = [
    [0, 1],
    [2, 3],
  ].map((ids) =>
    makeClient(sandbox, {
      clock,
      identifyQueue,
      shards: { ids, count: 4 },
      sessionStore: { ...memorySessionStore(), identifyBudgets },
    }),
  );
  await Promise.all(processes.map(({ client }) => client.connect()));
  expect(sandbox.traffic.counters.identifies).toBe(4);
  const own = shardOf(sandbox.guildId, 4) < 2 ? 0 : 1;
  const [mine, other] = [processes[own]?.client, processes[1 - own]?.client];
  const { guildId } = sandbox;
  await mine?.requestGuildMembers({ guildId });
  const refused = await other?.requestGuildMembers({ guildId }).catch((error: GatewayError) => error);
  expect(refused).toMatchObject({ code: 'ERR_GATEWAY_SEND_FAILED' });
  // What one has spent the other knows of at its next IDENTIFY.
  expect(Math.min(...processes.map(({ client }) => client.health().identifyBudget?.remaining ?? 0))).toBe(996);
});

test('sixteen shards are detached and resumed by the next process, all of them', async () => {
  const sandbox = await startSandbox(16);
  const sessionStore = memorySessionStore();
  const first = makeClient(sandbox, { sessionStore });
  await first.client.connect();
  await first.client.detach();
  const second = makeClient(sandbox, { sessionStore });
  await second.client.connect();
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 16, resumes: 16, resumesRefused: 0 });
  expect(second.client.health().identifyBudget?.remaining).toBe(984);
});
