/** Each typed method: the request it makes, and the inputs it refuses before it makes any. */
import { DiscordRestClient, InvalidInputError } from '@guildkit/rest';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeDiscord, type FakeDiscord } from '../support/fake-discord.js';

const GUILD = '100000000000000001';
const CHANNEL = '100000000000000002';
const MESSAGE = '100000000000000003';
const USER = '100000000000000004';
const ROLE = '100000000000000005';
const APP = { clientId: '100000000000000006', clientSecret: 'app secret' };

let discord: FakeDiscord;
let rest: DiscordRestClient;
beforeEach(async () => {
  discord = await createFakeDiscord();
  rest = new DiscordRestClient({ token: 'a-token', apiBase: discord.apiBase, guildId: GUILD, random: () => 0 });
});
afterEach(async () => {
  await rest.close();
  await discord[Symbol.asyncDispose]();
});

type Call = (client: DiscordRestClient) => Promise<unknown>;

const REQUESTS: readonly [name: string, call: Call, request: string, body?: unknown][] = [
  ['getChannel', (c) => c.getChannel(CHANNEL), `GET /channels/${CHANNEL}`],
  [
    'modifyChannel',
    (c) => c.modifyChannel(CHANNEL, { name: 'New', userLimit: 2, parentId: null }),
    `PATCH /channels/${CHANNEL}`,
    { name: 'New', user_limit: 2, parent_id: null },
  ],
  [
    'editChannelPermissions',
    (c) => c.editChannelPermissions(CHANNEL, { id: ROLE, type: 'role', allow: 1_024n }),
    `PUT /channels/${CHANNEL}/permissions/${ROLE}`,
    { type: 0, allow: '1024' },
  ],
  [
    'deleteChannelPermission',
    (c) => c.deleteChannelPermission(CHANNEL, ROLE),
    `DELETE /channels/${CHANNEL}/permissions/${ROLE}`,
  ],
  [
    'editMessage',
    (c) => c.editMessage(CHANNEL, MESSAGE, { content: null }),
    `PATCH /channels/${CHANNEL}/messages/${MESSAGE}`,
    { content: null },
  ],
  ['deleteMessage', (c) => c.deleteMessage(CHANNEL, MESSAGE), `DELETE /channels/${CHANNEL}/messages/${MESSAGE}`],
  [
    'bulkDeleteMessages',
    (c) => c.bulkDeleteMessages(CHANNEL, [MESSAGE, USER]),
    `POST /channels/${CHANNEL}/messages/bulk-delete`,
    { messages: [MESSAGE, USER] },
  ],
  [
    'getChannelMessages',
    (c) => c.getChannelMessages(CHANNEL, { limit: 5, before: MESSAGE }),
    `GET /channels/${CHANNEL}/messages?limit=5&before=${MESSAGE}`,
  ],
  [
    'createReaction',
    (c) => c.createReaction(CHANNEL, MESSAGE, '🎲'),
    `PUT /channels/${CHANNEL}/messages/${MESSAGE}/reactions/%F0%9F%8E%B2/@me`,
  ],
  [
    'deleteOwnReaction',
    (c) => c.deleteOwnReaction(CHANNEL, MESSAGE, 'dice:100000000000000009'),
    `DELETE /channels/${CHANNEL}/messages/${MESSAGE}/reactions/dice%3A100000000000000009/@me`,
  ],
  [
    'deleteUserReaction',
    (c) => c.deleteUserReaction(CHANNEL, MESSAGE, '🎲', USER),
    `DELETE /channels/${CHANNEL}/messages/${MESSAGE}/reactions/%F0%9F%8E%B2/${USER}`,
  ],
  ['triggerTypingIndicator', (c) => c.triggerTypingIndicator(CHANNEL), `POST /channels/${CHANNEL}/typing`],
  ['getGuildMember', (c) => c.getGuildMember({ userId: USER }), `GET /guilds/${GUILD}/members/${USER}`],
  [
    'addGuildMember',
    (c) => c.addGuildMember({ userId: USER, accessToken: 'abc', roles: [ROLE], nick: 'Ann' }),
    `PUT /guilds/${GUILD}/members/${USER}`,
    { access_token: 'abc', roles: [ROLE], nick: 'Ann' },
  ],
  [
    'modifyGuildMember',
    (c) => c.modifyGuildMember({ userId: USER, mute: true, communicationDisabledUntil: null }),
    `PATCH /guilds/${GUILD}/members/${USER}`,
    { mute: true, communication_disabled_until: null },
  ],
  [
    'moveMember',
    (c) => c.moveMember({ userId: USER, channelId: CHANNEL, guildId: ROLE }),
    `PATCH /guilds/${ROLE}/members/${USER}`,
    { channel_id: CHANNEL },
  ],
  [
    'disconnectMember',
    (c) => c.disconnectMember({ userId: USER }),
    `PATCH /guilds/${GUILD}/members/${USER}`,
    { channel_id: null },
  ],
  [
    'addGuildMemberRole',
    (c) => c.addGuildMemberRole({ userId: USER, roleId: ROLE }),
    `PUT /guilds/${GUILD}/members/${USER}/roles/${ROLE}`,
  ],
  [
    'removeGuildMemberRole',
    (c) => c.removeGuildMemberRole({ userId: USER, roleId: ROLE }),
    `DELETE /guilds/${GUILD}/members/${USER}/roles/${ROLE}`,
  ],
  ['getGuildRoles', (c) => c.getGuildRoles(), `GET /guilds/${GUILD}/roles`],
  [
    'createGuildRole',
    (c) => c.createGuildRole({ name: 'Table 1', color: 0xff0000 }),
    `POST /guilds/${GUILD}/roles`,
    { name: 'Table 1', color: 0xff0000, permissions: '0' },
  ],
  [
    'modifyGuildRole',
    (c) => c.modifyGuildRole({ roleId: ROLE, hoist: true, permissions: 8 }),
    `PATCH /guilds/${GUILD}/roles/${ROLE}`,
    { hoist: true, permissions: '8' },
  ],
  ['deleteGuildRole', (c) => c.deleteGuildRole({ roleId: ROLE }), `DELETE /guilds/${GUILD}/roles/${ROLE}`],
  [
    'createChannelInvite',
    (c) => c.createChannelInvite(CHANNEL, { maxAgeSeconds: 60, maxUses: 1, unique: true }),
    `POST /channels/${CHANNEL}/invites`,
    { max_age: 60, max_uses: 1, unique: true },
  ],
  ['getChannelInvites', (c) => c.getChannelInvites(CHANNEL), `GET /channels/${CHANNEL}/invites`],
  ['getInvite', (c) => c.getInvite('aBc-123'), 'GET /invites/aBc-123'],
  ['deleteInvite', (c) => c.deleteInvite('aBc-123'), 'DELETE /invites/aBc-123'],
  ['getGatewayBot', (c) => c.getGatewayBot(), 'GET /gateway/bot'],
  ['getCurrentUser', (c) => c.getCurrentUser(), 'GET /users/@me'],
];

