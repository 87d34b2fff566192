import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { call, RawClient } from '../support/gateway-client.js';

const CHAT = 1 | 512 | 1024 | 2048 | 4096 | 32_768;
const DAY_MS = 86_400_000;

const at = (sandbox: Sandbox, rest = ''): string => `/channels/${sandbox.textChannelId}/messages${rest}`;
const say = (sandbox: Sandbox, body: unknown, init = {}) => call(sandbox, 'POST', at(sandbox), { body, ...init });

describe('a message', () => {
  test('is sent, read, edited and deleted, and each is dispatched', async () => {
    await using sandbox = await createSandbox();
    const client = await RawClient.identified(sandbox, { intents: CHAT });
    const sent = await say(sandbox, { content: ' hello ', nonce: 'n1', tts: true });
    expect(sent.status).toBe(200);
    expect(sent.body).toMatchObject({
      channel_id: sandbox.textChannelId,
      content: 'hello',
      nonce: 'n1',
      tts: true,
      type: 0,
      edited_timestamp: null,
      mentions: [],
      attachments: [],
      author: { username: 'sandbox-bot', bot: true },
    });
    expect(sent.body.timestamp).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/);
    const path = at(sandbox, `/${sent.body.id}`);
    expect((await call(sandbox, 'GET', path)).body).toEqual(sent.body);
    const edited = await call(sandbox, 'PATCH', path, { body: { content: 'bye' } });
    expect(edited.body).toMatchObject({ id: sent.body.id, content: 'bye', edited_timestamp: expect.any(String) });
    expect((await call(sandbox, 'GET', `/channels/${sandbox.textChannelId}`)).body.last_message_id).toBe(sent.body.id);
    const deleted = await call(sandbox, 'DELETE', path);
    expect(deleted).toMatchObject({ status: 204, body: undefined });
    // Clients parse whatever calls itself JSON.
    expect([deleted.headers.get('content-type'), deleted.headers.get('content-length')]).toEqual([null, null]);
    expect((await call(sandbox, 'GET', path)).body).toEqual({ message: 'Unknown Message', code: 10_008 });
    await client.settled();
    const seen = client.frames.filter(({ t }) => t?.startsWith('MESSAGE_') === true);
    expect(seen.map(({ t, d }) => [t, d.guild_id, d.content])).toEqual([
      ['MESSAGE_CREATE', sandbox.guildId, 'hello'],
      ['MESSAGE_UPDATE', sandbox.guildId, 'bye'],
      ['MESSAGE_DELETE', sandbox.guildId, undefined],
    ]);
    expect(seen[0]?.d.member).toMatchObject({ roles: [expect.any(String)] });
    expect(seen[0]?.d.member.user).toBeUndefined();
  });

  test('answers another, which rides along one level deep', async () => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const first = await anna.send(sandbox.textChannelId, 'first');
    const second = (await say(sandbox, { content: 'second', message_reference: { message_id: first.id } })).body;
    expect(second).toMatchObject({
      type: 19,
      mentions: [{ id: anna.id }],
      message_reference: { message_id: first.id, channel_id: sandbox.textChannelId, guild_id: sandbox.guildId },
      referenced_message: { content: 'first' },
    });
    const third = (
      await say(sandbox, {
        content: 'third',
        message_reference: { message_id: second.id },
        allowed_mentions: { parse: [] },
      })
    ).body;
    expect(third.mentions).toEqual([]);
    expect(third.referenced_message.referenced_message).toBeUndefined();
    await call(sandbox, 'DELETE', at(sandbox, `/${second.id}`));
    expect((await call(sandbox, 'GET', at(sandbox, `/${third.id}`))).body.referenced_message).toBeNull();
    const lost = await say(sandbox, { content: 'x', message_reference: { message_id: '1' } });
    expect(lost.body.errors).toEqual({
      message_reference: { _errors: [{ code: 'REPLIES_UNKNOWN_MESSAGE', message: 'Unknown message' }] },
    });
    const anyway = { content: 'x', message_reference: { message_id: '1', fail_if_not_exists: false } };
    expect((await say(sandbox, anyway)).body.type).toBe(0);
  });

  test('carries embeds and files, whose bytes can be fetched', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const form = new FormData();
    form.append(
      'payload_json',
      JSON.stringify({
        content: '',
        embeds: [{ title: 'T', fields: [{ name: 'a', value: 'b' }] }],
        attachments: [{ id: 1, description: 'second file' }],
      }),
    );
    form.append('files[0]', new Blob(['\r\n--not a boundary\r\n'], { type: 'text/plain' }), 'a file.txt');
    form.append('files[1]', new Blob([new Uint8Array([0, 255, 13, 10, 45, 45])], { type: 'image/png' }), '../x.png');
    const { body } = await call(sandbox, 'POST', at(sandbox), { form });
    expect(body.embeds).toEqual([{ type: 'rich', title: 'T', fields: [{ name: 'a', value: 'b', inline: false }] }]);
    expect(body.attachments).toMatchObject([
      { filename: 'a_file.txt', size: 20, content_type: 'text/plain' },
      { filename: 'x.png', size: 6, content_type: 'image/png', description: 'second file' },
    ]);
    const [text, image] = await Promise.all(body.attachments.map(({ url }: { url: string }) => fetch(url)));
    expect(await text.text()).toBe('\r\n--not a boundary\r\n');
    expect(text.headers.get('content-disposition')).toBe('attachment');
    expect([...new Uint8Array(await image.arrayBuffer())]).toEqual([0, 255, 13, 10, 45, 45]);
    expect(image.headers.get('content-type')).toBe('image/png');

    const kept = { content: 'one left', attachments: [{ id: body.attachments[0].id }] };
    const edited = await call(sandbox, 'PATCH', at(sandbox, `/${body.id}`), { body: kept });
    expect(edited.body.attachments).toEqual([body.attachments[0]]);
  });

  test('a nonce makes one message when that is enforced, per author, for a while', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: false });
    const other = await sandbox.bots.create();
    const body = { content: 'x', nonce: 7, enforce_nonce: true };
    const first = (await say(sandbox, body)).body;
    expect((await say(sandbox, { ...body, content: 'y' })).body).toEqual(first);
    expect((await say(sandbox, { ...body, nonce: '7' })).body.id).toBe(first.id);
    expect((await say(sandbox, { ...body, enforce_nonce: false })).body.id).not.toBe(first.id);
    expect((await say(sandbox, body, { token: other.token })).body.id).not.toBe(first.id);
    await clock.advance(300_001);
    expect((await say(sandbox, body)).body.id).not.toBe(first.id);
    expect(sandbox.channels.messages(sandbox.textChannelId)).toHaveLength(4);
  });

  test.each<[string, unknown, unknown]>([
    ['all is mentioned', undefined, [['ANNA'], ['ROLE'], true]],
    ['nothing', { parse: [] }, [[], [], false]],
    ['users alone', { parse: ['users'] }, [['ANNA'], [], false]],
    ['a named user', { users: ['ANNA'] }, [['ANNA'], [], false]],
    ['another user', { users: ['1'] }, [[], [], false]],
    ['roles and everyone', { parse: ['roles', 'everyone'] }, [[], ['ROLE'], true]],
  ])('allowed_mentions: %s', async (_name, allowed, expected) => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const bela = await sandbox.people.create({ name: 'bela', permissions: [] });
    const fill = (value: unknown) =>
      value === undefined
        ? undefined
        : JSON.parse(
            JSON.stringify(value)
              .replaceAll('ANNA', anna.id)
              .replaceAll('ROLE', bela.roles[0] ?? ''),
          );
    const content = `<@${anna.id}> <@!${anna.id}> <@&${bela.roles[0]}> <@1> @everyone`;
    const { body } = await say(sandbox, { content, allowed_mentions: fill(allowed) });
    const seen = [body.mentions.map(({ id }: { id: string }) => id), body.mention_roles, body.mention_everyone];
    expect(seen).toEqual(fill(expected));
  });
});

