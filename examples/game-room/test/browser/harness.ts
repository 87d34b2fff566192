/** Owns what the browser tests stand on: the built app, a line to it that can be cut, pages. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Sandbox } from '@guildkit/sandbox';
import { CHROMIUM_FLAGS, chromiumPath } from '@guildkit/testkit';
import type { AxeResults } from 'axe-core';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { Running, serve as serveApp } from '../../src/serve.js';

/** How long a condition may take on a busy machine. */
export const PATIENCE_MS = 30_000;

/** The folder of the build, from the app's own; `GAME_ROOM_DIST` names another than `dist`. */
const DIST = process.env.GAME_ROOM_DIST ?? 'dist';
const serveUrl = new URL(`../../${DIST}/server/serve.js`, import.meta.url).href;

/** Starts the built app on a free port, silent. */
export async function startApp(env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const { serve } = (await import(serveUrl)) as { serve: typeof serveApp };
  return serve({ PORT: '0', LOG_LEVEL: 'silent', ...env });
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath() as string, args: CHROMIUM_FLAGS });
}

/** A line between browser and app. Cut, it drops what it carries and takes nothing new. */
export interface Line {
  readonly url: string;
  cut(): void;
  mend(): void;
  /** From now on nothing of the app comes through, while its connections stay. */
  stall(): void;
  /** What was held up comes through. */
  flow(): void;
  close(): Promise<void>;
}

/** @param target Asked for its address with each connection: the line may be there first. */
export async function createLine(target: Server | { address(): AddressInfo | string | null }): Promise<Line> {
  const sockets = new Set<Socket>();
  /** From the app's end of each connection to the page's. */
  const ways = new Map<Socket, Socket>();
  let whole = true;
  let flowing = true;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  };
  const server = createServer((near) => {
    keep(near);
    if (!whole) {
      near.destroy();
      return;
    }
    const far = connect((target.address() as AddressInfo | null)?.port ?? 0, '127.0.0.1');
    keep(far);
    near.pipe(far);
    ways.set(far, near);
    if (flowing) far.pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => {
      ways.delete(far);
      near.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    whole = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      whole = true;
    },
    stall: () => {
      flowing = false;
      for (const [far, near] of ways) far.unpipe(near);
    },
    flow: () => {
      flowing = true;
      for (const [far, near] of ways) far.pipe(near);
    },
    close: () => {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** What a player's browser holds after a login. Made without a browser: the consent page has tests of its own. */
export async function loginCookie({ app, url }: Running, person: { readonly id: string }, sandbox = app.sandbox) {
  if (sandbox === undefined) throw new Error('there is no sandbox to log in at');
  const firstOf = (response: Response): string => (response.headers.getSetCookie().at(-1) ?? '').split(';', 1)[0] ?? '';
  const login = await app.login.sessions.loginHandler(new Request(`${url}/auth/discord/login`));
  const back = sandbox.oauth.approve(login.headers.get('location') ?? '', person);
  const done = await app.login.sessions.callbackHandler(new Request(back, { headers: { cookie: firstOf(login) } }));
  return firstOf(done);
}

/** Makes a browser that shares nothing with others the person's own. */
export async function logIn(
  context: BrowserContext,
  running: Running,
  person: { readonly id: string },
  sandbox?: Sandbox,
): Promise<void> {
  const [name = '', value = ''] = (await loginCookie(running, person, sandbox)).split(/=(.*)/s);
  // Cookies do not look at ports: one for a host is good on a line to it as well.
  const hosts = ['127.0.0.1', 'localhost'];
  await context.addCookies(
    hosts.map((domain) => ({ name, value, domain, path: '/', httpOnly: true, sameSite: 'Lax' })),
  );
}

/** A page of somebody who is logged in. */
export async function openPage(
  browser: Browser,
  running: Running,
  person: { readonly id: string },
  options: BrowserContextOptions & { readonly sandbox?: Sandbox } = {},
): Promise<Page> {
  const { sandbox, ...rest } = options;
  const context = await browser.newContext(rest);
  await logIn(context, running, person, sandbox);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  return page;
}

/** Opens a page whose list of players is watched: a name that ever stands there twice is remembered. */
export async function openRoom(
  browser: Browser,
  running: Running,
  channelId: string,
  { url = running.url, person }: { readonly url?: string; readonly person: { readonly id: string } },
): Promise<Page> {
  const page = await openPage(browser, running, person, { viewport: { width: 1280, height: 800 } });
  await watchDoubles(page);
  await page.goto(`${url}/room/${channelId}`);
  await untilLive(page);
  return page;
}

/** From the next page on: remembers names that ever stand in the list of players twice. */
export async function watchDoubles(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const seen = { doubles: [] as string[] };
    Object.assign(window, { seen });
    new MutationObserver(() => {
      const users = [...document.querySelectorAll<HTMLElement>('[data-testid=players] [data-user]')].map(
        (player) => player.dataset.user ?? '',
      );
      seen.doubles.push(...users.filter((user, at) => users.indexOf(user) !== at));
    }).observe(document, { subtree: true, childList: true });
  });
}

/** Players that stood in the list twice at any moment. */
export function doublesOf(page: Page): Promise<string[]> {
  return page.evaluate(() => (window as unknown as { seen: { doubles: string[] } }).seen.doubles);
}

export async function untilLive(page: Page): Promise<void> {
  await untilConnection(page, 'Live');
  await page.locator('[data-testid=count]', { hasText: /in voice$/ }).waitFor();
}

export async function untilConnection(page: Page, label: string): Promise<void> {
  await page.locator('[data-testid=connection]', { hasText: label }).waitFor();
}

/** Waits until exactly these people are shown, in this order. */
export async function untilPlayers(page: Page, names: readonly string[]): Promise<void> {
  try {
    await page.waitForFunction((wanted) => {
      const shown = [...document.querySelectorAll('[data-testid=players] .player-name')].map(
        (name) => name.textContent,
      );
      return JSON.stringify(shown) === JSON.stringify(wanted);
    }, names as string[]);
  } catch (error) {
    const shown = await page.locator('.player-name').allTextContents();
    throw new Error(`The page shows [${shown.join(', ')}], not [${names.join(', ')}].`, { cause: error });
  }
}

/** The activity list, oldest first. */
export async function activityOf(page: Page): Promise<string[]> {
  return (await page.locator('[data-testid=activity] li > span').allTextContents()).reverse();
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe finds wrong with a page. */
export async function faultsOf(page: Page): Promise<string[]> {
  await page.evaluate(axeSource);
  const results = await page.evaluate(() => (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run());
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`);
}