describe('requests', () => {
  test.each(REQUESTS)('%s', async (_name, call, request, body) => {
    await call(rest);
    const [seen] = discord.seen;
    expect(`${seen?.method} ${seen?.url.replace('/api/v10', '')}`).toBe(request);
    expect(seen?.headers.authorization).toBe('Bot a-token');
    if (body === undefined) expect(seen?.body).toBe('');
    else expect(JSON.parse(seen?.body ?? '')).toEqual(body);
  });

  test('sendMessage pings nobody by default and carries an enforced nonce, a fresh one each time', async () => {
    await rest.sendMessage(CHANNEL, 'hello @everyone');
    await rest.sendMessage(CHANNEL, { content: 'again', replyTo: MESSAGE, allowedMentions: { parse: ['users'] } });
    const [first, second] = discord.seen.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(first).toEqual({
      content: 'hello @everyone',
      allowed_mentions: { parse: [] },
      nonce: expect.stringMatching(/^[0-9a-f]{25}$/),
      enforce_nonce: true,
    });
    expect(second).toMatchObject({
      message_reference: { message_id: MESSAGE },
      allowed_mentions: { parse: ['users'] },
    });
    expect(second?.nonce).not.toBe(first?.nonce);
  });

  test('sendMessage is retried with the same nonce', async () => {
    discord.handle = () => (discord.seen.length === 1 ? { status: 502 } : { body: { id: MESSAGE } });
    await rest.sendMessage(CHANNEL, 'once');
    const nonces = discord.seen.map(({ body }) => (JSON.parse(body) as { nonce: string }).nonce);
    expect(nonces).toHaveLength(2);
    expect(new Set(nonces).size).toBe(1);
  });

  test('OAuth2: code, refresh and revocation are forms with the application’s own authorization', async () => {
    const verifier = 'v'.repeat(43);
    await rest.exchangeCode({ ...APP, code: 'c', redirectUri: 'https://app.test/back', codeVerifier: verifier });
    await rest.refreshToken({ ...APP, refreshToken: 'r' });
    await rest.revokeToken({ ...APP, token: 't', tokenTypeHint: 'refresh_token' });
    await rest.getCurrentUser({ bearer: 'user-token' });
    expect(discord.seen.map(({ url }) => url.replace('/api/v10', ''))).toEqual([
      '/oauth2/token',
      '/oauth2/token',
      '/oauth2/token/revoke',
      '/users/@me',
    ]);
    expect(discord.seen.map(({ body }) => Object.fromEntries(new URLSearchParams(body)))).toEqual([
      { grant_type: 'authorization_code', code: 'c', redirect_uri: 'https://app.test/back', code_verifier: verifier },
      { grant_type: 'refresh_token', refresh_token: 'r' },
      { token: 't', token_type_hint: 'refresh_token' },
      {},
    ]);
    const basic = `Basic ${Buffer.from(`${APP.clientId}:${APP.clientSecret}`).toString('base64')}`;
    expect(discord.seen.map(({ headers }) => headers.authorization)).toEqual([
      basic,
      basic,
      basic,
      'Bearer user-token',
    ]);
  });

  test.each<[string, number, Call]>([
    ['deleteMessage', 10_008, (c) => c.deleteMessage(CHANNEL, MESSAGE)],
    ['deleteGuildRole', 10_011, (c) => c.deleteGuildRole({ roleId: ROLE })],
    ['deleteInvite', 10_006, (c) => c.deleteInvite('abc')],
    ['disconnectMember', 40_032, (c) => c.disconnectMember({ userId: USER })],
  ])('%s: a retry that finds the work done resolves, a first try that does rejects', async (_name, code, call) => {
    discord.handle = () =>
      discord.seen.length === 1 ? { status: 500 } : { status: 404, body: { code, message: 'gone' } };
    await call(rest);
    expect(discord.seen).toHaveLength(2);
    await expect(call(rest)).rejects.toMatchObject({ discordCode: code, attempts: 1 });
  });
});

