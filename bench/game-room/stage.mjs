/** What all parts stand on: sandbox, app and worker as processes of their own, players who are logged in, pages. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { callsTo } from '../lib/calls.mjs';
import { messageFrom, startProcess } from '../lib/processes.mjs';
import { nowMs } from '../lib/stats.mjs';

const SECRET = 'a-secret-of-32-characters-or-more-for-the-bench';
const fromRoot = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const APP = fromRoot(`examples/game-room/${process.env.GAME_ROOM_DIST ?? 'dist'}/server/serve.js`);
const WORKER = fromRoot(`examples/gateway-worker/${process.env.GATEWAY_WORKER_DIST ?? 'dist'}/main.mjs`);

/** Below those that the system gives to outgoing connections. */
async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const isFree = await new Promise((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return String(port);
  }
}

/** Everything that is running. It ends with this process. */
const running = new Set();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program with settings, started as often as it is wanted. `ready`: the line that says it is. */
function createProgram(file, env, ready) {
  let child;
  return {
    startedAt: 0,
    get pid() {
      return child.pid;
    },
    async start() {
      child = spawn(process.execPath, [file], {
        env: { PATH: process.env.PATH, ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const started = child;
      running.add(started);
      started.once('exit', () => running.delete(started));
      await new Promise((resolve, reject) => {
        createInterface({ input: started.stdout }).on('line', (line) => line.includes(ready) && resolve());
        started.once('exit', (code, signal) => reject(new Error(`${file} ended with ${signal ?? code}`)));
      });
      this.startedAt = nowMs();
    },
    /** `kill -9`. Resolves when it is gone. */
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/**
 * Opens sandbox, app and, but for `inline`, worker.
 *
 * @param {{ browser: import('playwright-core').Browser, topology?: 'inline' | 'webhook' | 'link', sandbox?: object }} options
 */
export async function openStage({ browser, topology = 'inline', sandbox = { rateLimits: false } }) {
  const directory = await mkdtemp(join(tmpdir(), 'game-room-bench-'));
  const child = startProcess(new URL('discord.mjs', import.meta.url), [JSON.stringify(sandbox)]);
  await messageFrom(child, 'ready');
  const discord = callsTo(child);
  const about = await discord.about();
  const { token, apiBase, guildId } = about.connection;
  const [port, linkPort] = [await freePort(), await freePort()];
  const url = `http://localhost:${port}`;
  const shared = {
    TOPOLOGY: topology,
    DISCORD_BOT_TOKEN: token,
    PRIMARY_GUILD_ID: guildId,
    DISCORD_API_BASE: apiBase,
    HUB_SECRET: SECRET,
    LINK_TOKEN: SECRET,
  };
  const app = createProgram(
    APP,
    {
      ...shared,
      PORT: port,
      LOG_LEVEL: 'error',
      DISCORD_CLIENT_ID: about.clientId,
      DISCORD_CLIENT_SECRET: about.clientSecret,
      SESSION_SECRET: SECRET,
      INVITE_SECRET: SECRET,
      LINK_URL: `ws://127.0.0.1:${linkPort}/link`,
      STATE_DIRECTORY: join(directory, 'app'),
    },
    'is running at',
  );
  const worker = createProgram(
    WORKER,
    {
      ...shared,
      PORT: linkPort,
      HEALTH_CHECK_PORT: '0',
      HUB_ENDPOINT: `${url}/api/internal/events`,
      STATE_DIRECTORY: join(directory, 'worker'),
    },
    'worker started',
  );
  if (topology !== 'inline') await worker.start();
  await app.start();
  for (;;) {
    const { ok } = await fetch(`${url}/health`);
    if (ok) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  /** The cookie that a browser holds after a login, made without one. */
  async function logIn(userId) {
    const cookieOf = (response) => (response.headers.getSetCookie().at(-1) ?? '').split(';', 1)[0];
    const asked = await fetch(`${url}/auth/discord/login`, { redirect: 'manual' });
    const back = await discord.approve({ location: asked.headers.get('location'), userId });
    const done = await fetch(back, { redirect: 'manual', headers: { cookie: cookieOf(asked) } });
    return cookieOf(done);
  }

  /** A page of its own browser context; with `userId` that person is logged in. */
  async function openPage({ userId, way = 'ws', init } = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    if (userId !== undefined) {
      const [name, value] = (await logIn(userId)).split(/=(.*)/s);
      await context.addCookies([{ name, value, domain: 'localhost', path: '/', httpOnly: true, sameSite: 'Lax' }]);
    }
    const page = await context.newPage();
    // What the page itself keeps once the way of WebSockets has failed it.
    if (way === 'sse') await page.addInitScript(() => sessionStorage.setItem('guildkit.transport', '1'));
    if (init !== undefined) await page.addInitScript(init);
    return page;
  }

  return {
    url,
    discord,
    app,
    worker,
    channelId: about.channelId,
    connection: about.connection,
    logIn,
    openPage,
    startSockets: async (input) => {
      const sockets = startProcess(new URL('sockets.mjs', import.meta.url), [JSON.stringify({ url, ...input })]);
      await messageFrom(sockets, 'ready');
      return { ...{ calls: callsTo(sockets) }, end: () => sockets.kill('SIGKILL') };
    },
    async close() {
      await Promise.all(browser.contexts().map((context) => context.close()));
      await app.kill();
      await worker.kill();
      child.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Resident memory of a process, MB: now, and the most it ever had. */
export async function memoryOf(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const of = (name) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}
