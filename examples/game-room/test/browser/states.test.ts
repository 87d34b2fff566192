/** The states of pages that go wrong: each says what it is, in its place, without moving the rest. */
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { CHROMIUM_FLAGS, chromiumPath } from '@guildkit/testkit';
import { type Browser, chromium, type Page, type WebSocketRoute } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Running } from '../../src/serve.js';
import { faultsOf, openPage, startApp, untilConnection, untilLive } from './harness.js';

const FAKES = ['--use-fake-device-for-media-stream=fps=15', '--use-fake-ui-for-media-stream'];
const NARROW = { width: 390, height: 800 };

describe.skipIf(chromiumPath() === undefined)('pages in trouble', () => {
  let browser: Browser;
  let running: Running;
  const pages: Page[] = [];
  const sandbox = () => running.app.sandbox as Sandbox;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath() as string, args: [...CHROMIUM_FLAGS, ...FAKES] });
    running = await startApp();
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
  });
  afterAll(async () => {
    await browser?.close();
    await running?.close();
  });

  async function pageOf(name: string): Promise<{ page: Page; channelId: string }> {
    const person = await sandbox().people.create({ name });
    const { channelId } = await running.app.rooms.create({ creatorId: person.id, name: `${name}s room` });
    const page = await openPage(browser, running, person, { viewport: NARROW, reducedMotion: 'reduce' });
    pages.push(page);
    return { page, channelId };
  }
  const overhang = (page: Page) =>
    page.evaluate(() =>
      [...document.querySelectorAll('body *')]
        .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && each.checkVisibility())
        .map((each) => each.className),
    );

  test('a lost connection is said until it is back; nothing hangs over', async () => {
    const { page, channelId } = await pageOf('Lotte');
    let isCut = false;
    const sockets: WebSocketRoute[] = [];
    await page.routeWebSocket(/\/api\/ws/, (socket) => {
      if (isCut) return void socket.close({ code: 1011 });
      const server = socket.connectToServer();
      sockets.push(server, socket);
    });
    await page.goto(`${running.url}/room/${channelId}`);
    await untilLive(page);
    isCut = true;
    await page.route(/\/api\/stream/, (route) => route.abort());
    for (const socket of sockets) await socket.close({ code: 1011 }).catch(() => {});
    const notice = page.locator('[data-testid=notice]');
    await notice.getByText('Connection lost.').waitFor();
    await page.locator('[data-testid=connection]', { hasText: 'Reconnecting' }).waitFor();
    expect(await overhang(page)).toEqual([]);
    expect(await faultsOf(page)).toEqual([]);
    isCut = false;
    await page.unroute(/\/api\/stream/);
    await untilConnection(page, 'Live');
    await notice.waitFor({ state: 'detached' });
  });

  test('a camera that is not allowed is said, and the page goes on', async () => {
    const { page, channelId } = await pageOf('Dora');
    await page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
    });
    await page.goto(`${running.url}/room/${channelId}`);
    await untilLive(page);
    await page.getByRole('button', { name: 'Turn on camera' }).click();
    await page.getByText('The browser does not let this page use your camera. Allow it and try again.').waitFor();
    await page.getByRole('button', { name: 'Turn on camera' }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
  });

  test('a browser that cannot show pictures is told which can', async () => {
    const { page, channelId } = await pageOf('Uwe');
    await page.addInitScript(() => Reflect.deleteProperty(globalThis, 'VideoDecoder'));
    await page.goto(`${running.url}/room/${channelId}`);
    await page.getByText('Try a current Chrome or Edge.').waitFor();
    expect(await page.getByRole('button', { name: 'Turn on camera' }).count()).toBe(0);
  });

  test('the entries of players keep their size, whatever is said of them', async () => {
    const { page, channelId } = await pageOf('Frida');
    await page.goto(`${running.url}/room/${channelId}`);
    await untilLive(page);
    const guest = await sandbox().people.create({ name: 'Chloe Hohenzollern-Sigmaringen' });
    await running.app.rooms.join({ channelId, userId: guest.id });
    await guest.joinVoice(channelId);
    const entry = page.locator('.player', { hasText: 'Chloe' });
    await entry.waitFor();
    const before = await entry.boundingBox();
    await guest.setVideo(true);
    await guest.setDeaf(true);
    await guest.setMute(true);
    for (const label of ['Camera on', 'Deafened', 'Muted']) await entry.getByText(label).waitFor({ state: 'attached' });
    expect(await entry.boundingBox()).toEqual(before);
    expect(await overhang(page)).toEqual([]);
    const more = await page.getByRole('button', { name: /^More for Chloe/ }).boundingBox();
    expect(Math.min(more?.width ?? 0, more?.height ?? 0)).toBeGreaterThanOrEqual(44);
  });

  test('a page that failed says so and can be tried again', async () => {
    const { page } = await pageOf('Ines');
    await page.goto(running.url);
    await untilConnection(page, 'Live');
    await page.route(/_serverFn/, (route) => route.fulfill({ status: 500, body: 'no' }));
    await page.getByRole('link', { name: /Lounge/ }).click();
    await page.getByRole('heading', { name: 'This page could not be shown' }).waitFor();
    await page.unroute(/_serverFn/);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('heading', { name: 'Lounge' }).waitFor();
  });

  test('nothing moves while a room loads', async () => {
    const { page, channelId } = await pageOf('Maja');
    const person = await sandbox().people.create({ name: 'Nils' });
    await running.app.rooms.join({ channelId, userId: person.id });
    await person.joinVoice(channelId);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.addInitScript(() => {
      const seen = { shift: 0 };
      Object.assign(window, { seen });
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) seen.shift += (entry as PerformanceEntry & { value: number }).value;
      }).observe({ type: 'layout-shift', buffered: true });
    });
    await page.goto(`${running.url}/room/${channelId}`);
    await page.getByText('Nils', { exact: true }).first().waitFor();
    await page.getByText('Nothing was said yet').waitFor();
    expect(await page.evaluate(() => (window as unknown as { seen: { shift: number } }).seen.shift)).toBeLessThan(0.1);
  });
});

