import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { call } from '../support/gateway-client.js';

describe('reading', () => {
  test('what clients ask for at login', async () => {
    await using sandbox = await createSandbox({ shards: 3 });
    expect((await call(sandbox, 'GET', '/gateway', { token: null })).body).toEqual({ url: sandbox.gatewayUrl });
    expect((await call(sandbox, 'GET', '/gateway/bot')).body).toEqual({
      url: sandbox.gatewayUrl,
      shards: 3,
      session_start_limit: { total: 1000, remaining: 1000, reset_after: 0, max_concurrency: 1 },
    });
    const me = (await call(sandbox, 'GET', '/users/@me')).body;
    expect(me).toMatchObject({ bot: true, username: 'sandbox-bot', discriminator: '0000', email: null });
    expect((await call(sandbox, 'GET', '/applications/@me')).body).toMatchObject({ id: me.id, bot: { id: me.id } });
    expect((await call(sandbox, 'GET', '/oauth2/applications/@me')).body).toMatchObject({ id: me.id });
    expect((await call(sandbox, 'GET', '/users/@me/guilds')).body).toMatchObject([
      { id: sandbox.guildId, owner: false },
    ]);
    expect((await call(sandbox, 'GET', `/users/${me.id}`)).body.id).toBe(me.id);
    expect((await call(sandbox, 'GET', '/voice/regions')).body[0]).toMatchObject({ optimal: true });
  });

  test('a guild, its members, roles and voice states', async () => {
    await using sandbox = await createSandbox();
    const guild = `/guilds/${sandbox.guildId}`;
    const anna = await sandbox.people.create({ name: 'anna', nick: 'Annie' });
    await anna.joinVoice(sandbox.voiceChannelId);
    expect((await call(sandbox, 'GET', guild)).body).toMatchObject({
      name: 'Sandbox',
      system_channel_id: sandbox.textChannelId,
    });
    expect((await call(sandbox, 'GET', guild)).body.approximate_member_count).toBeUndefined();
    expect((await call(sandbox, 'GET', `${guild}?with_counts=true`)).body.approximate_member_count).toBe(3);
    expect((await call(sandbox, 'GET', `${guild}/members/${anna.id}`)).body).toMatchObject({
      nick: 'Annie',
      user: { username: 'anna' },
    });
    const pages: string[] = [];
    for (let after = '0'; ; ) {
      const page = (await call(sandbox, 'GET', `${guild}/members?limit=2&after=${after}`)).body;
      if (page.length === 0) break;
      for (const { user } of page) pages.push(user.username);
      after = page.at(-1).user.id;
    }
    expect(pages).toEqual(['owner', 'sandbox-bot', 'anna']);
    expect((await call(sandbox, 'GET', `${guild}/roles`)).body.map((role: { name: string }) => role.name)).toEqual([
      '@everyone',
      'sandbox-bot',
    ]);
    expect((await call(sandbox, 'GET', `${guild}/voice-states/${anna.id}`)).body).toMatchObject({
      channel_id: sandbox.voiceChannelId,
    });
    expect((await call(sandbox, 'GET', `${guild}/voice-states/@me`)).body).toEqual({
      message: 'Unknown Voice State',
      code: 10065,
    });
    expect((await call(sandbox, 'GET', `${guild}/regions`)).status).toBe(200);
  });

  test('API version 9, and none, are taken; others are not', async () => {
    await using sandbox = await createSandbox();
    const at = async (base: string) => {
      const origin = sandbox.connection.apiBase.replace('/api/v10', '');
      const response = await fetch(`${origin}${base}/gateway`);
      return [response.status, ((await response.json()) as { code?: number }).code];
    };
    expect(await at('/api/v9')).toEqual([200, undefined]);
    expect(await at('/api')).toEqual([200, undefined]);
    expect(await at('/api/v8')).toEqual([400, 50041]);
    expect(await at('/other')).toEqual([404, 0]);
  });
});

