/** What goes over the wire, seen by a real server on loopback. */
import { inspect } from 'node:util';
import { DiscordApiError, DiscordRestClient, DiscordRestError, InvalidInputError } from '@guildkit/rest';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeDiscord, type FakeDiscord } from '../support/fake-discord.js';

const TOKEN = 'secret.bot.token';
const GUILD = '100000000000000001';
const CHANNEL = '100000000000000002';

let discord: FakeDiscord;
let rest: DiscordRestClient;

beforeEach(async () => {
  discord = await createFakeDiscord();
  rest = new DiscordRestClient({ token: TOKEN, apiBase: discord.apiBase, guildId: GUILD });
});
afterEach(async () => {
  await rest.close();
  await discord[Symbol.asyncDispose]();
});

describe('requests', () => {
  test('createVoiceChannel sends JSON, token, user agent and an encoded reason', async () => {
    discord.handle = () => ({ status: 201, body: { id: CHANNEL, type: 2 } });
    const channel = await rest.createVoiceChannel(
      {
        name: 'Table 1',
        userLimit: 4,
        parentId: CHANNEL,
        permissionOverwrites: [{ id: GUILD, type: 'role', deny: 1n << 20n }],
      },
      { reason: 'ein Spiel für\nzwei 🎲' },
    );
    expect(channel.id).toBe(CHANNEL);
    const [seen] = discord.seen;
    expect(seen).toMatchObject({ method: 'POST', url: `/api/v10/guilds/${GUILD}/channels` });
    expect(JSON.parse(seen?.body ?? '')).toEqual({
      type: 2,
      name: 'Table 1',
      user_limit: 4,
      parent_id: CHANNEL,
      permission_overwrites: [{ id: GUILD, type: 0, deny: '1048576' }],
    });
    expect(seen?.headers.authorization).toBe(`Bot ${TOKEN}`);
    expect(seen?.headers['content-type']).toBe('application/json');
    expect(seen?.headers['user-agent']).toMatch(
      /^DiscordBot \(https:\/\/github\.com\/guildkit\/guildkit, \S+\) guildkit\/\S+$/,
    );
    expect(seen?.headers['x-audit-log-reason']).toBe(encodeURIComponent('ein Spiel für\nzwei 🎲'));
  });

  test.each(['post', 'GE T', undefined])('%j is no method: nothing is sent', async (method) => {
    const refused = rest.request(method as never, `/channels/${CHANNEL}/messages`, { body: { content: 'x' } });
    await expect(refused).rejects.toMatchObject({ code: 'ERR_REST_INPUT_INVALID', issues: [{ path: 'method' }] });
    expect(discord.seen).toEqual([]);
  });

  test('a client that is printed whole does not show its token', async () => {
    await rest.getChannels();
    expect(inspect(rest, { depth: Number.POSITIVE_INFINITY, showHidden: true })).not.toContain(TOKEN);
  });

  test('what a request was trusted with is not in its error when the answer echoes it', async () => {
    discord.handle = ({ headers, body }) => ({
      status: 400,
      body: {
        code: 1,
        message: `no ${headers.authorization} ${body}`,
        errors: { a: { _errors: [{ message: body }] } },
      },
    });
    const app = { clientId: '1', clientSecret: 'client-secret' };
    const requests = [
      rest.getCurrentUser({ bearer: 'bearer-secret' }),
      rest.exchangeCode({ ...app, code: 'code-secret', redirectUri: 'http://x/', codeVerifier: 'a-secret'.repeat(6) }),
      rest.refreshToken({ ...app, refreshToken: 'refresh-secret' }),
      rest.revokeToken({ ...app, token: 'revoked-secret' }),
      rest.addGuildMember({ userId: CHANNEL, accessToken: 'access-secret' }),
    ];
    for (const error of await Promise.all(requests.map((request) => request.catch((caught: unknown) => caught)))) {
      expect(DiscordApiError.is(error)).toBe(true);
      const printed = inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true });
      expect(printed).toContain('[redacted]');
      expect(printed).not.toContain('-secret');
    }
  });

  test('an option that lacks what will be called is refused before anything is', () => {
    const make = (options: object) => () => new DiscordRestClient(options as never);
    expect(make({ logger: {} })).toThrow(/"logger" must have the methods debug, info, warn, error/);
    expect(make({ clock: null })).toThrow(/"clock" must have the methods now/);
    expect(make({ token: {} })).toThrow(/"token" must be/);
    expect(make({ userAgent: { url: 'https://x' } })).toThrow(/"userAgent" must be/);
    expect(make({ apiBase: 'http://%' })).toThrow(/"apiBase" must be an http or https URL/);
  });

  test('createVoiceChannel takes name, parent and limit as well', async () => {
    await rest.createVoiceChannel('Table 2', CHANNEL, 3);
    expect(JSON.parse(discord.seen[0]?.body ?? '')).toEqual({
      type: 2,
      name: 'Table 2',
      parent_id: CHANNEL,
      user_limit: 3,
    });
  });

  test('getChannels and deleteChannel', async () => {
    discord.handle = ({ method }) => ({ body: method === 'GET' ? [{ id: CHANNEL }] : { id: CHANNEL } });
    expect(await rest.getChannels()).toEqual([{ id: CHANNEL }]);
    await rest.deleteChannel(CHANNEL, { reason: 'over' });
    expect(discord.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `GET /api/v10/guilds/${GUILD}/channels`,
      `DELETE /api/v10/channels/${CHANNEL}`,
    ]);
    expect(discord.seen[1]?.headers['content-type']).toBeUndefined();
  });

  test('query values are encoded, undefined ones left out, arrays repeated', async () => {
    await rest.request('GET', '/guilds/1/members', { query: { limit: 5, after: undefined, q: 'a&b', id: ['1', '2'] } });
    expect(discord.seen[0]?.url).toBe('/api/v10/guilds/1/members?limit=5&q=a%26b&id=1&id=2');
  });
});

