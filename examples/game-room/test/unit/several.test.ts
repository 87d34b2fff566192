/** Two apps on one Redis: one is connected to Discord, both show and carry the same. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@guildkit/core';
import { createSandbox, type Person, type Sandbox } from '@guildkit/sandbox';
import { generatePrivateJwk } from '@guildkit/server-kit/jwt';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { hasRedis, TestRedis } from '../../../../packages/redis/test/support/redis-server.js';
import { readSettings as readWorkerSettings } from '../../../gateway-worker/src/settings.js';
import { startWorker } from '../../../gateway-worker/src/worker.js';
import { createBalancer } from '../../scripts/balancer.mjs';
import { type App, createApp } from '../../src/server/app.js';
import { readSettings } from '../../src/server/settings.js';
import { createWebServer } from '../../src/server/web.js';

const ORIGIN = 'http://localhost:3000';
const POLL = { timeout: 15_000, interval: 20 } as const;

describe.skipIf(!hasRedis)('several processes', () => {
  let discord: Sandbox;
  let redis: TestRedis;
  let privateJwk: string;
  let apps: App[] = [];
  const servers: Server[] = [];

  beforeEach(async () => {
    redis = await TestRedis.start();
    discord = await createSandbox({ rateLimits: false });
    privateJwk = JSON.stringify(await generatePrivateJwk());
  });
  afterEach(async () => {
    await Promise.all(apps.map((app) => app.close()));
    apps = [];
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
    await discord.close();
    await redis.close();
  });

  async function start(more: Readonly<Record<string, string>> = {}): Promise<App> {
    const { token, apiBase, guildId } = discord.connection;
    const settings = readSettings({
      DISCORD_BOT_TOKEN: token,
      DISCORD_API_BASE: apiBase,
      PRIMARY_GUILD_ID: guildId,
      DISCORD_CLIENT_ID: discord.oauth.clientId,
      DISCORD_CLIENT_SECRET: discord.oauth.clientSecret,
      SESSION_SECRET: 'a-session-secret-of-32-characters-or-more',
      INVITE_SECRET: 'an-invite-secret-of-32-characters-or-more',
      JWT_PRIVATE_JWK: privateJwk,
      VITE_BASE_URL: ORIGIN,
      REDIS_URL: `unix://${redis.path}`,
      ...more,
    });
    const app = await createApp({ settings, logger: silentLogger, origin: () => ORIGIN });
    apps.push(app);
    if (settings.topology.kind === 'inline')
      await vi.waitFor(() => expect(app.health()).toMatchObject({ status: 'ok' }), POLL);
    return app;
  }
  const roles = () => apps.map((app) => app.health().discord.role).sort();

  async function cookieOf(app: App, id: string): Promise<string> {
    const firstOf = (answer: Response): string => (answer.headers.getSetCookie().at(-1) ?? '').split(';', 1)[0] ?? '';
    const login = await app.login.sessions.loginHandler(new Request(`${ORIGIN}/auth/discord/login`));
    const back = discord.oauth.approve(login.headers.get('location') ?? '', { id });
    return firstOf(
      await app.login.sessions.callbackHandler(new Request(back, { headers: { cookie: firstOf(login) } })),
    );
  }

  /** What a player's page hears of a channel at one of the apps. */
  async function listen(app: App, { id: userId }: Person, channelId: string) {
    const { token } = await app.issueToken(userId, ['chat:write']);
    const headers = { authorization: `Bearer ${token}`, origin: ORIGIN, host: new URL(ORIGIN).host };
    const address = `${ORIGIN}/api/stream?rooms=channel:${channelId}`;
    let text = '';
    const open = async (): Promise<void> => {
      text = '';
      const stream = await app.hub.streamHandler(new Request(address, { headers }));
      const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
      const decoder = new TextDecoder();
      void (async () => {
        for (let part = await reader.read(); !part.done; part = await reader.read())
          text += decoder.decode(part.value, { stream: true });
      })();
      await vi.waitFor(() => expect(text).toMatch(/"event":"(sys.snapshot|error)"/), POLL);
      if (text.includes('sys.snapshot')) return;
      // An app that has not compared its rooms with Discord yet asks to come again.
      await reader.cancel();
      throw new Error(text);
    };
    await vi.waitFor(open, POLL);
    const says = (what: string) => vi.waitFor(() => expect(text).toContain(what), POLL);
    return {
      says,
      text: () => text,
      async command(name: string, input: object, id: string = crypto.randomUUID()) {
        const body = JSON.stringify({ v: 1, type: 'command', id, payload: { name, input } });
        const answer = await app.hub.commandHandler(
          new Request(`${ORIGIN}/api/commands`, {
            method: 'POST',
            headers: { ...headers, 'content-type': 'application/json' },
            body,
          }),
        );
        return { status: answer.status, body: (await answer.json()) as { payload?: { result?: { id?: string } } } };
      },
    };
  }

  test('each shows what the other hears and does', async () => {
    const [a, b] = await Promise.all([start(), start()]);
    expect(roles()).toEqual(['owner', 'standby']);
    expect(discord.traffic.counters).toMatchObject({ identifies: 1 });
    const [mia, tom] = await Promise.all(['mia', 'tom'].map((name) => discord.people.create({ name })));
    if (mia === undefined || tom === undefined) throw new Error('nobody');

    // A room that one of them makes is the other's at once, with its seats and its directory.
    const { channelId, invite = '' } = await b.rooms.create({
      creatorId: mia.id,
      name: 'Table 1',
      idempotencyKey: 'k',
    });
    await vi.waitFor(() => expect(a.directory.get(channelId)?.name).toBe('Table 1'), POLL);
    await vi.waitFor(() => expect(b.directory.get(channelId)?.name).toBe('Table 1'), POLL);
    await a.rooms.join({ channelId, userId: tom.id, invite });
    expect(await b.maySee(tom.id, channelId)).toBe(true);

    // What people are called is known where nobody of them was.
    b.people.remember({ userId: tom.id, username: 'Tom of the pages', avatar: null });
    const [atA, atB] = [await listen(a, mia, channelId), await listen(b, tom, channelId)];
    await mia.joinVoice(channelId);
    for (const page of [atA, atB]) await page.says('"event":"voice.joined"');
    await vi.waitFor(async () => expect(await a.hub.viewers(`channel:${channelId}`)).toHaveLength(2), POLL);
    expect((await b.rooms.join({ channelId, userId: mia.id })).placement.how).toBe('present');

    const id = crypto.randomUUID();
    const said = await atB.command('sendMessage', { channelId, content: 'hello from b' }, id);
    expect(said.status).toBe(200);
    for (const page of [atA, atB]) await page.says('hello from b');
    expect(atA.text()).toContain('Tom of the pages');
    expect((await atB.command('typingStart', { channelId })).status).toBe(200);
    await atA.says(
      `"event":"typing.started","payload":{"guildId":"${discord.guildId}","channelId":"${channelId}","userId":"${tom.id}"`,
    );

    // Sent again to the other process it is answered, not done again; and it may be edited there.
    const again = await listen(a, tom, channelId);
    const repeated = await again.command('sendMessage', { channelId, content: 'hello from b' }, id);
    expect(repeated.body.payload?.result).toEqual(said.body.payload?.result);
    expect(await a.messages(channelId)).toHaveLength(1);
    const [message] = await b.messages(channelId);
    const edit = { channelId, messageId: message?.messageId, content: 'edited at a' };
    expect((await again.command('editMessage', edit)).status).toBe(200);
    await atB.says('edited at a');
    expect((await atA.command('editMessage', { ...edit, content: 'not mine' })).status).toBe(403);

    // Who gives their seat back at one of them is sent away from the other.
    await b.rooms.leave(channelId, tom.id);
    await again.says('"event":"sys.unsubscribed"');
    await b.rooms.end(channelId, { userId: mia.id });
    await vi.waitFor(() => expect(a.directory.get(channelId)).toBeUndefined(), POLL);
  });

  test('the owner goes: the other resumes where it stopped, and a third begins with what is known', async () => {
    const [a, b] = await Promise.all([start(), start()]);
    const owner = a.health().discord.role === 'owner' ? a : b;
    const other = owner === a ? b : a;
    const [mia, tom] = await Promise.all(['mia', 'tom'].map((name) => discord.people.create({ name })));
    if (mia === undefined || tom === undefined) throw new Error('nobody');
    const page = await listen(other, mia, discord.voiceChannelId);
    await mia.joinVoice(discord.voiceChannelId);
    await page.says(mia.id);

    apps = [other];
    const closed = owner.close();
    await tom.joinVoice(discord.voiceChannelId);
    await page.says(tom.id);
    await closed;
    await vi.waitFor(() => expect(other.health()).toMatchObject({ status: 'ok', discord: { role: 'owner' } }), POLL);
    expect(discord.traffic.counters).toMatchObject({ identifies: 1, resumes: 1 });
    expect(page.text().match(/"event":"voice.joined"/g)).toHaveLength(2);

    const third = await start();
    expect(roles()).toEqual(['owner', 'standby']);
    expect(third.directory.knows(discord.voiceChannelId)).toBe(true);
    expect(third.people.get(tom.id)?.username).toBe('tom');
    await mia.leaveVoice();
    await page.says('"event":"voice.left"');
  });

  test('Redis goes and comes back empty: pages are told, then everything is as Discord says', async () => {
    const [a, b] = await Promise.all([start(), start()]);
    const mia = await discord.people.create({ name: 'mia' });
    const pages = [await listen(a, mia, discord.voiceChannelId), await listen(b, mia, discord.voiceChannelId)];
    await redis.down();
    for (const page of pages) await page.says('"event":"sys.degraded","payload":{"degraded":true');
    expect(apps.map((app) => app.health())).toEqual([
      expect.objectContaining({ status: 'degraded', redis: 'away' }),
      expect.objectContaining({ status: 'degraded', redis: 'away' }),
    ]);
    await expect(a.rooms.list()).rejects.toMatchObject({ code: 'ERR_REDIS_SERVER_UNAVAILABLE' });
    await mia.joinVoice(discord.voiceChannelId);
    await redis.up();
    for (const page of pages) {
      await page.says('"event":"sys.degraded","payload":{"degraded":false');
      await page.says(mia.id);
    }
    await vi.waitFor(() => expect(apps.map((app) => app.health().status)).toEqual(['ok', 'ok']), POLL);
    expect(roles()).toEqual(['owner', 'standby']);
  });

  test('two processes share the bots that speak: nobody has one twice, and both know for whom it speaks', async () => {
    const bots = await Promise.all([1, 2].map((n) => discord.bots.create({ name: `Seat ${n}` })));
    const more = { DISCORD_SEAT_TOKENS: bots.map(({ token }) => token).join(',') };
    const [a, b] = await Promise.all([start(more), start(more)]);
    const channelId = discord.voiceChannelId;
    const people = await Promise.all(
      ['mia', 'tom', 'eve'].map((name) => discord.people.create({ name, avatar: null })),
    );
    const [mia, tom, eve] = people as [Person, Person, Person];
    const page = await listen(a, eve, channelId);

    const seatedAt = async (app: App, { id, name }: Person): Promise<WebSocket> => {
      app.people.remember({ userId: id, username: `${name} of the pages`, avatar: null });
      const server = createWebServer(app, { fetch: () => new Response(null, { status: 404 }) }, '/nowhere');
      servers.push(server.listen(0, '127.0.0.1'));
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const Socket = WebSocket as unknown as new (url: string, options: object) => WebSocket;
      const cookie = await cookieOf(app, id);
      return new Socket(`ws://127.0.0.1:${port}/api/media?room=channel:${channelId}`, {
        headers: { origin: ORIGIN, cookie },
      });
    };
    // In the process that is not connected to Discord, so that the other has to be told.
    const [first, second] = a.health().discord.role === 'owner' ? [b, a] : [a, b];
    const atFirst = await seatedAt(first, mia);
    await page.says('"username":"mia of the pages"');
    const atSecond = await seatedAt(second, tom);
    await page.says('"username":"tom of the pages"');
    for (const app of apps) {
      const seats = app.seats.presence.seatsIn(channelId);
      expect(seats.map(({ userId }) => userId).sort()).toEqual([mia.id, tom.id].sort());
      expect(new Set(seats.map(({ seatId }) => seatId)).size).toBe(2);
    }
    const refused = await seatedAt(first, eve);
    await once(refused as never, 'close');

    // Mia goes on at the other process: her bot at the first leaves, hers there comes.
    atFirst.close();
    const moved = await seatedAt(second, mia);
    await vi.waitFor(() => {
      for (const app of apps) expect(app.seats.presence.waysOf(mia.id)).toHaveLength(1);
    }, POLL);
    for (const socket of [moved, atSecond]) socket.close();
    await vi.waitFor(() => expect(a.seats.presence.seatsIn(channelId)).toEqual([]), POLL);
  });

  test('a worker’s webhooks fall on either process: each event is told once, by both', async () => {
    const secret = 'a-secret-of-32-characters-or-more-for-tests';
    const balancer = await createBalancer();
    const directory = await mkdtemp(join(tmpdir(), 'game-room-several-'));
    const taken: number[] = [];
    const more = { TOPOLOGY: 'webhook', HUB_SECRET: secret };
    for (const [index, app] of (await Promise.all([start(more), start(more)])).entries()) {
      const fetch = async (request: Request): Promise<Response> => {
        if (new URL(request.url).pathname === '/health') return Response.json(app.health());
        taken.push(index);
        return (await app.receiveEvent?.(request)) ?? new Response(null, { status: 404 });
      };
      const server = createWebServer(app, { fetch }, '/nowhere');
      servers.push(server.listen(0, '127.0.0.1'));
      await once(server, 'listening');
      balancer.add(`app-${index}`, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    }
    await vi.waitFor(() => expect(balancer.backends().map(({ state }) => state)).toEqual(['up', 'up']), POLL);
    const [a, b] = apps as [App, App];
    const worker = await startWorker(
      readWorkerSettings({
        TOPOLOGY: 'webhook',
        DISCORD_BOT_TOKEN: discord.connection.token,
        DISCORD_API_BASE: discord.connection.apiBase,
        PRIMARY_GUILD_ID: discord.guildId,
        HUB_ENDPOINT: `${balancer.url}/api/internal/events`,
        HUB_SECRET: secret,
        HEALTH_CHECK_PORT: '0',
        STATE_DIRECTORY: directory,
      }),
      silentLogger,
    );
    try {
      await vi.waitFor(() => {
        for (const app of apps) expect(app.directory.knows(discord.voiceChannelId)).toBe(true);
      }, POLL);
      const people = await Promise.all(Array.from({ length: 8 }, (_, n) => discord.people.create({ name: `p${n}` })));
      const pages = [
        await listen(a, people[0] as Person, discord.voiceChannelId),
        await listen(b, people[1] as Person, discord.voiceChannelId),
      ];
      for (const person of people) await person.joinVoice(discord.voiceChannelId);
      for (const page of pages) {
        for (const { id } of people) await page.says(id);
        expect(page.text().match(/"event":"voice.joined"/g)).toHaveLength(8);
      }
      expect(new Set(taken)).toEqual(new Set([0, 1]));
      expect(apps.map((app) => app.health().discord)).toEqual([
        expect.objectContaining({ topology: 'webhook', state: 'ready' }),
        expect.objectContaining({ topology: 'webhook', state: 'ready' }),
      ]);
    } finally {
      await worker.close();
      await balancer.close();
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('a process that is stopped while Redis stands still, or is gone, ends', async () => {
    const [a, b] = await Promise.all([start(), start()]);
    const mia = await discord.people.create({ name: 'mia' });
    await Promise.all([a, b].map((app) => listen(app, mia, discord.voiceChannelId)));
    redis.pause();
    apps = [b];
    await a.close();
    await redis.down();
    apps = [];
    await b.close();
    expect([a, b].map((app) => app.health())).toEqual([
      expect.objectContaining({ status: 'stopping', connections: 0 }),
      expect.objectContaining({ status: 'stopping', connections: 0 }),
    ]);
  });

  test('a Redis that is not there ends the start, and no password is told', async () => {
    await redis.down();
    const settings = readSettings({
      DISCORD_BOT_TOKEN: discord.connection.token,
      PRIMARY_GUILD_ID: discord.guildId,
      DISCORD_CLIENT_ID: discord.oauth.clientId,
      DISCORD_CLIENT_SECRET: discord.oauth.clientSecret,
      SESSION_SECRET: 's'.repeat(32),
      INVITE_SECRET: 'i'.repeat(32),
      JWT_PRIVATE_JWK: privateJwk,
      VITE_BASE_URL: ORIGIN,
      REDIS_URL: 'redis://user:not-to-be-told@127.0.0.1:1',
    });
    const start = createApp({ settings, logger: silentLogger, origin: () => ORIGIN });
    await expect(start).rejects.toThrow(/^Redis does not answer at REDIS_URL: .*Start it/);
    await expect(start).rejects.not.toThrow(/not-to-be-told/);
  });
});