describe('channels', () => {
  const create = (sandbox: Sandbox, body: unknown) =>
    call(sandbox, 'POST', `/guilds/${sandbox.guildId}/channels`, { body });

  test('are created, changed, listed and deleted', async () => {
    await using sandbox = await createSandbox();
    const category = (await create(sandbox, { name: 'Tables', type: 4 })).body;
    const made = await create(sandbox, {
      name: 'Table 1',
      type: 2,
      user_limit: '4',
      parent_id: category.id,
      permission_overwrites: [{ id: sandbox.guildId, type: 0, deny: '1024' }],
    });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      id: expect.stringMatching(/^\d+$/),
      type: 2,
      guild_id: sandbox.guildId,
      name: 'Table 1',
      position: 1,
      parent_id: category.id,
      permission_overwrites: [{ id: sandbox.guildId, type: 0, allow: '0', deny: '1024' }],
      flags: 0,
      nsfw: false,
      rate_limit_per_user: 0,
      last_message_id: null,
      bitrate: 64_000,
      user_limit: 4,
      rtc_region: null,
      video_quality_mode: 1,
    });
    const path = `/channels/${made.body.id}`;
    const changed = await call(sandbox, 'PATCH', path, { body: { name: 'Table one', user_limit: 2, parent_id: null } });
    expect(changed.body).toMatchObject({ name: 'Table one', user_limit: 2, parent_id: null, bitrate: 64_000 });
    expect((await call(sandbox, 'GET', path)).body).toEqual(changed.body);
    const text = await create(sandbox, { name: 'Some Talk' });
    expect(text.body).toMatchObject({ type: 0, name: 'some-talk', topic: null });
    const names = (await call(sandbox, 'GET', `/guilds/${sandbox.guildId}/channels`)).body.map(
      ({ name }: { name: string }) => name,
    );
    expect(names).toEqual(['general', 'General', 'Tables', 'Table one', 'some-talk']);
    expect((await call(sandbox, 'DELETE', path)).body).toEqual(changed.body);
    expect(await call(sandbox, 'GET', path)).toMatchObject({
      status: 404,
      body: { message: 'Unknown Channel', code: 10003 },
    });
  });

  test('the audit-log reason is taken note of', async () => {
    await using sandbox = await createSandbox();
    await call(sandbox, 'DELETE', `/channels/${sandbox.textChannelId}`, {
      headers: { 'x-audit-log-reason': 'sp%C3%A4t' },
    });
    expect(sandbox.traffic.recent.at(-1)).toMatchObject({
      kind: 'rest',
      what: expect.stringContaining('DELETE'),
      detail: { reason: 'spät' },
    });
    expect(sandbox.channels.list()).toHaveLength(1);
  });

  test.each<[string, unknown, Record<string, unknown>]>([
    [
      'no name',
      { type: 2 },
      { name: { _errors: [{ code: 'BASE_TYPE_REQUIRED', message: 'This field is required' }] } },
    ],
    [
      'a name too long',
      { name: 'x'.repeat(101) },
      { name: { _errors: [{ code: 'BASE_TYPE_BAD_LENGTH', message: 'Must be between 1 and 100 in length.' }] } },
    ],
    [
      'a name that is no text',
      { name: { a: 1 } },
      { name: { _errors: [{ code: 'STRING_TYPE_CONVERT', message: 'Could not interpret "{"a":1}" as string.' }] } },
    ],
    [
      'an unknown type',
      { name: 'x', type: 77 },
      { type: { _errors: [{ code: 'BASE_TYPE_CHOICES', message: 'Value must be one of {0, 2, 4, 5, 13}.' }] } },
    ],
    [
      'too many users',
      { name: 'x', type: 2, user_limit: 100 },
      {
        user_limit: {
          _errors: [{ code: 'NUMBER_TYPE_MAX', message: 'int value should be less than or equal to 99.' }],
        },
      },
    ],
    [
      'a limit that is no number',
      { name: 'x', user_limit: 'many' },
      { user_limit: { _errors: [{ code: 'NUMBER_TYPE_COERCE', message: 'Value "many" is not int.' }] } },
    ],
    [
      'a bitrate too low',
      { name: 'x', bitrate: 1 },
      {
        bitrate: {
          _errors: [{ code: 'NUMBER_TYPE_MIN', message: 'int value should be greater than or equal to 8000.' }],
        },
      },
    ],
    [
      'a parent that is not there',
      { name: 'x', parent_id: '1' },
      { parent_id: { _errors: [{ code: 'CHANNEL_PARENT_INVALID', message: 'Category does not exist' }] } },
    ],
    [
      'a field inside a list',
      {
        name: 'x',
        permission_overwrites: [
          { id: '1', type: 0 },
          { id: 'me', type: 5 },
        ],
      },
      {
        permission_overwrites: {
          1: {
            id: { _errors: [{ code: 'NUMBER_TYPE_COERCE', message: 'Value "me" is not snowflake.' }] },
            type: { _errors: [{ code: 'BASE_TYPE_CHOICES', message: 'Value must be one of {0, 1}.' }] },
          },
        },
      },
    ],
    [
      'a list that is none',
      { name: 'x', permission_overwrites: 1 },
      {
        permission_overwrites: {
          _errors: [{ code: 'LIST_TYPE_CONVERT', message: 'Only iterables may be used in a ListType' }],
        },
      },
    ],
    [
      'a body that is no object',
      [],
      { _errors: [{ code: 'DICT_TYPE_CONVERT', message: 'Only dictionaries may be used in a DictType' }] },
    ],
    [
      'a region that is not offered',
      { name: 'x', rtc_region: 'moon' },
      {
        rtc_region: {
          _errors: [{ code: 'BASE_TYPE_CHOICES', message: "Value must be one of {'rotterdam', 'us-east'}." }],
        },
      },
    ],
  ])('%s: 50035 with the field', async (_name, body, errors) => {
    await using sandbox = await createSandbox();
    expect(await create(sandbox, body)).toMatchObject({
      status: 400,
      body: { message: 'Invalid Form Body', code: 50035, errors },
    });
  });

  test('a guild holds 500 channels, a category 50', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const category = await sandbox.channels.create({ name: 'c', kind: 'category' });
    for (let n = 0; n < 50; n += 1) await sandbox.channels.create({ name: `v${n}`, parentId: category.id });
    expect((await create(sandbox, { name: 'x', parent_id: category.id })).body.errors.parent_id._errors[0].code).toBe(
      'CHANNEL_PARENT_MAX_CHANNELS',
    );
    while (sandbox.channels.list().length < 500) await sandbox.channels.create({ name: 'v' });
    expect((await create(sandbox, { name: 'x' })).body).toMatchObject({ code: 30013 });
  });
});

