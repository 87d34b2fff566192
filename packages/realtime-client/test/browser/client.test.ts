/** The built client in Chromium, by each way to the hub. */
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { HubOptions } from '../support/scripted-hub.js';
import type { HttpStand } from '../support/stands.js';
import {
  bundle,
  createLine,
  joinedOf,
  launch,
  pageStand,
  startClient,
  statusOf,
  until,
  untilJoined,
  untilLive,
  type Way,
} from './support.js';

let browser: Browser;
let script: string;
beforeAll(async () => {
  browser = await launch();
  script = await bundle("import * as kit from '@guildkit/realtime-client'; globalThis.kit = kit;");
});
afterAll(() => browser?.close());

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

interface World {
  readonly stand: HttpStand;
  readonly context: BrowserContext;
  readonly page: Page;
}

async function start(
  way: Way,
  options: HubOptions = {},
  token = 'good',
  at?: (stand: HttpStand) => string,
): Promise<World> {
  const stand = await pageStand(script, options);
  open.push(stand);
  if (way === 'fallback') stand.noWebSockets = true;
  const context = await browser.newContext();
  open.push(context);
  const page = await context.newPage();
  await page.goto(at?.(stand) ?? stand.origin);
  await page.evaluate((value) => sessionStorage.setItem('token', value), token);
  await startClient(page, way);
  return { stand, context, page };
}

describe.each<Way>(['WebSocket', 'SSE', 'fallback'])('in Chromium, over %s', (way) => {
  it('brings a room to its state and every event once, across a server that goes and comes back', async () => {
    const { stand, page } = await start(way);
    await untilLive(page);
    stand.hub.join('10', 'a');
    await untilJoined(page, 1);
    stand.hub.down = true;
    stand.hub.cut();
    stand.hub.join('10', 'b');
    await page.waitForFunction(() => globalThis.client.state.status !== 'open');
    stand.hub.down = false;
    await page.evaluate(() => globalThis.client.reconnect());
    await untilLive(page);
    stand.hub.join('10', 'c');
    await untilJoined(page, 3);
    expect(await joinedOf(page)).toEqual(['a', 'b', 'c']);
  });

  it('notices a line that has gone silent, and recovers what it missed', async () => {
    const stand = await pageStand(script, { welcome: { heartbeatMs: 300 } });
    open.push(stand);
    if (way === 'fallback') stand.noWebSockets = true;
    const line = await createLine((stand.server.address() as AddressInfo).port);
    open.push(line);
    const context = await browser.newContext();
    open.push(context);
    const page = await context.newPage();
    await page.goto(line.origin);
    await startClient(page, way);
    await untilLive(page);
    line.freeze();
    stand.hub.join('10', 'missed');
    if (way === 'WebSocket') {
      await page.waitForFunction(() => globalThis.client.state.status !== 'open', undefined, {
        timeout: 30_000,
        polling: 50,
      });
      line.renew();
      await untilLive(page);
    } else {
      // The beat of this transport is 15 s, but a page that is online again looks at once: a stream that answers takes the
      // place of the silent one.
      await page.evaluate(() => globalThis.dispatchEvent(new Event('online')));
      await untilJoined(page, 1);
    }
    expect(await joinedOf(page)).toEqual(['missed']);
  });

  it('waits while the page is offline, and comes back at once when it is not', async () => {
    const { stand, context, page } = await start(way, { welcome: { retry: { maxAttempts: 3, baseMs: 5, capMs: 20 } } });
    await untilLive(page);
    await context.setOffline(true);
    stand.cut();
    await until(page, 'waiting');
    const view = await page.evaluate(() => globalThis.client.state);
    expect(view.nextAttemptAt).toBeUndefined();
    stand.hub.join('10', 'meanwhile');
    await context.setOffline(false);
    await untilLive(page);
    expect(await joinedOf(page)).toEqual(['meanwhile']);
    expect((await page.evaluate(() => globalThis.client.state)).attempt).toBe(view.attempt);
  });

  it('fetches another token when one is refused', async () => {
    const { page } = await start(way, {}, 'stale');
    await untilLive(page);
    expect(await page.evaluate(() => globalThis.client.stats().errors)).toMatchObject({ ERR_REALTIME_AUTH_REFUSED: 1 });
  });

  it('gives up after five tries, until the user wants it again', async () => {
    const { stand, page } = await start(way);
    await untilLive(page);
    stand.hub.down = true;
    stand.hub.cut();
    await until(page, 'manual');
    expect((await page.evaluate(() => globalThis.client.state)).attempt).toBe(5);
    stand.hub.down = false;
    await page.evaluate(() => globalThis.client.reconnect());
    await untilLive(page);
  });

  it('sends commands', async () => {
    const { page } = await start(way);
    await untilLive(page);
    expect(await page.evaluate(() => globalThis.client.command('say', { text: 'hi' }))).toEqual({ text: 'hi' });
  });

  it('opens on a slow network', async () => {
    const { context, page } = await start(way);
    const session = await context.newCDPSession(page);
    await session.send('Network.enable');
    await session.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 400,
      downloadThroughput: 20_000,
      uploadThroughput: 20_000,
    });
    await page.evaluate(() => {
      globalThis.client.close();
      globalThis.client.connect();
    });
    await untilLive(page);
  });
});

describe('a page in the background', () => {
  it('looks at once, when it is thawed, whether the connection lives', async () => {
    const { stand, context, page } = await start('WebSocket', { welcome: { heartbeatMs: 500 } });
    await untilLive(page);
    const session = await context.newCDPSession(page);
    await session.send('Page.setWebLifecycleState', { state: 'frozen' });
    // The connection goes while the page sleeps.
    stand.hub.cut();
    stand.hub.join('10', 'asleep');
    await session.send('Page.setWebLifecycleState', { state: 'active' });
    await untilJoined(page, 1);
    await untilLive(page);
    expect(await joinedOf(page)).toEqual(['asleep']);
  });
});

describe('several tabs', () => {
  it('use one connection, and another tab takes over when the one that holds it goes', async () => {
    const { stand, context, page: first } = await start('tabs');
    await untilLive(first);
    const others = [await context.newPage(), await context.newPage()];
    for (const page of others) {
      await page.goto(stand.origin);
      await startClient(page, 'tabs');
      await untilLive(page);
    }
    expect(stand.hub.connections.size).toBe(1);
    stand.hub.join('10', 'a');
    for (const page of [first, ...others]) await untilJoined(page, 1);
    await first.close();
    await vi.waitFor(() => expect(stand.hub.all.length).toBeGreaterThan(1), { timeout: 30_000 });
    for (const page of others) await untilLive(page);
    expect(stand.hub.connections.size).toBe(1);
    stand.hub.join('10', 'b');
    for (const page of others) {
      await page.waitForFunction(() => globalThis.joined.at(-1) === 'b', undefined, { timeout: 30_000, polling: 50 });
      expect(await joinedOf(page)).toEqual(['a', 'b']);
      expect(await statusOf(page)).toBe('open');
    }
  });
});