describe.skipIf(chromiumPath() === undefined)('with seats of its own', () => {
  test('the page offers microphone and camera, says what Discord shows of them, and its player is heard', async () => {
    const discord = await createSandbox({ ids: 'clock' });
    const bots = await Promise.all([1, 2].map((seat) => discord.bots.create({ name: `Seat ${seat}` })));
    const running = await startApp({
      DISCORD_BOT_TOKEN: discord.connection.token,
      PRIMARY_GUILD_ID: discord.guildId,
      DISCORD_API_BASE: discord.connection.apiBase,
      DISCORD_CLIENT_ID: discord.oauth.clientId,
      DISCORD_CLIENT_SECRET: discord.oauth.clientSecret,
      DISCORD_SEAT_TOKENS: bots.map(({ token }) => token).join(','),
    });
    const browser = await chromium.launch({
      executablePath: chromiumPath() as string,
      args: [...CHROMIUM_FLAGS, ...FAKES, '--autoplay-policy=no-user-gesture-required'],
    });
    try {
      const open = async (name: string) => {
        const page = await openPage(browser, running, await discord.people.create({ name }), { sandbox: discord });
        await page.goto(`${running.url}/room/${discord.voiceChannelId}`);
        await untilLive(page);
        return page;
      };
      const html = await (await open('Rosa')).request.get(`${running.url}/room/${discord.voiceChannelId}`);
      expect(html.status()).toBe(200);
      const [anna, bert, third] = await Promise.all([open('Anna'), open('Bert'), open('Carl')]);
      await anna.getByText('Voice works, video does not: Discord shows no video from bots today.').waitFor();
      expect(await anna.getByRole('heading', { name: 'Simulator' }).count()).toBe(0);
      await anna.getByRole('button', { name: 'Turn on camera' }).waitFor();
      for (const page of [anna, bert]) await page.getByRole('button', { name: 'Turn on microphone' }).click();
      await anna.locator('[data-testid=tile][data-speaking=true]', { hasText: 'Bert' }).waitFor();
      expect(discord.bots.list().filter(({ id }) => bots.some((bot) => bot.id === id))).toHaveLength(2);
      // As many as there are bots.
      await third.getByRole('button', { name: 'Only listen' }).click();
      await third.getByText('Every seat is taken.').waitFor();
    } finally {
      await browser.close();
      await running.close();
      await discord.close();
    }
  });
});
