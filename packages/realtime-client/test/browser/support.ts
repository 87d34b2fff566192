/** What the tests in Chromium stand on: the built package bundled for a page, a hub, a line between that can fail. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type * as Kit from '@guildkit/realtime-client';
import { CHROMIUM_FLAGS, chromiumPath } from '@guildkit/testkit';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { HubOptions } from '../support/scripted-hub.js';
import { type HttpStand, httpStand, overWebSocket } from '../support/stands.js';

declare global {
  /** The package, and what a test made with it. */
  var kit: typeof Kit;
  var client: Kit.RealtimeClient;
  var room: Kit.Room;
  var joined: string[];
}

const here = fileURLToPath(new URL('.', import.meta.url));

/** Bundles code for a page as a user's bundler does: the built packages, with the condition `browser`. */
export async function bundle(contents: string, loader: 'ts' | 'tsx' = 'ts'): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, loader, resolveDir: here },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  return outputFiles[0]?.text ?? '';
}

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath() as string, args: CHROMIUM_FLAGS });

/** A line to the hub that can fall silent without ending. */
export interface Line {
  readonly origin: string;
  /** Nothing passes any more, and nobody is told. */
  freeze(): void;
  /** What is under way ends; new connections pass. */
  renew(): void;
  close(): void;
}

export async function createLine(port: number): Promise<Line> {
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const each of pair) {
      each.on('error', () => {});
      each.on('close', () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    freeze() {
      for (const [near, far] of pairs) {
        near.unpipe(far).pause();
        far.unpipe(near).pause();
      }
    },
    renew() {
      for (const [near] of pairs) near.destroy();
    },
    close() {
      server.close();
      for (const [near] of pairs) near.destroy();
    },
  };
}

const PAGE =
  '<!doctype html><meta charset="utf-8"><title>test</title><div id="root"></div><script type="module" src="/page.js"></script>';

/** A hub whose server has a page too. */
export async function pageStand(script: string, options: HubOptions = {}): Promise<HttpStand> {
  const stand = await httpStand(overWebSocket, options);
  stand.files.set('/', { type: 'text/html', body: PAGE });
  stand.files.set('/page.js', { type: 'text/javascript', body: script });
  return stand;
}

/** How the client in a page reaches the hub. */
export type Way = 'WebSocket' | 'SSE' | 'fallback' | 'tabs';

/** Starts a client in the page, with a room and a list of who joined. */
export async function startClient(page: Page, way: Way): Promise<void> {
  await page.waitForFunction(() => globalThis.kit !== undefined);
  await page.evaluate((how) => {
    const { kit } = globalThis;
    const socket = kit.webSocketTransport({ url: '/api/ws' });
    const sse = kit.sseTransport({ url: '/api/stream' });
    const transport = {
      WebSocket: () => socket,
      SSE: () => sse,
      fallback: () => kit.fallbackTransport([socket, sse], sessionStorage),
      tabs: () => kit.sharedTransport(socket, { name: 'test' }),
    }[how]();
    globalThis.client = new kit.RealtimeClient({
      transport,
      commands: kit.createCommandQueue(),
      // A test that needs a refused token stores it first.
      getToken: ({ refused }) => (refused ? 'good' : (sessionStorage.getItem('token') ?? 'good')),
    });
    globalThis.joined = [];
    globalThis.room = globalThis.client.room('channel:10');
    globalThis.room.on('voice.joined', ({ userId }) => globalThis.joined.push(userId));
    globalThis.client.connect();
  }, way);
}

/** Pages in the background draw nothing: what is waited for is asked for, not drawn. */
export const statusOf = (page: Page) => page.evaluate(() => globalThis.client.state.status);
export const joinedOf = (page: Page) => page.evaluate(() => globalThis.joined);
export const until = (page: Page, status: string) =>
  page.waitForFunction((wanted) => globalThis.client.state.status === wanted, status, { timeout: 30_000, polling: 50 });
export const untilLive = (page: Page) =>
  page.waitForFunction(
    () => globalThis.client.state.status === 'open' && globalThis.room.status === 'live',
    undefined,
    { timeout: 30_000, polling: 50 },
  );
export const untilJoined = (page: Page, count: number) =>
  page.waitForFunction((wanted) => globalThis.joined.length >= wanted, count, { timeout: 30_000, polling: 50 });