describe('answers', () => {
  test('204 resolves with undefined', async () => {
    discord.handle = () => ({ status: 204 });
    expect(await rest.request('PUT', `/channels/${CHANNEL}/pins/1`)).toBeUndefined();
  });

  test('an error body becomes a DiscordApiError with flattened fields and no secret', async () => {
    discord.handle = () => ({
      status: 400,
      headers: { 'cf-ray': '8abc-FRA' },
      body: {
        code: 50035,
        message: `Invalid Form Body ${TOKEN}`,
        errors: {
          embeds: { 0: { title: { _errors: [{ code: 'BASE_TYPE_MAX_LENGTH', message: 'Must be 256 or fewer' }] } } },
        },
      },
    });
    const error = await rest
      .request('POST', `/webhooks/${CHANNEL}/hook-secret-token?wait=true`)
      .catch((e: unknown) => e);
    if (!DiscordApiError.is(error)) throw error;
    expect(error).toMatchObject({
      code: 'ERR_REST_REQUEST_REFUSED',
      status: 400,
      discordCode: 50035,
      method: 'POST',
      route: '/webhooks/:id/:token',
      requestId: '8abc-FRA',
      attempts: 1,
      retryable: false,
      fields: [{ path: 'embeds[0].title', code: 'BASE_TYPE_MAX_LENGTH', message: 'Must be 256 or fewer' }],
    });
    expect(DiscordRestError.is(error)).toBe(true);
    expect(JSON.stringify({ ...error, message: error.message, stack: error.stack })).not.toMatch(
      /hook-secret|secret\.bot/,
    );
  });

  test('401 keeps the token: the next request sends it again', async () => {
    discord.handle = () => ({ status: 401, body: { message: '401: Unauthorized', code: 0 } });
    for (let n = 0; n < 2; n += 1) {
      await expect(rest.getChannels()).rejects.toMatchObject({ code: 'ERR_REST_TOKEN_REFUSED', status: 401 });
    }
    expect(discord.seen.map(({ headers }) => headers.authorization)).toEqual([`Bot ${TOKEN}`, `Bot ${TOKEN}`]);
  });

  test('a 200 that is not JSON is a typed error', async () => {
    discord.handle = () => ({ body: '<html>captive portal</html>' });
    await expect(rest.getChannels()).rejects.toMatchObject({ code: 'ERR_REST_RESPONSE_MALFORMED' });
  });
});

describe('input', () => {
  test.each([
    ['name', () => rest.createVoiceChannel({ name: 'x'.repeat(101) })],
    ['userLimit', () => rest.createVoiceChannel({ name: 'x', userLimit: 100 })],
    ['guildId', () => rest.createVoiceChannel({ name: 'x', guildId: 'nope' })],
    [
      'permissionOverwrites[0].id',
      () => rest.createVoiceChannel({ name: 'x', permissionOverwrites: [{ id: '', type: 'role' }] }),
    ],
    ['colour', () => rest.createVoiceChannel({ name: 'x', colour: 1 } as never)],
    ['channelId', () => rest.deleteChannel('../guilds/1')],
    ['route', () => rest.request('GET', '/channels/../guilds/1')],
    ['route', () => rest.request('GET', 'https://elsewhere.test/')],
    ['reason', () => rest.deleteChannel(CHANNEL, { reason: 'x'.repeat(513) })],
    ['auth.bearer', () => rest.request('GET', '/users/@me', { auth: { bearer: 'a\r\nx-more: 1' } })],
  ])('a wrong %s is refused before anything is sent', async (field, call) => {
    const error = await call().catch((e: unknown) => e);
    if (!InvalidInputError.is(error)) throw error;
    expect(error.message).toContain(field);
    expect(discord.seen).toEqual([]);
  });

  test('an unknown option of a call is named', async () => {
    await expect(rest.getChannels(GUILD, { retries: 1 } as never)).rejects.toThrow(/unknown option "retries"/);
  });

  test('unknown and out-of-range options of the client are named', () => {
    expect(() => new DiscordRestClient({ tokn: 'x' } as never)).toThrow(/unknown option "tokn"/);
    expect(() => new DiscordRestClient({ maxRetries: -1 })).toThrow(/"maxRetries" must be/);
    expect(() => new DiscordRestClient({ token: 'Bot abc' })).toThrow(/without the word/);
  });

  test('without a token nothing is sent', async () => {
    const bare = new DiscordRestClient({ apiBase: discord.apiBase });
    await expect(bare.getChannels(GUILD)).rejects.toMatchObject({ code: 'ERR_REST_TOKEN_MISSING' });
    await bare.close();
    expect(discord.seen).toEqual([]);
  });
});