describe('refused', () => {
  test.each<[string, unknown, number, unknown]>([
    ['nothing in it', {}, 50_006, undefined],
    ['blanks', { content: '  \n ' }, 50_006, undefined],
    [
      '2,001 characters',
      { content: 'x'.repeat(2001) },
      50_035,
      { content: { _errors: [{ code: 'BASE_TYPE_MAX_LENGTH', message: 'Must be 2000 or fewer in length.' }] } },
    ],
    [
      'a nonce too long',
      { content: 'x', nonce: 'n'.repeat(26) },
      50_035,
      { nonce: { _errors: [{ code: 'BASE_TYPE_MAX_LENGTH', message: 'Must be 25 or fewer in length.' }] } },
    ],
    [
      'mentions that exclude each other',
      { content: 'x', allowed_mentions: { parse: ['users'], users: ['1'] } },
      50_035,
      { allowed_mentions: { _errors: [{ code: 'MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE' }] } },
    ],
    ['eleven embeds', { embeds: Array.from({ length: 11 }, () => ({ title: 'x' })) }, 50_035, { embeds: {} }],
    [
      'embeds of more than 6,000 characters',
      { embeds: [{ description: 'x'.repeat(4000) }, { description: 'x'.repeat(2001) }] },
      50_035,
      { embeds: { _errors: [{ code: 'MAX_EMBED_SIZE_EXCEEDED' }] } },
    ],
    [
      'an attachment without its file',
      { content: 'x', attachments: [{ id: 0 }] },
      50_035,
      { attachments: { 0: { id: { _errors: [{ code: 'ATTACHMENT_NOT_FOUND' }] } } } },
    ],
  ])('%s', async (_name, body, code, errors) => {
    await using sandbox = await createSandbox();
    const answer = await say(sandbox, body);
    expect(answer).toMatchObject({ status: 400, body: { code, ...(errors === undefined ? {} : { errors }) } });
    expect(sandbox.channels.messages(sandbox.textChannelId)).toEqual([]);
  });

  test('a message in a category', async () => {
    await using sandbox = await createSandbox();
    const { id } = await sandbox.channels.create({ name: 'c', kind: 'category' });
    expect((await call(sandbox, 'POST', `/channels/${id}/messages`, { body: { content: 'x' } })).body.code).toBe(
      50_008,
    );
  });

  test('an edit of what someone else wrote, and one that leaves nothing', async () => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const { id } = await anna.send(sandbox.textChannelId, 'hers');
    const path = at(sandbox, `/${id}`);
    expect((await call(sandbox, 'PATCH', path, { body: { content: 'mine' } })).body.code).toBe(50_005);
    expect((await call(sandbox, 'PATCH', path, { body: { flags: 4 } })).body).toMatchObject({
      flags: 4,
      content: 'hers',
    });
    const own = (await say(sandbox, { content: 'x' })).body.id;
    expect((await call(sandbox, 'PATCH', at(sandbox, `/${own}`), { body: { content: '' } })).body.code).toBe(50_006);
  });

  test('files that are too large, and bodies that are no multipart', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const form = new FormData();
    form.append('files[0]', new Blob([new Uint8Array(10 * 1024 * 1024 + 1)]), 'x.bin');
    expect(await call(sandbox, 'POST', at(sandbox), { form })).toMatchObject({ status: 413, body: { code: 40_005 } });
    const many = new FormData();
    for (let n = 0; n < 11; n += 1) many.append(`files[${n}]`, new Blob(['x']), 'x.txt');
    expect(await call(sandbox, 'POST', at(sandbox), { form: many })).toMatchObject({ body: { code: 30_015 } });
    const headers = { 'content-type': 'multipart/form-data; boundary=b' };
    for (const text of ['', '--b', '--b\r\n', '--b\r\n\r\nx', '--b\r\nx: y\r\n\r\nz\r\n--b--', '--c\r\n\r\n--c--']) {
      expect((await call(sandbox, 'POST', at(sandbox), { text, headers })).status).toBe(400);
    }
  });
});

