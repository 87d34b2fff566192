import { createSandbox, type PermissionName, type Sandbox } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { call, RawClient } from '../support/gateway-client.js';

const ALL = 1 | 2 | 32 | 64 | 128 | 512 | 32_768;

/** A sandbox with a bot that has some permissions only. */
async function withBot(permissions: readonly PermissionName[]) {
  const sandbox = await createSandbox({ rateLimits: false });
  const bot = await sandbox.bots.create({ name: 'helper', permissions });
  const as = (method: string, path: string, body?: unknown) =>
    call(sandbox, method, path, { token: bot.token, ...(body === undefined ? {} : { body }) });
  return { sandbox, bot, as, guild: `/guilds/${sandbox.guildId}` };
}

const names = (client: RawClient, prefix: string): (string | null)[] =>
  client.frames.flatMap(({ t }) => (t?.startsWith(prefix) === true ? [t] : []));

describe('members', () => {
  test('are found by the beginning of their names', async () => {
    await using sandbox = await createSandbox();
    const guild = `/guilds/${sandbox.guildId}`;
    for (const name of ['anna', 'anton', 'bela']) await sandbox.people.create({ name, nick: `the ${name}` });
    const search = async (query: string) =>
      (await call(sandbox, 'GET', `${guild}/members/search?${query}`)).body.map(
        (it: { user: { username: string } }) => it.user.username,
      );
    expect(await search('query=AN&limit=10')).toEqual(['anna', 'anton']);
    expect(await search('query=the%20b')).toEqual(['bela']);
    expect((await call(sandbox, 'GET', `${guild}/members/search`)).body.errors.query).toBeDefined();
  });

  test('get nicknames, roles, mute and deaf; each shows in its dispatch', async () => {
    const { sandbox, as, guild } = await withBot(['ManageNicknames', 'ManageRoles', 'MuteMembers', 'DeafenMembers']);
    await using _ = sandbox;
    const client = await RawClient.identified(sandbox, { intents: ALL });
    const anna = await sandbox.people.create({ name: 'anna' });
    const role = (await as('POST', `${guild}/roles`, { name: 'player', permissions: '0' })).body;
    const path = `${guild}/members/${anna.id}`;
    await anna.joinVoice(sandbox.voiceChannelId);
    const changed = await as('PATCH', path, { nick: 'Annie', roles: [role.id], mute: true, deaf: true });
    expect(changed.body).toMatchObject({ nick: 'Annie', roles: [role.id], mute: true, deaf: true });
    expect(anna.roles).toEqual([role.id]);
    const reset = await as('PATCH', path, { nick: '', roles: [] });
    expect(reset.body).toMatchObject({ nick: null, roles: [] });
    await client.settled();
    const update = client.frames.find(({ t }) => t === 'GUILD_MEMBER_UPDATE');
    expect(update?.d).toMatchObject({ guild_id: sandbox.guildId, user: { id: anna.id }, nick: 'Annie' });
    const states = client.frames.filter(({ t }) => t === 'VOICE_STATE_UPDATE');
    expect(states.at(-1)?.d).toMatchObject({ mute: true, deaf: true, self_mute: false });
    expect((await as('PATCH', `${guild}/members/@me`, { nick: 'me' })).body.nick).toBe('me');
  });

  test('are moved and disconnected by who may', async () => {
    const { sandbox, as, guild } = await withBot(['MoveMembers']);
    await using _ = sandbox;
    const full = await sandbox.channels.create({ name: 'full', userLimit: 1 });
    const anna = await sandbox.people.create({ name: 'anna' });
    const bela = await sandbox.people.create({ name: 'bela' });
    await bela.joinVoice(full.id);
    const path = `${guild}/members/${anna.id}`;
    expect((await as('PATCH', path, { channel_id: full.id })).body).toMatchObject({ code: 40_032 });
    expect((await as('PATCH', path, { channel_id: null })).body).toMatchObject({ code: 40_032 });
    await anna.joinVoice(sandbox.voiceChannelId);
    expect((await as('PATCH', path, { channel_id: '1' })).body).toMatchObject({ code: 10_003 });
    expect((await as('PATCH', path, { channel_id: sandbox.textChannelId })).body).toMatchObject({ code: 50_035 });
    expect((await as('PATCH', path, { channel_id: full.id })).status).toBe(200);
    expect(anna.channelId).toBe(full.id);
    await call(sandbox, 'PUT', `/channels/${sandbox.voiceChannelId}/permissions/${sandbox.guildId}`, {
      body: { type: 0, deny: '1048576' },
    });
    expect((await as('PATCH', path, { channel_id: sandbox.voiceChannelId })).body).toMatchObject({ code: 50_013 });
    expect((await as('PATCH', path, { mute: true })).body).toMatchObject({ code: 50_013 });
    await as('PATCH', path, { channel_id: null });
    expect(anna.channelId).toBeNull();
  });

  test('a refused part leaves the others undone', async () => {
    const { sandbox, as, guild } = await withBot(['ManageNicknames']);
    await using _ = sandbox;
    const anna = await sandbox.people.create({ name: 'anna' });
    const path = `${guild}/members/${anna.id}`;
    expect((await as('PATCH', path, { nick: 'Annie', channel_id: null })).body.code).toBe(50_013);
    expect((await as('GET', path)).body.nick).toBeNull();
  });

  test('get and lose single roles, of those below the bot’s own', async () => {
    const { sandbox, as, guild } = await withBot(['ManageRoles']);
    await using _ = sandbox;
    const anna = await sandbox.people.create({ name: 'anna', permissions: [] });
    const high = anna.roles[0];
    const low = (await as('POST', `${guild}/roles`, { name: 'low' })).body.id;
    const path = `${guild}/members/${anna.id}/roles`;
    expect((await as('PUT', `${path}/${low}`)).status).toBe(204);
    expect((await as('PUT', `${path}/${low}`)).status).toBe(204);
    expect(anna.roles).toEqual([high, low]);
    expect((await as('DELETE', `${path}/${low}`)).status).toBe(204);
    expect((await as('DELETE', `${path}/${high}`)).body.code).toBe(50_013);
    expect((await as('PUT', `${path}/1`)).body.code).toBe(10_011);
    expect((await as('PUT', `${guild}/members/1/roles/${low}`)).body.code).toBe(10_013);
    const outside = await sandbox.people.create({ name: 'outside', member: false });
    expect((await as('PUT', `${guild}/members/${outside.id}/roles/${low}`)).body.code).toBe(10_007);
  });

  test('are removed, but not from above', async () => {
    const { sandbox, as, guild } = await withBot(['KickMembers']);
    await using _ = sandbox;
    const anna = await sandbox.people.create({ name: 'anna' });
    const boss = await sandbox.people.create({ name: 'boss', permissions: ['KickMembers'] });
    await anna.joinVoice(sandbox.voiceChannelId);
    expect((await as('DELETE', `${guild}/members/${anna.id}`)).status).toBe(204);
    expect([anna.isMember, anna.channelId]).toEqual([false, null]);
    expect((await as('DELETE', `${guild}/members/${boss.id}`)).body.code).toBe(50_013);
    expect((await as('DELETE', `${guild}/members/${sandbox.people.owner.id}`)).body.code).toBe(50_013);
  });

  test('a bot that is removed is told, and sees the guild no more', async () => {
    const { sandbox, bot, as, guild } = await withBot([]);
    await using _ = sandbox;
    const client = await RawClient.identified(sandbox, { token: bot.token });
    await sandbox.people.owner.kick(bot.id);
    expect((await client.dispatch('GUILD_DELETE')).d).toEqual({ id: sandbox.guildId });
    expect((await as('GET', guild)).body.code).toBe(10_004);
    expect((await as('GET', '/users/@me/guilds')).body).toEqual([]);
  });
});

