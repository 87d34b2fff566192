/** Requests against Discord on this machine. */
import { DiscordGatewayClient, type DiscordGatewayClientOptions } from '@guildkit/gateway';
import { createSandbox, type SandboxOptions } from '@guildkit/sandbox';
import { afterEach, expect, test } from 'vitest';
import { fastClock } from '../support/fast-clock.js';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setUp(options: SandboxOptions = {}, clientOptions: Partial<DiscordGatewayClientOptions> = {}) {
  const sandbox = await createSandbox({ rateLimits: false, ...options });
  cleanups.push(() => sandbox.close());
  const client = new DiscordGatewayClient({
    ...sandbox.connection,
    intents: ['Guilds', 'GuildMembers', 'GuildVoiceStates'],
    ...clientOptions,
  });
  cleanups.push(() => client.close());
  await client.connect();
  return { sandbox, client, guildId: sandbox.guildId };
}

test('all members, by name, by id; who is no member is named', async () => {
  const { sandbox, client, guildId } = await setUp();
  const people = await Promise.all(['anna', 'anton', 'bela'].map((name) => sandbox.people.create({ name })));
  const all = await client.requestGuildMembers({ guildId });
  expect(all.members.map(({ user }) => user.username)).toEqual(expect.arrayContaining(['anna', 'anton', 'bela']));
  const seen: string[] = [];
  for await (const { user } of client.requestGuildMembers({ guildId, query: 'an', limit: 10 }))
    seen.push(user.username);
  expect(seen).toEqual(['anna', 'anton']);
  const userIds = [people[2]?.id ?? '', '123'];
  const some = await client.requestGuildMembers({ guildId, userIds });
  expect(some).toMatchObject({ members: [{ user: { username: 'bela' } }], notFound: ['123'] });
});

test('a member list of several chunks comes whole, and a second one after RATE_LIMITED', async () => {
  const clock = fastClock();
  const { sandbox, client, guildId } = await setUp({ rateLimits: true, clock }, { clock });
  for (let index = 0; index < 1_100; index += 1) await sandbox.people.create({ name: `p${index}` });
  const first = client.requestGuildMembers({ guildId });
  const names = new Set<string>();
  for await (const { user } of first) names.add(user.username);
  expect(names.size).toBe((await first).members.length);
  expect(names.size).toBeGreaterThan(1_100);
  const { members } = await client.requestGuildMembers({ guildId });
  expect(members).toHaveLength(names.size);
  const requests = sandbox.traffic.recent.filter(({ what }) => what === 'RATE_LIMITED');
  expect(requests).toHaveLength(1);
});

test('a request that was made while the connection was cut is answered after the resume', async () => {
  const clock = fastClock();
  const { sandbox, client, guildId } = await setUp({}, { clock });
  await sandbox.people.create({ name: 'anna' });
  sandbox.faults.cut();
  const requests = await Promise.all([
    client.requestGuildMembers({ guildId, query: 'anna' }),
    client.requestSoundboardSounds([guildId]),
  ]);
  expect(requests[0].members).toHaveLength(1);
  expect([...requests[1].keys()]).toEqual([guildId]);
  expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1 });
});

test('a request outlives its session', async () => {
  const clock = fastClock();
  const { sandbox, client, guildId } = await setUp({}, { clock });
  await sandbox.people.create({ name: 'anna' });
  // The answer is lost on the way, and with the session for good.
  sandbox.faults.dropDispatches(1);
  const request = client.requestGuildMembers({ guildId, query: 'anna' });
  sandbox.faults.invalidateSession({ resumable: false });
  expect((await request).members).toHaveLength(1);
});