describe('a list', () => {
  test('pages before, after and around', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const anna = await sandbox.people.create({ name: 'anna' });
    const ids: string[] = [];
    for (let n = 0; n < 10; n += 1) ids.push((await anna.send(sandbox.textChannelId, `${n}`)).id);
    const list = async (query: string) =>
      (await call(sandbox, 'GET', at(sandbox, query))).body.map(({ content }: { content: string }) => Number(content));
    expect(await list('')).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(await list('?limit=3')).toEqual([9, 8, 7]);
    expect(await list(`?limit=3&before=${ids[7]}`)).toEqual([6, 5, 4]);
    expect(await list(`?limit=3&after=${ids[2]}`)).toEqual([5, 4, 3]);
    expect(await list(`?limit=3&around=${ids[5]}`)).toEqual([6, 5, 4]);
    expect(await list(`?limit=1&around=${ids[5]}`)).toEqual([5]);
    expect(await list(`?limit=4&around=${ids[0]}`)).toEqual([3, 2, 1, 0]);
    const both = await call(sandbox, 'GET', at(sandbox, `?before=${ids[1]}&after=${ids[2]}`));
    expect(both).toMatchObject({ status: 400, body: { code: 50_035 } });
    expect((await call(sandbox, 'GET', at(sandbox, '?limit=101'))).body.errors.limit._errors[0].code).toBe(
      'NUMBER_TYPE_MAX',
    );
  });

  test('is deleted in bulk, when neither too few, too many nor too old', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock, rateLimits: false });
    const client = await RawClient.identified(sandbox, { intents: CHAT });
    const anna = await sandbox.people.create({ name: 'anna' });
    const old = await anna.send(sandbox.textChannelId, 'old');
    client.terminate();
    await clock.advance(14 * DAY_MS + 1);
    const later = await RawClient.identified(sandbox, { intents: CHAT });
    const [a, b] = [await anna.send(sandbox.textChannelId, 'a'), await anna.send(sandbox.textChannelId, 'b')];
    const bulk = (messages: unknown) => call(sandbox, 'POST', at(sandbox, '/bulk-delete'), { body: { messages } });
    expect((await bulk([a.id])).body.code).toBe(50_016);
    expect((await bulk(Array.from({ length: 101 }, (_, n) => String(n + 1)))).body.code).toBe(50_016);
    expect((await bulk([a.id, old.id])).body.code).toBe(50_034);
    expect((await bulk('x')).body.code).toBe(50_035);
    expect((await bulk([a.id, b.id, '1'])).status).toBe(204);
    expect((await later.dispatch('MESSAGE_DELETE_BULK')).d).toEqual({
      ids: [a.id, b.id],
      channel_id: sandbox.textChannelId,
      guild_id: sandbox.guildId,
    });
    expect(sandbox.channels.messages(sandbox.textChannelId).map(({ content }) => content)).toEqual(['old']);
  });
});