describe('roles', () => {
  test('are created, changed, ordered and deleted', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox, { intents: ALL });
    const guild = `/guilds/${sandbox.guildId}`;
    const made = await call(sandbox, 'POST', `${guild}/roles`, {
      body: { name: 'player', permissions: '1024', color: 255, hoist: true, mentionable: true },
    });
    expect(made.body).toMatchObject({
      name: 'player',
      permissions: '1024',
      color: 255,
      hoist: true,
      mentionable: true,
    });
    const path = `${guild}/roles/${made.body.id}`;
    expect((await call(sandbox, 'GET', path)).body).toEqual(made.body);
    expect((await call(sandbox, 'PATCH', path, { body: { name: 'gamer' } })).body.name).toBe('gamer');
    const order = (position: number) =>
      call(sandbox, 'PATCH', `${guild}/roles`, { body: [{ id: made.body.id, position }] });
    expect((await order(1)).body.at(-1)).toMatchObject({ name: 'gamer', position: 1 });
    expect((await order(2)).body.code).toBe(50_013);
    const anna = await sandbox.people.create({ name: 'anna', roles: [made.body.id] });
    await call(sandbox, 'PUT', `/channels/${sandbox.textChannelId}/permissions/${made.body.id}`, { body: { type: 0 } });
    expect((await call(sandbox, 'DELETE', path)).status).toBe(204);
    expect(anna.roles).toEqual([]);
    const left = (await call(sandbox, 'GET', `/channels/${sandbox.textChannelId}`)).body.permission_overwrites;
    expect(left).toEqual([]);
    await client.settled();
    expect(names(client, 'GUILD_ROLE')).toEqual([
      'GUILD_ROLE_CREATE',
      'GUILD_ROLE_UPDATE',
      'GUILD_ROLE_UPDATE',
      'GUILD_ROLE_DELETE',
    ]);
  });

  test('nobody grants what they lack, or touches what stands above', async () => {
    const { sandbox, as, guild } = await withBot(['ManageRoles']);
    await using _ = sandbox;
    const own = (await as('GET', `${guild}/roles`)).body.find((it: { name: string }) => it.name === 'helper');
    const bot = (await as('GET', `${guild}/roles`)).body.find((it: { name: string }) => it.name === 'sandbox-bot');
    expect((await as('POST', `${guild}/roles`, { permissions: '8' })).body.code).toBe(50_013);
    expect((await as('PATCH', `${guild}/roles/${own.id}`, { name: 'x' })).body.code).toBe(50_013);
    expect((await as('PATCH', `${guild}/roles/${bot.id}`, { name: 'x' })).status).toBe(200);
    expect((await as('DELETE', `${guild}/roles/${own.id}`)).body.code).toBe(50_028);
    expect((await as('DELETE', `${guild}/roles/${sandbox.guildId}`)).body.code).toBe(50_028);
    expect(
      (await as('PATCH', `${guild}/roles/${sandbox.guildId}`, { name: 'x', permissions: '1024' })).body,
    ).toMatchObject({
      name: '@everyone',
      permissions: '1024',
    });
    expect((await as('POST', `${guild}/roles`, { color: 0x1_00_00_00 })).body.code).toBe(50_035);
  });
});

