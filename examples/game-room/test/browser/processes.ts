/** Owns the built app as a process that can be killed, beside a sandbox that outlives it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Sandbox } from '@guildkit/sandbox';
import type { Browser, Page } from 'playwright-core';
import { PATIENCE_MS } from './harness.js';

const program = fileURLToPath(
  new URL(`../../${process.env.GAME_ROOM_DIST ?? 'dist'}/server/serve.js`, import.meta.url),
);

/** A free port that stays free: below those that the system gives to outgoing connections (32768 and above on Linux). */
export async function freePort(): Promise<string> {
  for (;;) {
    const server = createServer();
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return String(port);
  }
}

/** The app, started anew as often as it was killed. */
export interface AppProcess {
  readonly url: string;
  /** SIGKILL: no word to anybody. Resolves when it is gone. */
  kill(): Promise<void>;
  /** As a supervisor does: the same settings, the same port. Resolves when it listens. */
  start(): Promise<void>;
}

/** The app against the sandbox, with settings that stay the same from one process to the next. Not started yet. */
export async function createAppProcess(
  sandbox: Sandbox,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<AppProcess> {
  const { connection, oauth } = sandbox;
  const port = await freePort();
  let child: ChildProcess | undefined;
  return {
    // The origin that the app takes itself to be at.
    url: `http://localhost:${port}`,
    async kill() {
      if (child === undefined) return;
      const gone = once(child, 'close');
      child.kill('SIGKILL');
      child = undefined;
      await gone;
    },
    async start() {
      const started = spawn(process.execPath, [program], {
        env: {
          PATH: process.env.PATH,
          PORT: port,
          LOG_LEVEL: 'silent',
          DISCORD_BOT_TOKEN: connection.token,
          PRIMARY_GUILD_ID: connection.guildId,
          DISCORD_API_BASE: connection.apiBase,
          DISCORD_CLIENT_ID: oauth.clientId,
          DISCORD_CLIENT_SECRET: oauth.clientSecret,
          SESSION_SECRET: 'a-session-secret-of-32-characters-or-more',
          INVITE_SECRET: 'an-invite-secret-of-32-characters-or-more',
          ...env,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = started;
      let complaint = '';
      started.stderr.on('data', (chunk) => {
        complaint += String(chunk);
      });
      await new Promise<void>((resolve, reject) => {
        createInterface({ input: started.stdout }).on('line', (line) => line.includes('is running at') && resolve());
        started.once('close', (code) => reject(new Error(`the app ended with ${code}: ${complaint}`)));
      });
    },
  };
}

/** Opens a page of somebody who is logged in at an app of another process. */
export async function openPageAt(
  browser: Browser,
  { url }: AppProcess,
  sandbox: Sandbox,
  person: { readonly id: string },
): Promise<Page> {
  const cookieOf = (response: Response): string =>
    (response.headers.getSetCookie().at(-1) ?? '').split(';', 1)[0] ?? '';
  const asked = await fetch(`${url}/auth/discord/login`, { redirect: 'manual' });
  const back = sandbox.oauth.approve(asked.headers.get('location') ?? '', person);
  const done = await fetch(back, { redirect: 'manual', headers: { cookie: cookieOf(asked) } });
  const [name = '', value = ''] = cookieOf(done).split(/=(.*)/s);
  const context = await browser.newContext();
  await context.addCookies([{ name, value, domain: 'localhost', path: '/', httpOnly: true, sameSite: 'Lax' }]);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  return page;
}