describe('input', () => {
  const wrong: readonly [field: string, call: Call][] = [
    ['content', (c) => c.sendMessage(CHANNEL, 'x'.repeat(2_001))],
    ['must hold content', (c) => c.sendMessage(CHANNEL, '')],
    ['channelId', (c) => c.sendMessage('', 'x')],
    ['replyTo', (c) => c.sendMessage(CHANNEL, { content: 'x', replyTo: 'y' })],
    ['nonce', (c) => c.sendMessage(CHANNEL, { content: 'x', nonce: 'n'.repeat(26) })],
    ['topic', (c) => c.modifyChannel(CHANNEL, { topic: 'x'.repeat(1_025) })],
    ['unkown', (c) => c.modifyChannel(CHANNEL, { unkown: 1 } as never)],
    ['messageId', (c) => c.deleteMessage(CHANNEL, 'x')],
    ['messageIds', (c) => c.bulkDeleteMessages(CHANNEL, [MESSAGE])],
    ['messageIds[1]', (c) => c.bulkDeleteMessages(CHANNEL, [MESSAGE, 'x'])],
    ['at most one of', (c) => c.getChannelMessages(CHANNEL, { before: MESSAGE, after: MESSAGE })],
    ['limit', (c) => c.getChannelMessages(CHANNEL, { limit: 101 })],
    ['emoji', (c) => c.createReaction(CHANNEL, MESSAGE, '')],
    ['accessToken', (c) => c.addGuildMember({ userId: USER, accessToken: 'a b' })],
    ['nick', (c) => c.modifyGuildMember({ userId: USER, nick: 'x'.repeat(33) })],
    ['communicationDisabledUntil', (c) => c.modifyGuildMember({ userId: USER, communicationDisabledUntil: 'soon' })],
    ['userId', (c) => c.getGuildMember({ userId: 5 as never })],
    ['roleId', (c) => c.addGuildMemberRole({ userId: USER, roleId: '../..' })],
    ['color', (c) => c.createGuildRole({ color: 0x1000000 })],
    ['permissions', (c) => c.createGuildRole({ permissions: -1 })],
    ['maxUses', (c) => c.createChannelInvite(CHANNEL, { maxUses: 101 })],
    ['code', (c) => c.getInvite('a/b')],
    ['redirectUri', (c) => c.exchangeCode({ ...APP, code: 'c', redirectUri: 'nowhere' })],
    [
      'codeVerifier',
      (c) => c.exchangeCode({ ...APP, code: 'c', redirectUri: 'https://a.test', codeVerifier: 'short' }),
    ],
    ['files[0].data', (c) => c.sendMessage(CHANNEL, { files: [{ name: 'a', data: 5 as never }] })],
  ];

  test.each(wrong)('%s', async (field, call) => {
    const error = await call(rest).catch((thrown: unknown) => thrown);
    if (!InvalidInputError.is(error)) throw error;
    expect(error.message).toContain(field);
    expect(discord.seen).toEqual([]);
  });

  test('a secret that is refused is not printed', async () => {
    const clientSecret = 'a very secret value';
    const error = await rest
      .refreshToken({ clientId: 'x', clientSecret, refreshToken: '' })
      .catch((thrown: unknown) => thrown);
    expect(`${(error as Error).stack} ${JSON.stringify(error)}`).not.toContain(clientSecret);
  });

  test('without a guild anywhere the field is named', async () => {
    const bare = new DiscordRestClient({ token: 'a-token', apiBase: discord.apiBase });
    await expect(bare.getGuildRoles()).rejects.toThrow(/guildId/);
    await bare.close();
  });
});