describe('channels', () => {
  test('overwrites are set and deleted; a private room is closed to people', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const anna = await sandbox.people.create({ name: 'anna' });
    const path = `/channels/${sandbox.voiceChannelId}`;
    const put = (id: string, body: unknown) => call(sandbox, 'PUT', `${path}/permissions/${id}`, { body });
    expect((await put(sandbox.guildId, { type: 0, deny: '1049600' })).status).toBe(204);
    await expect(anna.joinVoice(sandbox.voiceChannelId)).rejects.toMatchObject({
      code: 'ERR_SANDBOX_PERMISSION_MISSING',
    });
    expect((await put(anna.id, { type: 1, allow: '1049600' })).status).toBe(204);
    await anna.joinVoice(sandbox.voiceChannelId);
    const { body } = await call(sandbox, 'GET', path);
    expect(body.permission_overwrites).toEqual([
      { id: sandbox.guildId, type: 0, allow: '0', deny: '1049600' },
      { id: anna.id, type: 1, allow: '1049600', deny: '0' },
    ]);
    expect((await call(sandbox, 'DELETE', `${path}/permissions/${anna.id}`)).status).toBe(204);
    expect((await call(sandbox, 'DELETE', `${path}/permissions/${anna.id}`)).body.code).toBe(10_009);
    expect((await put('1', { type: 0 })).body.code).toBe(10_011);
    expect((await put('1', { type: 1 })).body.code).toBe(10_013);
    expect((await put(anna.id, { type: 2 })).body.code).toBe(50_035);
  });

  test('need permissions, in the guild and where they are', async () => {
    const { sandbox, as, guild } = await withBot(['ManageChannels']);
    await using _ = sandbox;
    const made = (await as('POST', `${guild}/channels`, { name: 'x', type: 2 })).body;
    expect((await as('PATCH', `/channels/${made.id}`, { user_limit: 3 })).body.user_limit).toBe(3);
    expect((await as('PUT', `/channels/${made.id}/permissions/${sandbox.guildId}`, { type: 0 })).body.code).toBe(
      50_013,
    );
    const overwrites = { permission_overwrites: [{ id: sandbox.guildId, type: 0, deny: '8' }] };
    expect((await as('POST', `${guild}/channels`, { name: 'x', ...overwrites })).body.code).toBe(50_013);
    expect((await as('PATCH', `/channels/${made.id}`, overwrites)).body.code).toBe(50_013);
    await call(sandbox, 'PUT', `/channels/${made.id}/permissions/${sandbox.guildId}`, {
      body: { type: 0, deny: '1024' },
    });
    expect((await as('DELETE', `/channels/${made.id}`)).body).toEqual({ message: 'Missing Access', code: 50_001 });
  });

  test('are ordered', async () => {
    await using sandbox = await createSandbox();
    const category = await sandbox.channels.create({ name: 'c', kind: 'category' });
    const order = (body: unknown) => call(sandbox, 'PATCH', `/guilds/${sandbox.guildId}/channels`, { body });
    expect((await order([{ id: sandbox.voiceChannelId, position: 4, parent_id: category.id }])).status).toBe(204);
    const { body } = await call(sandbox, 'GET', `/channels/${sandbox.voiceChannelId}`);
    expect(body).toMatchObject({ position: 4, parent_id: category.id });
    expect((await order([{ id: '1', position: 1 }])).body.code).toBe(10_003);
    expect((await order([{ id: category.id, parent_id: category.id }])).body.code).toBe(50_035);
  });
});

