/**
 * No token, secret or internal address in anything that leaves the app: every route with and without a login, pages, sockets,
 * bundles, logs at DEBUG, in each topology. Every response says how browsers are to treat it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Logger } from '@guildkit/core';
import { createSandbox, type Person } from '@guildkit/sandbox';
import { createDiscordOAuth, createSessions } from '@guildkit/server-kit/oauth';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { hasRedis } from '../../../../packages/redis/test/support/redis-server.js';
import { readSettings } from '../../../gateway-worker/src/settings.js';
import { startWorker, type Worker } from '../../../gateway-worker/src/worker.js';
import { launchBrowser, PATIENCE_MS, untilLive } from './harness.js';

const DIST = process.env.GAME_ROOM_DIST ?? 'dist';
const distUrl = new URL(`../../${DIST}/`, import.meta.url);
const program = fileURLToPath(new URL('server/serve.js', distUrl));
const ROUTES = new URL('../../src/routes/', import.meta.url);

/** Each is told from words of any language. */
const SECRETS = {
  SESSION_SECRET: 'audit-session-5b1f0c9d8e7a6b5c4d3e2f1a',
  INVITE_SECRET: 'audit-invite-0a9b8c7d6e5f4a3b2c1d0e9f',
  HUB_SECRET: 'audit-hub-77aa66bb55cc44dd33ee22ff11',
  LINK_TOKEN: 'audit-link-1f2e3d4c5b6a798877665544aa',
} as const;
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = privateKey.export({ format: 'jwk' });

/** What a person says in the chat: it is for the room, not for the log. */
const WORDS = 'Between ourselves: the queen is marked';

interface Said {
  readonly from: string;
  readonly text: string;
}

const TOPOLOGIES = ['inline', 'webhook', 'link', 'inline, on Redis'] as const;
const REDIS_PASSWORD = 'audit-redis-9182736455463728';

