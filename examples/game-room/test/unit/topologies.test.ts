/** One app, three ways to Discord: each feeds the hub, and carries what a player says. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@guildkit/core';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { signWebhook } from '@guildkit/server-kit/hmac';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readSettings as readWorkerSettings } from '../../../gateway-worker/src/settings.js';
import { startWorker, type Worker } from '../../../gateway-worker/src/worker.js';
import { type App, createApp } from '../../src/server/app.js';
import { readSettings } from '../../src/server/settings.js';
import { createWebServer } from '../../src/server/web.js';

const SECRET = 'a-secret-of-32-characters-or-more-for-tests';
const ORIGIN = 'http://localhost:3000';

let discord: Sandbox;
let directory: string;
let running: { readonly app: App; readonly server: Server; readonly url: string } | undefined;
let worker: Worker | undefined;

beforeEach(async () => {
  discord = await createSandbox({ rateLimits: false });
  directory = await mkdtemp(join(tmpdir(), 'game-room-topologies-'));
});

afterEach(async () => {
  await stopApp();
  await worker?.close();
  worker = undefined;
  await discord.close();
  await rm(directory, { recursive: true, force: true });
});

async function startApp(env: Readonly<Record<string, string>>) {
  const { token, apiBase, guildId } = discord.connection;
  const settings = readSettings({
    DISCORD_BOT_TOKEN: token,
    DISCORD_API_BASE: apiBase,
    PRIMARY_GUILD_ID: guildId,
    DISCORD_CLIENT_ID: discord.oauth.clientId,
    DISCORD_CLIENT_SECRET: discord.oauth.clientSecret,
    ...env,
  });
  const app = await createApp({ settings, logger: silentLogger, origin: () => ORIGIN });
  // What the route does; routes themselves are in the build alone.
  const entry = { fetch: (request: Request) => app.receiveEvent?.(request) ?? new Response(null, { status: 404 }) };
  const server = createWebServer(app, entry, join(directory, 'no-files'));
  server.listen(Number(env.PORT ?? 0), '127.0.0.1');
  await once(server, 'listening');
  running = { app, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/internal/events` };
  return running;
}

async function stopApp(): Promise<void> {
  if (running === undefined) return;
  const { app, server } = running;
  running = undefined;
  const closed = once(server, 'close');
  server.close();
  await app.close();
  server.closeAllConnections();
  await closed;
}

async function runWorker(env: Readonly<Record<string, string>>): Promise<Worker> {
  const { token, apiBase, guildId } = discord.connection;
  const settings = readWorkerSettings({
    DISCORD_BOT_TOKEN: token,
    DISCORD_API_BASE: apiBase,
    PRIMARY_GUILD_ID: guildId,
    HEALTH_CHECK_PORT: '0',
    PORT: '0',
    STATE_DIRECTORY: join(directory, 'state'),
    ...env,
  });
  worker = await startWorker(settings, silentLogger);
  return worker;
}

/** The app and, where there is one, its worker, connected. */
async function start(topology: string): Promise<App> {
  if (topology === 'link') {
    const { linkUrl = '' } = await runWorker({ TOPOLOGY: topology, LINK_TOKEN: SECRET });
    await startApp({ TOPOLOGY: topology, LINK_URL: linkUrl, LINK_TOKEN: SECRET });
  } else {
    await startApp({ TOPOLOGY: topology, ...(topology === 'webhook' && { HUB_SECRET: SECRET }) });
    if (topology === 'webhook')
      await runWorker({ TOPOLOGY: topology, HUB_ENDPOINT: running?.url ?? '', HUB_SECRET: SECRET });
  }
  const { app } = running as NonNullable<typeof running>;
  await vi.waitFor(
    () => {
      expect(app.health()).toMatchObject({ status: 'ok', discord: { topology, state: 'ready' } });
      expect(app.directory.list()).not.toHaveLength(0);
    },
    { timeout: 20_000 },
  );
  return app;
}