test('a guild is renamed, and says so', async () => {
  const { sandbox, as, guild } = await withBot([]);
  await using _ = sandbox;
  const client = await RawClient.identified(sandbox);
  expect((await as('PATCH', guild, { name: 'Other' })).body.code).toBe(50_013);
  const changed = await call(sandbox, 'PATCH', guild, { body: { name: 'Other', system_channel_id: null } });
  expect(changed.body).toMatchObject({ name: 'Other', system_channel_id: null });
  expect((await client.dispatch('GUILD_UPDATE')).d.name).toBe('Other');
  expect((await call(sandbox, 'PATCH', guild, { body: { system_channel_id: '1' } })).body.code).toBe(10_003);
});

describe('invites', () => {
  test('are made, read, listed and ended', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: false });
    const client = await RawClient.identified(sandbox, { intents: ALL });
    const path = `/channels/${sandbox.voiceChannelId}/invites`;
    const first = (await call(sandbox, 'POST', path, { body: { max_age: 60, max_uses: 4 } })).body;
    expect(first).toMatchObject({ max_age: 60, max_uses: 4, uses: 0, channel: { id: sandbox.voiceChannelId } });
    expect((await call(sandbox, 'POST', path, { body: { max_age: 60, max_uses: 4 } })).body.code).toBe(first.code);
    const unique = { max_age: 0, unique: true };
    const second = (await call(sandbox, 'POST', path, { body: unique })).body;
    expect(second).toMatchObject({ expires_at: null });
    const read = await call(sandbox, 'GET', `/invites/${first.code}?with_counts=true`, { token: null });
    expect(read.body).toMatchObject({ approximate_member_count: 2, guild: { id: sandbox.guildId } });
    expect((await call(sandbox, 'GET', `/guilds/${sandbox.guildId}/invites`)).body).toHaveLength(2);
    await clock.advance(60_000);
    expect((await call(sandbox, 'GET', path)).body).toHaveLength(1);
    expect((await call(sandbox, 'GET', `/invites/${first.code}`)).body.code).toBe(10_006);
    expect((await call(sandbox, 'DELETE', `/invites/${second.code}`)).body.code).toBe(second.code);
    expect((await call(sandbox, 'GET', `/invites/${second.code}`)).body.code).toBe(10_006);
    await client.settled();
    expect(names(client, 'INVITE')).toEqual(['INVITE_CREATE', 'INVITE_CREATE', 'INVITE_DELETE']);
  });

  test('bring people in, as often as they say', async () => {
    await using sandbox = await createSandbox();
    const path = `/channels/${sandbox.voiceChannelId}/invites`;
    const { code } = (await call(sandbox, 'POST', path, { body: { max_uses: 2 } })).body;
    const people = [];
    for (const name of ['anna', 'bela', 'carl']) people.push(await sandbox.people.create({ name, member: false }));
    await people[0]?.joinGuild(code);
    await people[0]?.joinGuild(code);
    expect((await call(sandbox, 'GET', path)).body).toMatchObject([{ uses: 1 }]);
    await people[1]?.joinGuild(code);
    await expect(people[2]?.joinGuild(code)).rejects.toMatchObject({ code: 'ERR_SANDBOX_INVITE_UNKNOWN' });
    expect(people.map(({ isMember }) => isMember)).toEqual([true, true, false]);
    expect((await call(sandbox, 'GET', `/invites/${code}`)).body.code).toBe(10_006);
  });

  test('are ended by those who manage the channel', async () => {
    const { sandbox, as } = await withBot([]);
    await using _ = sandbox;
    const { code } = (await as('POST', `/channels/${sandbox.textChannelId}/invites`)).body;
    expect((await as('DELETE', `/invites/${code}`)).body.code).toBe(50_013);
    expect((await as('POST', `/channels/${sandbox.textChannelId}/invites`, { max_age: -1 })).body.code).toBe(50_035);
  });
});