describe('reactions', () => {
  test('are added, listed and removed one by one, by emoji and all', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const client = await RawClient.identified(sandbox, { intents: CHAT });
    const anna = await sandbox.people.create({ name: 'anna' });
    const { id } = await anna.send(sandbox.textChannelId, 'x');
    const path = (emoji: string, rest = '') => at(sandbox, `/${id}/reactions/${encodeURIComponent(emoji)}${rest}`);
    for (const emoji of ['👍', '❤️', '🇩🇪', '1️⃣', '👩‍👩‍👧', '👍🏽']) {
      expect((await call(sandbox, 'PUT', path(emoji, '/@me'))).status).toBe(204);
    }
    await call(sandbox, 'PUT', path('👍', '/@me'));
    await anna.react(sandbox.textChannelId, id, '👍');
    const read = async () => (await call(sandbox, 'GET', at(sandbox, `/${id}`))).body.reactions;
    expect((await read())[0]).toMatchObject({ emoji: { id: null, name: '👍' }, count: 2, me: true });
    const users = (await call(sandbox, 'GET', path('👍'))).body;
    expect(users.map(({ username }: { username: string }) => username)).toEqual(['sandbox-bot', 'anna']);
    expect((await call(sandbox, 'GET', path('👍', `?limit=1&after=${users[0].id}`))).body).toEqual([users[1]]);
    await call(sandbox, 'DELETE', path('👍', `/${anna.id}`));
    await call(sandbox, 'DELETE', path('👍', '/@me'));
    await call(sandbox, 'DELETE', path('❤️'));
    expect((await read()).map((it: { emoji: { name: string } }) => it.emoji.name)).toEqual([
      '🇩🇪',
      '1️⃣',
      '👩‍👩‍👧',
      '👍🏽',
    ]);
    await call(sandbox, 'DELETE', at(sandbox, `/${id}/reactions`));
    expect(await read()).toBeUndefined();
    await client.settled();
    const seen = client.frames.flatMap(({ t, d }) =>
      t?.startsWith('MESSAGE_REACTION') === true ? [[t.slice(17), d.emoji?.name, d.user_id === anna.id]] : [],
    );
    expect(seen).toEqual([
      ['ADD', '👍', false],
      ['ADD', '❤️', false],
      ['ADD', '🇩🇪', false],
      ['ADD', '1️⃣', false],
      ['ADD', '👩‍👩‍👧', false],
      ['ADD', '👍🏽', false],
      ['ADD', '👍', true],
      ['REMOVE', '👍', true],
      ['REMOVE', '👍', false],
      ['REMOVE_EMOJI', '❤️', false],
      ['REMOVE_ALL', undefined, false],
    ]);
  });

  test('take 20 emoji, and only such', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const anna = await sandbox.people.create({ name: 'anna' });
    const { id } = await anna.send(sandbox.textChannelId, 'x');
    const put = (emoji: string) =>
      call(sandbox, 'PUT', at(sandbox, `/${id}/reactions/${encodeURIComponent(emoji)}/@me`));
    for (const emoji of ['x', '👍👍', 'name:123', '%', '1']) expect((await put(emoji)).body.code).toBe(10_014);
    for (let n = 0; n < 20; n += 1) expect((await put(String.fromCodePoint(0x1f600 + n))).status).toBe(204);
    expect((await put('👍')).body.code).toBe(30_010);
  });
});

