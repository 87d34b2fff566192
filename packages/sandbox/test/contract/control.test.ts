import { request } from 'node:http';
import { createSandbox, type Sandbox, SandboxError } from '@guildkit/sandbox';
import { describe, expect, test } from 'vitest';
import { handleControl } from '../../src/control-api.js';
import { RawClient } from '../support/gateway-client.js';

async function control(sandbox: Sandbox, method: string, path: string, body?: unknown) {
  const response = await fetch(`${sandbox.controlUrl}${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever the answer holds
  return { status: response.status, body: (await response.json()) as any };
}

/** `fetch` sets Host and Origin by itself: this does not. */
function raw(url: string, headers: Record<string, string>, method = 'GET'): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject);
    sent.end(method === 'POST' ? '{}' : undefined);
  });
}

test('people join, move, mute and leave', async () => {
  await using sandbox = await createSandbox();
  const client = await RawClient.identified(sandbox);
  const made = await control(sandbox, 'POST', '/people', { name: 'anna' });
  expect(made).toMatchObject({
    status: 200,
    body: { id: expect.any(String), name: 'anna', channelId: null, isMember: true, roles: [] },
  });
  const { id } = made.body as { id: string };
  const lounge = await sandbox.channels.create({ name: 'Lounge' });
  await control(sandbox, 'POST', `/people/${id}/join`, { channelId: sandbox.voiceChannelId });
  await control(sandbox, 'POST', `/people/${id}/move`, { channelId: lounge.id });
  await control(sandbox, 'POST', `/people/${id}/voice`, { mute: true, video: true });
  expect((await control(sandbox, 'GET', '/people')).body).toMatchObject([{ id, name: 'anna', channelId: lounge.id }]);
  expect((await control(sandbox, 'GET', '/channels')).body).toHaveLength(3);
  await control(sandbox, 'POST', `/people/${id}/leave`);
  await client.settled();
  const states = client.frames.filter(({ t }) => t === 'VOICE_STATE_UPDATE');
  expect(states.map(({ d }) => [d.channel_id, d.self_mute, d.self_video])).toEqual([
    [sandbox.voiceChannelId, false, false],
    [lounge.id, false, false],
    [lounge.id, true, false],
    [lounge.id, true, true],
    [null, true, false],
  ]);
});

test('people appear otherwise and write to a bot', async () => {
  await using sandbox = await createSandbox();
  const watcher = await RawClient.identified(sandbox, { intents: 1 | 256 | 4096 });
  const { id } = (await control(sandbox, 'POST', '/people', { name: 'anna' })).body;
  const path = `/people/${id}/presence`;
  expect((await control(sandbox, 'POST', path, { status: 'dnd', activity: 'chess' })).body).toMatchObject({
    status: 'dnd',
  });
  expect((await watcher.dispatch('PRESENCE_UPDATE')).d).toMatchObject({
    status: 'dnd',
    activities: [{ name: 'chess' }],
  });
  expect((await control(sandbox, 'POST', path, { status: 'away' })).status).toBe(400);
  expect(sandbox.people.get(id).status).toBe('dnd');
  const dm = await control(sandbox, 'POST', `/people/${id}/dm`, { botId: sandbox.oauth.clientId });
  await control(sandbox, 'POST', `/people/${id}/send`, { channelId: dm.body.channelId, content: 'psst' });
  expect((await watcher.dispatch('MESSAGE_CREATE')).d).toMatchObject({ content: 'psst' });
});

test('people write, react, type and moderate', async () => {
  await using sandbox = await createSandbox();
  const { textChannelId: channelId, voiceChannelId } = sandbox;
  const post = async (path: string, body?: unknown) => (await control(sandbox, 'POST', path, body ?? {})).body;
  const anna = await post('/people', { name: 'anna' });
  const mod = await post('/people', { name: 'mod', permissions: ['MoveMembers', 'MuteMembers'] });
  const as = `/people/${anna.id}`;
  const sent = await post(`${as}/send`, { channelId, content: 'hello' });
  await post(`${as}/edit`, { channelId, messageId: sent.id, content: 'hello!' });
  await post(`${as}/react`, { channelId, messageId: sent.id, emoji: '👍' });
  await post(`/people/${mod.id}/react`, { channelId, messageId: sent.id, emoji: '👍' });
  await post(`${as}/react`, { channelId, messageId: sent.id, emoji: '👍', remove: true });
  await post(`${as}/type`, { channelId });
  expect((await control(sandbox, 'GET', `/channels/${channelId}/messages`)).body).toMatchObject([
    { authorName: 'anna', content: 'hello!', reactions: [{ emoji: '👍', userIds: [mod.id] }] },
  ]);
  await post('/people/owner/delete', { channelId, messageId: sent.id });
  expect(sandbox.channels.messages(channelId)).toEqual([]);
  await post(`${as}/join`, { channelId: voiceChannelId });
  await post(`/people/${mod.id}/moderate`, { personId: anna.id, act: 'mute' });
  await post(`/people/${mod.id}/moderate`, { personId: anna.id, act: 'disconnect' });
  expect(sandbox.people.get(anna.id).channelId).toBeNull();
  const refused = await control(sandbox, 'POST', `${as}/moderate`, { personId: mod.id, act: 'kick' });
  expect(refused).toMatchObject({ status: 403, body: { error: { code: 'ERR_SANDBOX_PERMISSION_MISSING' } } });
  expect(await post(`${as}/guild/leave`)).toMatchObject({ isMember: false });
  expect(await post(`${as}/guild/join`)).toMatchObject({ isMember: true });
  const made = await post('/channels', { name: 'Lounge' });
  expect(made).toMatchObject({ kind: 'voice' });
  await control(sandbox, 'DELETE', `/channels/${made.id}`);
  expect(sandbox.channels.list()).toHaveLength(2);
});

test('faults, traffic and the address book', async () => {
  await using sandbox = await createSandbox();
  const client = await RawClient.identified(sandbox);
  await control(sandbox, 'POST', '/faults/reconnect');
  await client.op(7);
  await control(sandbox, 'POST', '/faults/invalidate', { resumable: true });
  expect((await client.op(9)).d).toBe(true);
  await control(sandbox, 'POST', '/faults/cut', { handshake: true });
  expect((await client.closed).code).toBe(4000);
  await control(sandbox, 'POST', '/faults/down', { ms: 60_000 });
  await control(sandbox, 'POST', '/faults/up');
  const { body } = await control(sandbox, 'GET', '/traffic');
  expect(body).toMatchObject({ counters: { identifies: 1 }, recent: expect.any(Array) });
  const book = await control(sandbox, 'GET', '/sandbox');
  expect(book.body).toMatchObject({ guildId: sandbox.guildId, gatewayUrl: sandbox.gatewayUrl });
  expect(JSON.stringify([body, book.body])).not.toContain(sandbox.connection.token);
});

describe('refuses', () => {
  test.each([
    ['no such person', 'POST', '/people/1/leave', undefined, 404, 'ERR_SANDBOX_PERSON_UNKNOWN'],
    ['no such channel', 'POST', '/people/ANNA/join', { channelId: '1' }, 404, 'ERR_SANDBOX_CHANNEL_UNKNOWN'],
    ['a text channel', 'POST', '/people/ANNA/join', { channelId: 'TEXT' }, 400, 'ERR_SANDBOX_CHANNEL_NOT_VOICE'],
    [
      'a move from nowhere',
      'POST',
      '/people/ANNA/move',
      { channelId: 'VOICE' },
      409,
      'ERR_SANDBOX_PERSON_NOT_CONNECTED',
    ],
    ['a body without a name', 'POST', '/people', {}, 400, 'invalid_body'],
    ['another method', 'DELETE', '/people', undefined, 405, 'method_not_allowed'],
    ['an unknown route', 'GET', '/planets', undefined, 404, 'not_found'],
  ])('%s', async (_name, method, path, body, status, code) => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const fill = (text: string) =>
      text.replace('ANNA', anna.id).replace('TEXT', sandbox.textChannelId).replace('VOICE', sandbox.voiceChannelId);
    const sent = body === undefined ? undefined : JSON.parse(fill(JSON.stringify(body)));
    expect(await control(sandbox, method, fill(path), sent)).toMatchObject({ status, body: { error: { code } } });
  });

  test('a full channel with 409', async () => {
    await using sandbox = await createSandbox();
    const { id } = await sandbox.channels.create({ name: 'one seat', userLimit: 1 });
    const [anna, bela] = await Promise.all(['anna', 'bela'].map((name) => sandbox.people.create({ name })));
    await anna?.joinVoice(id);
    await expect(bela?.joinVoice(id)).rejects.toSatisfy(
      (error) => SandboxError.is(error) && error.code === 'ERR_SANDBOX_CHANNEL_FULL',
    );
    expect(await control(sandbox, 'POST', `/people/${bela?.id}/join`, { channelId: id })).toMatchObject({
      status: 409,
    });
  });

  test('a foreign Host or Origin, and bodies that another page could send', async () => {
    await using sandbox = await createSandbox();
    const url = `${sandbox.controlUrl}/people`;
    const { host, port } = new URL(url);
    expect(await raw(url, { host })).toBe(200);
    expect(await raw(url, { host: `localhost:${port}`, origin: `http://localhost:${port}` })).toBe(200);
    expect(await raw(url, { host: `sandbox.evil.test:${port}` })).toBe(403);
    expect(await raw(url, { host: '127.0.0.1:1' })).toBe(403);
    expect(await raw(url, { host, origin: 'http://evil.test' })).toBe(403);
    expect(await raw(url, { host, origin: 'null' })).toBe(403);
    expect(await raw(url, { host, 'content-type': 'text/plain' }, 'POST')).toBe(400);
    expect(sandbox.people.list()).toEqual([]);
  });

  test('peers of another machine', async () => {
    await using sandbox = await createSandbox();
    const { people, channels, faults, voice, traffic, save } = sandbox;
    const context = { people, channels, faults, voice, traffic, save, describe: () => ({}), port: () => 80 };
    const from = async (remoteAddress: string) =>
      (
        await handleControl(context, {
          method: 'GET',
          target: '/control/v1/people',
          headers: { host: '127.0.0.1:80' },
          body: '',
          remoteAddress,
        })
      ).status;
    expect(await Promise.all(['127.0.0.1', '::1', '::ffff:127.0.0.1'].map(from))).toEqual([200, 200, 200]);
    expect(await Promise.all(['192.168.1.4', '::ffff:10.0.0.1', 'fe80::1', '', '127.0.0.1.evil'].map(from))).toEqual([
      403, 403, 403, 403, 403,
    ]);
  });
});