describe('webhooks', () => {
  test('write under a name of their own, without a bot', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox, { intents: ALL });
    const path = `/channels/${sandbox.textChannelId}/webhooks`;
    const hook = (await call(sandbox, 'POST', path, { body: { name: 'Hook' } })).body;
    const by = (method: string, rest: string, body?: unknown) =>
      call(sandbox, method, `/webhooks/${hook.id}/${hook.token}${rest}`, {
        token: null,
        ...(body === undefined ? {} : { body }),
      });
    expect((await by('POST', '', { content: 'silent' })).status).toBe(204);
    const said = await by('POST', '?wait=true', { content: 'hello', username: 'Captain' });
    expect(said.body).toMatchObject({ webhook_id: hook.id, author: { id: hook.id, username: 'Captain', bot: true } });
    expect((await by('GET', `/messages/${said.body.id}`)).body.content).toBe('hello');
    expect((await by('PATCH', `/messages/${said.body.id}`, { content: 'bye' })).body.content).toBe('bye');
    expect((await by('DELETE', `/messages/${said.body.id}`)).status).toBe(204);
    expect((await by('POST', '', {})).body.code).toBe(50_006);
    expect((await by('GET', '')).body.user).toBeUndefined();
    expect((await by('PATCH', '', { name: 'Other' })).body.name).toBe('Other');
    expect((await call(sandbox, 'GET', path)).body).toMatchObject([{ name: 'Other' }]);
    expect((await call(sandbox, 'GET', `/guilds/${sandbox.guildId}/webhooks`)).body).toHaveLength(1);
    expect((await call(sandbox, 'GET', `/webhooks/${hook.id}/wrong`, { token: null })).body.code).toBe(50_027);
    expect((await call(sandbox, 'GET', `/webhooks/1/${hook.token}`, { token: null })).body.code).toBe(10_015);
    expect(JSON.stringify(sandbox.traffic.recent)).not.toContain(hook.token);
    expect((await call(sandbox, 'PATCH', `/webhooks/${hook.id}`, { body: { name: 'Mine' } })).body.name).toBe('Mine');
    expect((await call(sandbox, 'DELETE', `/webhooks/${hook.id}`)).status).toBe(204);
    expect((await by('GET', '')).body.code).toBe(10_015);
    await client.settled();
    expect(names(client, 'MESSAGE')).toEqual(['MESSAGE_CREATE', 'MESSAGE_CREATE', 'MESSAGE_UPDATE', 'MESSAGE_DELETE']);
    expect(names(client, 'WEBHOOKS')).toHaveLength(4);
  });

  test('have names that Discord takes, and not too many', async () => {
    const { sandbox, as } = await withBot([]);
    await using _ = sandbox;
    const path = `/channels/${sandbox.textChannelId}/webhooks`;
    expect((await as('POST', path, { name: 'x' })).body.code).toBe(50_013);
    const make = (name: string) => call(sandbox, 'POST', path, { body: { name } });
    expect((await make('my Discord hook')).body.errors.name._errors[0].code).toBe('USERNAME_INVALID_CONTAINS');
    for (let n = 0; n < 15; n += 1) expect((await make(`w${n}`)).status).toBe(200);
    expect((await make('one more')).body.code).toBe(30_007);
  });
});