describe('refusals', () => {
  test.each([
    ['no token', 'GET', '/users/@me', { token: null }, 401, 0, '401: Unauthorized'],
    ['a wrong token', 'GET', '/users/@me', { token: 'x' }, 401, 0, '401: Unauthorized'],
    ['an unknown route', 'GET', '/nothing', {}, 404, 0, '404: Not Found'],
    ['a wrong method', 'PUT', '/gateway', {}, 405, 0, '405: Method Not Allowed'],
    ['an unknown guild', 'GET', '/guilds/1', {}, 404, 10004, 'Unknown Guild'],
    ['an unknown user', 'GET', '/users/1', {}, 404, 10013, 'Unknown User'],
    ['an id that is none', 'GET', '/channels/abc', {}, 400, 50035, 'Invalid Form Body'],
    [
      'malformed JSON',
      'PATCH',
      '/channels/CHANNEL',
      { text: '{"name":' },
      400,
      50109,
      'The request body contains invalid JSON.',
    ],
    [
      'another content type',
      'PATCH',
      '/channels/CHANNEL',
      { text: 'a=1', headers: { 'content-type': 'text/plain' } },
      400,
      50035,
      `Expected "Content-Type" header to be one of {'application/json'}.`,
    ],
  ] as const)('%s', async (_name, method, path, init, status, code, message) => {
    await using sandbox = await createSandbox();
    const answer = await call(sandbox, method, path.replace('CHANNEL', sandbox.textChannelId), init);
    expect(answer).toMatchObject({ status, body: { code, message } });
  });

  test('a body over 1 MiB', async () => {
    await using sandbox = await createSandbox();
    const text = JSON.stringify({ name: 'x'.repeat(1024 * 1024) });
    const answer = await call(sandbox, 'PATCH', `/channels/${sandbox.textChannelId}`, { text });
    expect(answer).toMatchObject({ status: 413, body: { code: 40005 } });
  });
});