test('typing is shown', async () => {
  await using sandbox = await createSandbox();
  const client = await RawClient.identified(sandbox, { intents: CHAT });
  const anna = await sandbox.people.create({ name: 'anna' });
  await anna.type(sandbox.textChannelId);
  expect((await call(sandbox, 'POST', `/channels/${sandbox.textChannelId}/typing`)).status).toBe(204);
  await client.settled();
  const seen = client.frames.filter(({ t }) => t === 'TYPING_START');
  expect(seen.map(({ d }) => d.member.user.username)).toEqual(['anna', 'sandbox-bot']);
  expect(seen[0]?.d).toMatchObject({ channel_id: sandbox.textChannelId, guild_id: sandbox.guildId, user_id: anna.id });
});

describe('what is said is shown to those who may read it', () => {
  test('a bot that does not see the channel gets nothing', async () => {
    await using sandbox = await createSandbox();
    const blind = await sandbox.bots.create({ name: 'blind', permissions: [] });
    await call(sandbox, 'PATCH', `/channels/${sandbox.textChannelId}`, {
      body: { permission_overwrites: [{ id: sandbox.guildId, type: 0, deny: '1024' }] },
    });
    const [seeing, other] = [
      await RawClient.identified(sandbox, { intents: CHAT }),
      await RawClient.identified(sandbox, { intents: CHAT, token: blind.token }),
    ];
    await sandbox.people.owner.send(sandbox.textChannelId, 'secret');
    await Promise.all([seeing.settled(), other.settled()]);
    expect([seeing, other].map(({ frames }) => frames.some(({ t }) => t === 'MESSAGE_CREATE'))).toEqual([true, false]);
    const init = { token: blind.token };
    expect((await call(sandbox, 'GET', at(sandbox), init)).body).toEqual({ message: 'Missing Access', code: 50_001 });
  });

  test('without MESSAGE_CONTENT the text is empty, but for one’s own and mentions', async () => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const plain = await sandbox.bots.create({ name: 'plain', privilegedIntents: [] });
    const client = await RawClient.identified(sandbox, { intents: 1 | 512, token: plain.token });
    const secret = await anna.send(sandbox.textChannelId, 'secret');
    await anna.send(sandbox.textChannelId, `hello <@${plain.id}>`);
    await say(sandbox, { content: 'own' }, { token: plain.token });
    await client.settled();
    const texts = client.frames.flatMap(({ t, d }) => (t === 'MESSAGE_CREATE' ? [d.content] : []));
    expect(texts).toEqual(['', `hello <@${plain.id}>`, 'own']);
    const read = await call(sandbox, 'GET', at(sandbox, `/${secret.id}`), { token: plain.token });
    expect(read.body.content).toBe('');
  });
});

test('each permission is asked for', async () => {
  await using sandbox = await createSandbox({ rateLimits: false });
  const anna = await sandbox.people.create({ name: 'anna' });
  const { id } = await anna.send(sandbox.textChannelId, 'hers');
  const weak = await sandbox.bots.create({ name: 'weak', permissions: [] });
  const deny = String((1n << 6n) | (1n << 11n) | (1n << 16n));
  await call(sandbox, 'PATCH', `/channels/${sandbox.textChannelId}`, {
    body: { permission_overwrites: [{ id: sandbox.guildId, type: 0, deny }] },
  });
  const code = async (method: string, path: string, body?: unknown) =>
    (await call(sandbox, method, path, { token: weak.token, ...(body === undefined ? {} : { body }) })).body?.code;
  expect(await code('POST', at(sandbox), { content: 'x' })).toBe(50_013);
  expect(await code('POST', `/channels/${sandbox.textChannelId}/typing`)).toBe(50_013);
  expect(await code('GET', at(sandbox, `/${id}`))).toBe(50_013);
  expect(await code('DELETE', at(sandbox, `/${id}`))).toBe(50_013);
  expect(await code('POST', at(sandbox, '/bulk-delete'), { messages: ['1', '2'] })).toBe(50_013);
  expect(await code('PUT', at(sandbox, `/${id}/reactions/%F0%9F%91%8D/@me`))).toBe(50_013);
  expect((await call(sandbox, 'GET', at(sandbox), { token: weak.token })).body).toEqual([]);
});