describe.skipIf(chromiumPath() === undefined)('what leaves the app', () => {
  let browser: Browser;
  const endings: (() => unknown)[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    await browser?.close();
  });

  async function freePort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    return port;
  }

  /** A Redis that wants a password. */
  async function startRedis() {
    const port = await freePort();
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--requirepass', REDIS_PASSWORD];
    const redis = spawn(process.env.REDIS_SERVER_PATH ?? 'redis-server', options, {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const gone = once(redis, 'close');
    await new Promise<void>((resolve, reject) => {
      redis.stdout.on('data', (chunk) => String(chunk).includes('Ready to accept connections') && resolve());
      redis.once('close', () => reject(new Error('redis-server did not start')));
    });
    const kill = async () => {
      redis.kill('SIGKILL');
      await gone;
    };
    endings.push(kill);
    return { url: `redis://:${REDIS_PASSWORD}@127.0.0.1:${port}`, kill };
  }

  /** The app as a process of its own, so that its log can be read, beside a worker where the topology has one. */
  async function start(topology: (typeof TOPOLOGIES)[number]) {
    const discord = await createSandbox({ ids: 'clock' });
    endings.push(() => discord.close());
    const seat = await discord.bots.create({ name: 'Seat 1' });
    const [port, linkPort] = [await freePort(), await freePort()];
    const url = `http://localhost:${port}`;
    const { connection, oauth } = discord;
    const log: string[] = [];
    const redis = topology === 'inline, on Redis' ? await startRedis() : undefined;
    const app: ChildProcess = spawn(process.execPath, [program], {
      env: {
        PATH: process.env.PATH,
        PORT: String(port),
        LOG_LEVEL: 'debug',
        DISCORD_BOT_TOKEN: connection.token,
        PRIMARY_GUILD_ID: connection.guildId,
        DISCORD_API_BASE: connection.apiBase,
        DISCORD_CLIENT_ID: oauth.clientId,
        DISCORD_CLIENT_SECRET: oauth.clientSecret,
        DISCORD_SEAT_TOKENS: seat.token,
        JWT_PRIVATE_JWK: JSON.stringify(jwk),
        TOPOLOGY: topology.split(',')[0],
        ...(redis !== undefined && { REDIS_URL: redis.url, VITE_BASE_URL: url }),
        LINK_URL: `ws://127.0.0.1:${linkPort}/link`,
        ...SECRETS,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const gone = once(app, 'close');
    endings.push(async () => {
      app.kill('SIGKILL');
      await gone;
    });
    app.stderr?.on('data', (chunk) => log.push(String(chunk)));
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: app.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        log.push(line);
        if (line.includes('is running at')) resolve();
      });
      app.once('close', (code) => reject(new Error(`the app ended with ${code}: ${log.join('\n')}`)));
    });

    const workerLog: string[] = [];
    let worker: Worker | undefined;
    if (topology === 'webhook' || topology === 'link') {
      const directory = mkdtempSync(join(tmpdir(), 'game-room-audit-'));
      endings.push(() => rmSync(directory, { recursive: true, force: true }));
      const settings = readSettings({
        TOPOLOGY: topology,
        DISCORD_BOT_TOKEN: connection.token,
        DISCORD_API_BASE: connection.apiBase,
        PRIMARY_GUILD_ID: connection.guildId,
        HUB_ENDPOINT: `${url}/api/internal/events`,
        HUB_SECRET: SECRETS.HUB_SECRET,
        LINK_TOKEN: SECRETS.LINK_TOKEN,
        PORT: String(linkPort),
        HEALTH_CHECK_PORT: '0',
        STATE_DIRECTORY: directory,
      });
      worker = await startWorker(settings, keepingLogger(workerLog));
      endings.push(() => worker?.close());
    }
    await vi.waitFor(async () => expect((await fetch(`${url}/health`)).status).toBe(200), { timeout: PATIENCE_MS });
    return { discord, url, log, worker, workerLog, linkPort, seat, redis };
  }

  type World = Awaited<ReturnType<typeof start>>;

  /** A login as a browser does it, and the tokens that are sealed in its cookie. */
  async function logIn({ discord, url }: World, person: Person) {
    const cookieOf = (response: Response): string => response.headers.getSetCookie().at(-1)?.split(';', 1)[0] ?? '';
    const begun = await fetch(`${url}/auth/discord/login`, { redirect: 'manual' });
    const back = discord.oauth.approve(begun.headers.get('location') ?? '', person);
    const cookie = cookieOf(await fetch(back, { redirect: 'manual', headers: { cookie: cookieOf(begun) } }));
    const { clientId, clientSecret } = discord.oauth;
    const { apiBase } = discord.connection;
    const oauth = createDiscordOAuth({ clientId, clientSecret, apiBase, redirectUri: `${url}/auth/discord/callback` });
    const reader = createSessions({ oauth, secrets: SECRETS.SESSION_SECRET, origin: url });
    const session = await reader.read({ headers: new Headers({ cookie }) });
    if (session === null) throw new Error('nobody is logged in');
    return { cookie, tokens: [session.accessToken.reveal(), session.refreshToken.reveal()] };
  }

  /** What must not leave, by name. */
  function forbiddenIn({ discord, seat }: World, tokens: readonly string[]): Readonly<Record<string, string>> {
    return {
      ...SECRETS,
      'password of Redis': REDIS_PASSWORD,
      'bot token': discord.connection.token,
      'secret part of the bot token': discord.connection.token.split('.').at(-1) ?? '',
      'seat token': seat.token,
      'client secret': discord.oauth.clientSecret,
      'private key': String(jwk.d),
      'access token': tokens[0] ?? '',
      'refresh token': tokens[1] ?? '',
    };
  }

  function expectNone(said: readonly Said[], forbidden: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(forbidden)) {
      expect(value.length, name).toBeGreaterThan(3);
      expect(said.filter(({ text }) => text.includes(value)).map(({ from }) => `${from} has the ${name}`)).toEqual([]);
    }
  }

  const HEADERS: Readonly<Record<string, RegExp>> = {
    'content-security-policy': /default-src 'none'.*frame-ancestors 'none'/,
    'x-content-type-options': /^nosniff$/,
    'referrer-policy': /^(same-origin|no-referrer)$/,
    'cross-origin-opener-policy': /^same-origin$/,
    'permissions-policy': /geolocation=\(\)/,
  };

  /** Every way in, each as somebody and as nobody; what is answered, with its headers. */
  async function askEverything(url: string, cookie: string, channelId: string): Promise<Said[]> {
    const { gets, others } = waysIn(channelId);
    const said: Said[] = [];
    const missing: string[] = [];
    const ask = async (method: string, path: string, body?: string, who?: string, origin = url) => {
      const headers = { origin, 'content-type': 'application/json', ...(who !== undefined && { cookie: who }) };
      const aborter = new AbortController();
      const response = await fetch(url + path, {
        method,
        headers,
        body: body ?? null,
        redirect: 'manual',
        signal: aborter.signal,
      });
      const from = `${method} ${path} (${who === undefined ? 'nobody' : 'somebody'}) ${response.status}`;
      // The way to the login is the one answer that has Discord's address.
      const shown = [...response.headers].filter(([name]) => name !== 'location' || !path.includes('/login'));
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
      const text = isStream ? '' : await response.text();
      aborter.abort();
      said.push({ from, text: `${JSON.stringify(shown)}\n${text}` });
      for (const [name, value] of Object.entries(HEADERS)) {
        if (!value.test(response.headers.get(name) ?? '')) missing.push(`${from}: ${name}`);
      }
      const isFile = path.startsWith('/assets/') || path === '/favicon.svg' || path.includes('jwks');
      const keeps = response.headers.get('cache-control') ?? '';
      if (!isFile && method !== 'OPTIONS' && !/no-store/.test(keeps)) missing.push(`${from}: cache-control "${keeps}"`);
    };
    for (const who of [undefined, cookie]) {
      for (const path of gets) await ask('GET', path, undefined, who);
      for (const [method, path, body] of others) {
        // Logging out ends the session that the others need.
        await ask(method, path, body, path.endsWith('/logout') ? undefined : who);
      }
      await ask('GET', '/api/stream?rooms=guild:1', undefined, who, 'https://evil.example');
    }
    expect(missing).toEqual([]);
    return said;
  }

  /** Everything that a page is sent. */
  function recordAll(page: Page, into: Said[]): () => Promise<unknown> {
    const parts: Promise<unknown>[] = [];
    page.on('response', (response) => {
      const from = `page: ${response.url()}`;
      const keep = (text: string) => void into.push({ from, text });
      parts.push(response.text().then(keep, () => {}));
    });
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => into.push({ from: 'page: socket', text: payload.toString() })),
    );
    page.on('console', (message) => into.push({ from: 'page: console', text: message.text() }));
    return () => Promise.all(parts);
  }

  const INSIDE = [
    /\bat (?:async )?[\w.<>]+ \((?:file:|\/|node:)/,
    /file:\/\/\//,
    /\/(?:work|root|home|usr)\/[\w.-]+\//,
    /ECONNREFUSED/,
  ];

  test.each(TOPOLOGIES)('%s: nothing of the inside, in answers, pages, sockets and logs', async (topology) => {
    if (topology === 'inline, on Redis' && !hasRedis) return;
    const world = await start(topology);
    const { discord, url, log, worker, workerLog, linkPort } = world;
    const vera = await discord.people.create({ name: 'Vera' });
    const { cookie, tokens } = await logIn(world, vera);
    const page = await pageOf(browser, url, cookie);
    const said: Said[] = [];
    const recorded = recordAll(page, said);

    await page.goto(url);
    await page.getByLabel('New room').fill('Audit');
    await page.getByRole('button', { name: 'Create room' }).click();
    await page.getByRole('heading', { name: 'Audit' }).waitFor();
    await untilLive(page);
    const channelId = page.url().split('/').at(-1) ?? '';
    await vera.joinVoice(channelId);
    await page.locator('.player-name', { hasText: 'Vera' }).waitFor();
    await page.getByLabel('Message', { exact: true }).fill(WORDS);
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('.message-text', { hasText: WORDS }).waitFor();
    await page.getByRole('button', { name: 'Invite players' }).click();
    const invite = await page.getByLabel('Invite link, good for a day').inputValue();
    said.push(...(await askEverything(url, cookie, channelId)));
    // Discord fails: what it said is not handed on.
    discord.faults.disturbRest({ answer: 403, method: 'POST', path: '/guilds' });
    await page.goto(url);
    await page.getByLabel('New room').fill('Never');
    await page.getByRole('button', { name: 'Create room' }).click();
    await page.getByRole('alert').getByText('Discord did not create the room').waitFor();
    discord.faults.clear();
    if (worker !== undefined) {
      for (const path of ['/health', '/metrics', '/nothing']) {
        said.push({ from: `worker ${path}`, text: await (await fetch(new URL(path, worker.healthUrl))).text() });
      }
      const refused = await fetch(`http://127.0.0.1:${linkPort}/link`).catch(() => undefined);
      said.push({ from: 'worker link', text: (await refused?.text()) ?? '' });
    }
    await recorded();

    expect(
      said.some(({ text }) => text.includes('voice.joined')),
      'the recorder hears the socket',
    ).toBe(true);
    expect(
      said.some(({ text }) => text.includes('Your rooms')),
      'the recorder reads pages',
    ).toBe(true);
    const forbidden = forbiddenIn(world, tokens);
    expectNone(said, forbidden);
    const addresses = {
      "Discord's address": new URL(discord.connection.apiBase).host,
      "the worker's address": `:${linkPort}`,
    };
    expectNone(said, addresses);
    for (const inside of INSIDE)
      expect(said.filter(({ text }) => inside.test(text)).map(({ from }) => from)).toEqual([]);

    await page.context().close();
    const lines: Said[] = [...log, ...workerLog].map((text) => ({ from: `log: ${text.slice(0, 300)}`, text }));
    expect(lines.length).toBeGreaterThan(20);
    expectNone(lines, {
      ...forbidden,
      cookie: cookie.split('=')[1] ?? '',
      invite: new URL(invite).searchParams.get('invite') ?? '',
      'words of the chat': WORDS,
    });
    expect(
      lines.filter(({ text }) => /eyJ[\w-]+\.[\w-]+\.[\w-]+/.test(text)),
      'no JWT of any kind',
    ).toEqual([]);
  });

  test('the log tells of sockets, rooms, events, commands and failures, and one trace id leads through it', async () => {
    const world = await start('link');
    const { discord, url, log, workerLog } = world;
    const tom = await discord.people.create({ name: 'Tom' });
    const { cookie } = await logIn(world, tom);
    const page = await pageOf(browser, url, cookie);
    const frames: { event: string; traceId?: string; payload: { userId?: string } }[] = [];
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => frames.push(JSON.parse(payload.toString()))),
    );
    await page.goto(url);
    await page.getByLabel('New room').fill('Traces');
    await page.getByRole('button', { name: 'Create room' }).click();
    await page.getByRole('heading', { name: 'Traces' }).waitFor();
    await untilLive(page);
    await tom.joinVoice(page.url().split('/').at(-1) ?? '');
    await page.locator('.player-name', { hasText: 'Tom' }).waitFor();
    await page.getByLabel('Message', { exact: true }).fill('Hello');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('.message-text', { hasText: 'Hello' }).waitFor();

    const { traceId } = frames.find(({ event }) => event === 'voice.joined') ?? {};
    expect(traceId).toMatch(/\S{8,}/);
    const lines = () =>
      log.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
    const find = (msg: string, fits: (line: Record<string, unknown>) => boolean) =>
      vi.waitFor(
        () => {
          const found = lines().find((line) => line.msg === msg && fits(line));
          if (found === undefined) throw new Error(`no line "${msg}"`);
          return found;
        },
        { timeout: PATIENCE_MS },
      );
    const joined = await find('event of Discord', ({ event }) => event === 'voice.joined');
    expect(joined).toMatchObject({ level: 30, traceId, userId: tom.id });
    const command = await find('command of a player', ({ name }) => name === 'sendMessage');
    expect(command).toMatchObject({ userId: tom.id, outcome: 'ok', status: 200, latencyMs: expect.any(Number) });
    // The worker, which carried it out, says the same id.
    await vi.waitFor(() => expect(workerLog.some((line) => line.includes(String(command.traceId)))).toBe(true), {
      timeout: PATIENCE_MS,
    });
    discord.faults.disturbRest({ answer: 403, method: 'POST', path: '/guilds' });
    await page.goto(url);
    await page.getByLabel('New room').fill('Never');
    await page.getByRole('button', { name: 'Create room' }).click();
    await page.getByRole('alert').getByText('Discord did not create the room').waitFor();
    await page.context().close();
    const facts = { userId: tom.id, connectionId: expect.any(String) };
    for (const line of [
      { msg: 'hub connection opened', ...facts },
      { msg: 'hub connection closed', ...facts, code: expect.any(Number) },
      { msg: 'room created', creatorId: tom.id, channelId: expect.any(String) },
      { msg: 'a request of a player failed', level: 40, code: 'ERR_ROOM_DISCORD_FAILED' },
    ]) {
      await vi.waitFor(() => expect(lines()).toContainEqual(expect.objectContaining(line)), { timeout: PATIENCE_MS });
    }
  });

  test('what is built for browsers holds no source map, no server code and no name of a secret', () => {
    const files = readdirSync(new URL('client/', distUrl), { recursive: true, encoding: 'utf8' })
      .map((name) => join(fileURLToPath(new URL('client/', distUrl)), name))
      .filter((path) => /\.\w+$/.test(path));
    expect(files.length).toBeGreaterThan(5);
    for (const path of files) {
      expect(path).not.toMatch(/\.map$/);
      if (!/\.(js|css|svg|html)$/.test(path)) continue;
      const text = readFileSync(path, 'utf8');
      for (const pattern of [
        /sourceMappingURL/,
        /node:(crypto|fs|http|net)/,
        /SESSION_SECRET|INVITE_SECRET|HUB_SECRET|LINK_TOKEN|DISCORD_BOT_TOKEN|DISCORD_CLIENT_SECRET|REDIS_URL/,
        /file:\/\/\//,
        /127\.0\.0\.1/,
      ]) {
        expect(text, path).not.toMatch(pattern);
      }
    }
  });

  test('every route of the app is among those that are asked', () => {
    const { gets, others } = waysIn('1');
    const asked = [...gets, ...others.map(([, path]) => path)];
    const routes = readdirSync(ROUTES, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.startsWith('__root'))
      // `[.]` is a dot, others part the path; a parameter is anything.
      .map(
        (name) =>
          `/${name
            .replace(/\.tsx?$/, '')
            .replaceAll(/(?<!\[)\.(?!\])/g, '/')
            .replaceAll('[.]', '.')}`,
      )
      .map((path) => path.replace(/\/index$/, '/').replace(/\$\w+$/, ''));
    expect(routes.length).toBeGreaterThan(8);
    expect(routes.filter((route) => !asked.some((path) => path.startsWith(route)))).toEqual([]);
  });
});