describe('rate limits', () => {
  test('a bucket empties, answers 429 and fills again', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock });
    const get = () => call(sandbox, 'GET', '/gateway/bot');
    const answers = [];
    for (let n = 0; n < 6; n += 1) answers.push(await get());
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429]);
    expect(answers.map(({ headers }) => headers.get('x-ratelimit-remaining'))).toEqual(['4', '3', '2', '1', '0', '0']);
    const [first] = answers;
    expect(first?.headers.get('x-ratelimit-limit')).toBe('5');
    expect(first?.headers.get('x-ratelimit-reset-after')).toBe('1.000');
    expect(first?.headers.get('x-ratelimit-reset')).toBe((Date.UTC(2026, 0, 1) / 1000 + 1).toFixed(3));
    expect(first?.headers.get('x-ratelimit-bucket')).toMatch(/^[0-9a-f]{32}$/);
    const last = answers.at(-1);
    expect(last?.headers.get('retry-after')).toBe('1');
    expect(last?.headers.get('x-ratelimit-scope')).toBe('user');
    expect(last?.body).toEqual({ message: 'You are being rate limited.', retry_after: 1, global: false });
    await clock.advance(1000);
    expect((await get()).status).toBe(200);
    expect(sandbox.traffic.counters.restRateLimited).toBe(1);
  });

  test('buckets are apart by channel', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: 0.1 });
    const get = (id: string) => call(sandbox, 'GET', `/channels/${id}`);
    for (let n = 0; n < 3; n += 1) expect((await get(sandbox.textChannelId)).status).toBe(200);
    expect((await get(sandbox.textChannelId)).status).toBe(429);
    expect((await get(sandbox.voiceChannelId)).status).toBe(200);
  });

  test('51 requests in a second meet the global limit', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock });
    const ids = [];
    for (let n = 0; n < 51; n += 1) ids.push((await sandbox.channels.create({ name: `v${n}` })).id);
    const answers = await Promise.all(ids.map((id) => call(sandbox, 'GET', `/channels/${id}`)));
    const limited = answers.filter(({ status }) => status === 429);
    expect(limited).toHaveLength(1);
    expect(limited[0]?.body).toMatchObject({ global: true, retry_after: 1 });
    expect(limited[0]?.headers.get('x-ratelimit-global')).toBe('true');
    expect(limited[0]?.headers.get('x-ratelimit-scope')).toBe('global');
    expect(limited[0]?.headers.get('x-ratelimit-bucket')).toBeNull();
  });

  test('false switches them off, headers too', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const answers = await Promise.all(Array.from({ length: 60 }, () => call(sandbox, 'GET', '/gateway/bot')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers[0]?.headers.get('x-ratelimit-limit')).toBeNull();
  });
});