test('application commands are kept and listed, everywhere and by guild', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const { id } = (await call(sandbox, 'GET', '/users/@me')).body;
  const app = `/applications/${id}`;
  const made = await call(sandbox, 'POST', `${app}/commands`, {
    body: { name: 'play', description: 'Play', options: [{ type: 3, name: 'game', description: 'Which' }] },
  });
  expect(made).toMatchObject({ status: 201, body: { name: 'play', type: 1, options: [{ name: 'game' }] } });
  const again = await call(sandbox, 'POST', `${app}/commands`, { body: { name: 'play', description: 'Again' } });
  expect(again).toMatchObject({ status: 200, body: { id: made.body.id, description: 'Again' } });
  const put = await call(sandbox, 'PUT', `${app}/commands`, {
    body: [
      { name: 'play', description: 'Kept' },
      { name: 'Info', type: 2 },
    ],
  });
  expect(put.body.map((it: { id: string }) => it.id)).toEqual([made.body.id, expect.any(String)]);
  const local = await call(sandbox, 'PUT', `${app}/guilds/${sandbox.guildId}/commands`, {
    body: [{ name: 'here', description: 'Here' }],
  });
  expect(local.body).toMatchObject([{ guild_id: sandbox.guildId }]);
  expect((await call(sandbox, 'GET', `${app}/commands`)).body).toHaveLength(2);
  const one = `${app}/commands/${made.body.id}`;
  expect((await call(sandbox, 'PATCH', one, { body: { name: 'start' } })).body).toMatchObject({
    name: 'start',
    description: 'Kept',
  });
  expect((await call(sandbox, 'DELETE', one)).status).toBe(204);
  expect((await call(sandbox, 'GET', one)).body.code).toBe(10_063);
  expect((await call(sandbox, 'GET', '/applications/1/commands')).body.code).toBe(20_012);
  expect((await call(sandbox, 'PUT', `${app}/commands`, { body: [{}] })).body.errors[0].name).toBeDefined();
});

describe('users', () => {
  test('a bot renames itself, opens conversations and leaves', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox, { intents: 1 | 4096 });
    const anna = await sandbox.people.create({ name: 'anna' });
    expect((await call(sandbox, 'PATCH', '/users/@me', { body: { username: 'renamed' } })).body.username).toBe(
      'renamed',
    );
    await client.dispatch('USER_UPDATE');
    const open = (recipient: string) =>
      call(sandbox, 'POST', '/users/@me/channels', { body: { recipient_id: recipient } });
    const dm = (await open(anna.id)).body;
    expect(dm).toMatchObject({ type: 1, recipients: [{ id: anna.id }] });
    expect((await open(anna.id)).body.id).toBe(dm.id);
    const sent = await call(sandbox, 'POST', `/channels/${dm.id}/messages`, { body: { content: 'hi' } });
    expect(sent.status).toBe(200);
    const answer = await anna.send(dm.id, { content: 'ho', replyTo: sent.body.id });
    const created = await client.dispatch('MESSAGE_CREATE', (d) => d.id === answer.id);
    expect(created.d.guild_id).toBeUndefined();
    expect((await call(sandbox, 'DELETE', `/channels/${dm.id}/messages/${answer.id}`)).body.code).toBe(50_003);
    expect((await call(sandbox, 'GET', `/channels/${dm.id}`)).body.last_message_id).toBe(answer.id);
    expect((await call(sandbox, 'DELETE', `/channels/${dm.id}`)).body.id).toBe(dm.id);
    expect((await call(sandbox, 'GET', `/channels/${dm.id}`)).body.code).toBe(10_003);
    expect((await open('1')).body.code).toBe(50_033);
    expect((await call(sandbox, 'DELETE', `/users/@me/guilds/${sandbox.guildId}`)).status).toBe(204);
    await client.dispatch('GUILD_DELETE');
  });
});

test.each([
  ['POST', '/channels/1/threads', 'threads'],
  ['GET', '/guilds/1/bans', 'bans'],
])('%s %s is said not to be emulated', async (method, path, what) => {
  await using sandbox = await createSandbox();
  const { status, body } = await call(sandbox, method, path);
  expect([status, body]).toEqual([404, { code: 0, message: `404: Not emulated by the sandbox (${what})` }]);
});

test('ids in a path are held apart from its slashes', async () => {
  await using sandbox: Sandbox = await createSandbox();
  expect((await call(sandbox, 'GET', `/guilds%2F${sandbox.guildId}`)).body).toEqual({
    message: '404: Not Found',
    code: 0,
  });
});