/** What a player's page hears of a channel. */
async function listen(app: App, userId: string, channelId: string) {
  const { token } = await app.issueToken(userId, ['chat:write']);
  const headers = { authorization: `Bearer ${token}`, origin: ORIGIN, host: new URL(ORIGIN).host };
  const stream = await app.hub.streamHandler(
    new Request(`${ORIGIN}/api/stream?rooms=channel:${channelId}`, { headers }),
  );
  expect(stream.status).toBe(200);
  let text = '';
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  const reading = (async () => {
    const decoder = new TextDecoder();
    for (let part = await reader.read(); !part.done; part = await reader.read())
      text += decoder.decode(part.value, { stream: true });
  })();
  return {
    says: (what: string) => vi.waitFor(() => expect(text).toContain(what), { timeout: 10_000 }),
    async end() {
      await reader.cancel();
      await reading;
    },
    async command(name: string, input: object) {
      const body = JSON.stringify({ v: 1, type: 'command', id: crypto.randomUUID(), payload: { name, input } });
      const answer = await app.hub.commandHandler(
        new Request(`${ORIGIN}/api/commands`, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body,
        }),
      );
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
  };
}

it.each(['inline', 'webhook', 'link'])(
  '%s: people and words reach the page, and the page’s words reach Discord',
  async (topology) => {
    const [mia, tom] = await Promise.all(['mia', 'tom'].map((name) => discord.people.create({ name })));
    if (mia === undefined || tom === undefined) throw new Error('nobody');
    const app = await start(topology);
    const { channelId } = await app.rooms.create({ creatorId: mia.id, name: 'Table 1', idempotencyKey: 'k1' });
    const page = await listen(app, mia.id, channelId);

    await mia.joinVoice(channelId);
    await page.says('"event":"voice.joined"');
    const said = await page.command('sendMessage', { channelId, content: 'hello from the page' });
    expect(said.status).toBe(200);
    await page.says('hello from the page');
    expect((await app.messages(channelId)).map(({ userId, content }) => [userId, content])).toEqual([
      [mia.id, 'hello from the page'],
    ]);
    // Not a player of that room.
    expect(
      (await (await listen(app, tom.id, discord.voiceChannelId)).command('sendMessage', { channelId, content: 'x' }))
        .status,
    ).toBe(403);
    // Discord's own no keeps its status.
    expect((await page.command('addReaction', { channelId, messageId: '1', emoji: '👍' })).status).toBe(404);

    const delivery = worker?.health().delivery;
    if (topology === 'link') expect(delivery).toMatchObject({ kind: 'link', apps: 1, commands: 2 });
    else if (topology === 'webhook') expect(delivery).toMatchObject({ kind: 'webhook', dropped: 0 });
    await page.end();
  },
);

it('webhook: a restarted app has the lists again without anything happening in Discord', async () => {
  const mia = await discord.people.create({ name: 'mia' });
  await mia.joinVoice(discord.voiceChannelId);
  const first = await start('webhook');
  await vi.waitFor(() => expect(first.people.get(mia.id)?.username).toBe('mia'));
  const { port } = new URL(running?.url ?? '');
  await stopApp();
  const { app } = await startApp({ TOPOLOGY: 'webhook', HUB_SECRET: SECRET, PORT: port });
  expect(app.health().status).toBe('degraded');
  await vi.waitFor(() => expect(app.directory.knows(discord.voiceChannelId)).toBe(true), { timeout: 10_000 });
  expect(app.people.get(mia.id)?.username).toBe('mia');
  expect(app.health().status).toBe('ok');
});

it('webhook: what is not signed with the secret is refused; without the topology there is no such page', async () => {
  const { url, app } = await startApp({ TOPOLOGY: 'webhook', HUB_SECRET: SECRET });
  const body = JSON.stringify({
    id: 'e1',
    event: 'channel.created',
    payload: {},
    ts: Date.now(),
    epoch: 'e',
    seq: 1,
    traceId: 't',
  });
  const post = (secrets: string) =>
    fetch(url, {
      method: 'POST',
      body,
      headers: { ...signWebhook(body, { secrets }), 'content-type': 'application/json' },
    });
  expect((await post('another-secret-of-32-characters-or-more')).status).toBe(401);
  expect((await post(SECRET)).status).not.toBe(401);
  // A snapshot of a large server is larger than what pages may post.
  const large = await fetch(url, { method: 'POST', body: 'x'.repeat(200_000) });
  expect(large.status).toBe(401);
  expect(app.directory.list()).toHaveLength(0);

  await stopApp();
  const inline = await startApp({});
  expect((await fetch(inline.url, { method: 'POST', body })).status).toBe(404);
});