describe('limits inside limits', () => {
  const LATER = 600_000;

  test('a channel is renamed twice in ten minutes, and otherwise changed as the bucket says', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock });
    const path = `/channels/${sandbox.voiceChannelId}`;
    const patch = (body: unknown) => call(sandbox, 'PATCH', path, { body });
    const answers = [await patch({ name: 'a' }), await patch({ name: 'b' }), await patch({ name: 'c' })];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    const refused = answers[2];
    expect(refused?.body).toEqual({ message: 'You are being rate limited.', retry_after: 600, global: false });
    expect(refused?.headers.get('retry-after')).toBe('600');
    expect(refused?.headers.get('x-ratelimit-scope')).toBe('user');
    // As Discord: the bucket itself says that there is room.
    expect(Number(refused?.headers.get('x-ratelimit-remaining'))).toBeGreaterThan(0);
    expect((await patch({ user_limit: 4 })).status).toBe(200);
    await clock.advance(LATER);
    expect((await patch({ name: 'c' })).status).toBe(200);
  });

  test('reactions share one bucket: one in 250 ms', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock });
    const anna = await sandbox.people.create({ name: 'anna' });
    const { id } = await anna.send(sandbox.textChannelId, 'x');
    const path = `/channels/${sandbox.textChannelId}/messages/${id}/reactions/${encodeURIComponent('👍')}/@me`;
    const [put, remove] = [await call(sandbox, 'PUT', path), await call(sandbox, 'DELETE', path)];
    expect([put.status, remove.status]).toEqual([204, 429]);
    expect(put.headers.get('x-ratelimit-bucket')).toBe(remove.headers.get('x-ratelimit-bucket'));
    expect(remove.body.retry_after).toBe(0.25);
    expect(remove.headers.get('retry-after')).toBe('1');
    await clock.advance(250);
    expect((await call(sandbox, 'DELETE', path)).status).toBe(204);
  });

  test('deleting a message is counted by its age', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock });
    const anna = await sandbox.people.create({ name: 'anna' });
    const buckets: (string | null)[] = [];
    const send = async () => (await anna.send(sandbox.textChannelId, 'x')).id;
    const [old, middle] = [await send(), await send()];
    const remove = async (id: string) => {
      const answer = await call(sandbox, 'DELETE', `/channels/${sandbox.textChannelId}/messages/${id}`);
      expect(answer.status).toBe(204);
      buckets.push(answer.headers.get('x-ratelimit-bucket'));
    };
    await clock.advance(10_000);
    await remove(middle);
    await clock.advance(15 * 86_400_000);
    await remove(old);
    await remove(await send());
    expect(new Set(buckets).size).toBe(3);
  });

  test('a channel that all bots fill together is of scope shared', async () => {
    const clock = createVirtualClock();
    // A tenth: five messages in ten seconds of all bots together.
    await using sandbox = await createSandbox({ clock, rateLimits: 0.1 });
    const bots = await Promise.all(Array.from({ length: 6 }, () => sandbox.bots.create()));
    const answers = [];
    for (const { token } of bots) {
      const body = { content: 'x' };
      answers.push(await call(sandbox, 'POST', `/channels/${sandbox.textChannelId}/messages`, { token, body }));
    }
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429]);
    expect(answers[5]?.headers.get('x-ratelimit-scope')).toBe('shared');
    expect(answers[5]?.body).toMatchObject({ global: false, retry_after: 10 });
  });

  test('an OAuth2 token and a bot are counted apart', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: 0.1 });
    const anna = await sandbox.people.create({ name: 'anna' });
    const { accessToken } = sandbox.oauth.tokensFor(anna);
    const init = { token: null, headers: { authorization: `Bearer ${accessToken}` } };
    for (let n = 0; n < 3; n += 1) expect((await call(sandbox, 'GET', '/users/@me')).status).toBe(200);
    expect((await call(sandbox, 'GET', '/users/@me')).status).toBe(429);
    expect((await call(sandbox, 'GET', '/users/@me', init)).status).toBe(200);
  });
});

describe('too many invalid requests', () => {
  const raw = async (sandbox: Sandbox) => {
    const response = await fetch(`${sandbox.connection.apiBase}/users/@me`, { headers: { authorization: 'Bot x' } });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };

  test('end in a ban by page: no JSON, no limit headers, for what is left of ten minutes', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: 0.001 });
    for (let n = 0; n < 10; n += 1) expect((await raw(sandbox)).status).toBe(401);
    await clock.advance(60_000);
    const banned = await raw(sandbox);
    expect(banned.status).toBe(429);
    expect(banned.headers.get('content-type')).toContain('text/html');
    expect(banned.headers.get('retry-after')).toBe('540');
    expect(banned.headers.get('x-ratelimit-bucket')).toBeNull();
    expect(banned.headers.get('via')).toBeNull();
    expect(banned.text).toContain('1015');
    const fine = await fetch(`${sandbox.connection.apiBase}/gateway`);
    expect(fine.status).toBe(429);
    await clock.advance(540_000);
    expect((await raw(sandbox)).status).toBe(401);
  });

  test('404 is not one of them', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: 0.001 });
    for (let n = 0; n < 12; n += 1) {
      await clock.advance(60_000);
      expect((await call(sandbox, 'GET', `/users/${n + 1}`)).status).toBe(404);
    }
  });
});
