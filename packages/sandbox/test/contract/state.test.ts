import { createSandbox, type SandboxState } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { call, RawClient } from '../support/gateway-client.js';

/** GUILDS, GUILD_VOICE_STATES and GUILD_PRESENCES. */
const GUILDS_AND_PRESENCES = 1 | 128 | 256;

/** A sandbox in which something of everything has happened. */
async function busy() {
  const clock = createVirtualClock();
  const sandbox = await createSandbox({ seed: 7, clock, rateLimits: false });
  const helper = await sandbox.bots.create({ name: 'helper', permissions: ['ManageMessages'] });
  await sandbox.bots.resetToken(helper.id);
  const anna = await sandbox.people.create({ name: 'anna', permissions: ['MoveMembers'] });
  await sandbox.people.create({ name: 'bela', member: false });
  const lounge = await sandbox.channels.create({ name: 'Lounge', userLimit: 2 });
  await anna.joinVoice(lounge.id);
  await anna.setPresence('dnd', 'chess');
  const first = await anna.send(sandbox.textChannelId, 'hello');
  await anna.react(sandbox.textChannelId, first.id, '👍');
  await anna.send(await anna.openDm(helper.id), 'psst');
  const text = `/channels/${sandbox.textChannelId}`;
  await call(sandbox, 'POST', `${text}/messages`, { body: { embeds: [{ title: 'T' }], nonce: 'n' } });
  await call(sandbox, 'POST', `${text}/invites`, { body: {} });
  await call(sandbox, 'POST', `${text}/webhooks`, { body: { name: 'hook' } });
  await call(sandbox, 'PUT', `/applications/${sandbox.oauth.clientId}/commands`, {
    body: [{ name: 'play', description: 'x' }],
  });
  return { sandbox, clock };
}

const write = (state: SandboxState): SandboxState => JSON.parse(JSON.stringify(state)) as SandboxState;

test('a saved sandbox goes on as another: same ids, tokens, people and messages', async () => {
  const { sandbox, clock } = await busy();
  const saved = write(sandbox.save());
  expect(JSON.stringify(saved)).not.toContain(sandbox.connection.token);
  const before = {
    connection: { ...sandbox.connection, apiBase: '' },
    bots: sandbox.bots.list(),
    people: sandbox.people.list().map(({ id, name, channelId, roles }) => ({ id, name, channelId, roles })),
    channels: sandbox.channels.list(),
    messages: sandbox.channels.messages(sandbox.textChannelId),
  };
  const next = await sandbox.people.create({ name: 'next' });
  await sandbox.close();
  expect(write(saved)).toEqual(saved);

  await using again = await createSandbox({ state: saved, clock, rateLimits: false });
  expect(again.save()).toEqual(saved);
  expect({
    connection: { ...again.connection, apiBase: '' },
    bots: again.bots.list(),
    people: again.people.list().map(({ id, name, channelId, roles }) => ({ id, name, channelId, roles })),
    channels: again.channels.list(),
    messages: again.channels.messages(again.textChannelId),
  }).toEqual(before);
  expect((await again.people.create({ name: 'next' })).id).toBe(next.id);
  const token = again.bots.list()[1]?.token ?? '';
  const client = await RawClient.identified(again, { token, intents: GUILDS_AND_PRESENCES });
  const guild = await client.dispatch('GUILD_CREATE');
  expect(guild.d.voice_states).toHaveLength(1);
  const [anna] = again.people.list();
  const shown = guild.d.presences.filter(({ user }: { user: { id: string } }) => user.id === anna?.id);
  expect(shown).toMatchObject([{ status: 'dnd', activities: [{ name: 'chess' }] }]);
  await anna?.leaveVoice();
  await client.dispatch('VOICE_STATE_UPDATE', (d) => d.channel_id === null);
  expect((await call(again, 'GET', `/channels/${again.textChannelId}/messages`)).body).toHaveLength(2);
});

describe('what is no saved sandbox is refused, and says where', () => {
  type Edit = (state: ReturnType<typeof parts>) => void;
  // biome-ignore lint/suspicious/noExplicitAny: a test spoils whatever it likes
  const parts = (state: SandboxState): any => state;

  test.each<[string, Edit, RegExp]>([
    ['another version', (state) => Object.assign(state, { version: 2 }), /version must be 1/],
    ['no seed', (state) => Object.assign(state, { seed: 'x' }), /seed/],
    ['no world', (state) => Object.assign(state, { world: null }), /world/],
    ['another main guild', (state) => Object.assign(state.main, { guildId: '1' }), /main/],
    ['a name that is none', (state) => Object.assign(state.world.users[0], { username: 5 }), /users\.0\.username/],
    ['a field too many', (state) => Object.assign(state.world.guilds[0], { moon: 1 }), /guilds\.0/],
    ['a member without a user', (state) => state.world.users.pop(), /there is no user/],
    ['a role that is gone', (state) => state.world.guilds[0].roles.pop(), /there is no role/],
    [
      'a presence of nobody',
      (state) => Object.assign(state.world.presences[0], { userId: '5' }),
      /presence: there is no/,
    ],
    ['a presence that is none', (state) => Object.assign(state.world.presences[0], { status: 'x' }), /presences\.0/],
    ['a voice channel that is gone', (state) => state.world.guilds[0].channels.pop(), /there is no channel/],
    [
      'permissions that are none',
      (state) => Object.assign(state.world.guilds[0].roles[0], { permissions: '-1' }),
      /roles\.0\.permissions/,
    ],
  ])('%s', async (_name, edit, says) => {
    const { sandbox } = await busy();
    const state = write(sandbox.save());
    await sandbox.close();
    // The last user is in no guild: the one before is spoilt instead.
    if (_name === 'a member without a user') parts(state).world.users.pop();
    edit(parts(state));
    const error = await createSandbox({ state }).then(
      (made) => made.close(),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(TypeError);
    expect((error as TypeError).message).toMatch(says);
  });
});

test('a state that was saved before presences were is loaded', async () => {
  const { sandbox } = await busy();
  const state = write(sandbox.save());
  await sandbox.close();
  delete (state.world as { presences?: unknown }).presences;
  await using again = await createSandbox({ state });
  expect((again.save().world as { presences: unknown[] }).presences).toEqual([]);
});

test('ids can carry the time, and grow all the same', async () => {
  const clock = createVirtualClock();
  await using sandbox = await createSandbox({ clock, ids: 'clock' });
  const timeOf = (id: string) => Number((BigInt(id) >> 22n) + 1_420_070_400_000n);
  const ids: bigint[] = [];
  for (let n = 0; n < 5_000; n += 1) {
    if (n === 4_500) await clock.advance(60_000);
    ids.push(BigInt((await sandbox.people.owner.send(sandbox.textChannelId, `${n}`)).id));
  }
  expect(ids.every((id, n) => n === 0 || id > (ids[n - 1] ?? 0n))).toBe(true);
  expect(timeOf(String(ids[0]))).toBe(clock.wallTime() - 60_000);
  expect(timeOf(String(ids.at(-1)))).toBe(clock.wallTime());
  await expect(createSandbox({ ids: 'moon' as never })).rejects.toThrow(TypeError);
});