/** Every way in, those that lead nowhere too. */
function waysIn(channelId: string) {
  const asset = readdirSync(new URL('client/assets/', distUrl)).find((name) => name.endsWith('.js')) ?? '';
  const gets = [
    '/',
    `/room/${channelId}`,
    '/room/1',
    `/join/${channelId}?invite=not-an-invite`,
    '/ops',
    '/health',
    '/metrics',
    '/.well-known/jwks.json',
    '/favicon.svg',
    `/assets/${asset}`,
    `/assets/${asset}.map`,
    '/assets/nothing.js',
    '/nothing/here',
    '/%',
    '/%2e%2e/%2e%2e/package.json',
    '/.env',
    '/auth/discord/login?returnTo=https://evil.example',
    '/auth/discord/callback',
    '/auth/discord/callback?code=x&state=y',
    '/auth/discord/callback?error=access_denied&state=y',
    '/auth/discord/logout',
    '/api/token',
    '/api/create-room',
    '/api/end-room/1',
    '/api/internal/events',
    '/api/ops',
    '/api/ws',
    '/api/media',
    '/api/stream',
    '/api/stream?rooms=guild:1',
    '/api/commands',
    '/api/nothing',
    '/_serverFn/nothing',
  ];
  const others: readonly (readonly [method: string, path: string, body: string | undefined])[] = [
    ['POST', '/api/create-room', '{"userLimit":99}'],
    ['POST', '/api/create-room', '{'],
    ['DELETE', `/api/end-room/${channelId}1`, undefined],
    ['DELETE', '/api/end-room/not-an-id', undefined],
    ['POST', '/api/internal/events', '{"event":"voice.joined"}'],
    ['POST', '/api/commands', '{"v":1,"type":"command","id":"a","payload":{"name":"__proto__","input":{}}}'],
    ['POST', '/api/commands', 'x'.repeat(100_000)],
    ['POST', '/auth/discord/logout', undefined],
    ['POST', '/_serverFn/nothing', '{}'],
    ['PUT', '/', 'x'],
    ['OPTIONS', '/api/stream', undefined],
  ];
  return { gets, others };
}

async function pageOf(browser: Browser, url: string, cookie: string): Promise<Page> {
  const context: BrowserContext = await browser.newContext();
  const [name = '', value = ''] = cookie.split(/=(.*)/s);
  await context.addCookies([{ name, value, url, httpOnly: true, sameSite: 'Lax' }]);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  return page;
}

/** Keeps every line, also those of DEBUG. */
function keepingLogger(lines: string[]): Logger {
  const keep = (level: string) => (fields: object, message: string) =>
    void lines.push(JSON.stringify({ level, ...fields, message }));
  return { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
}
