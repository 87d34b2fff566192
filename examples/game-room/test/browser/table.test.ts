/** Camera and microphone: browser, relay, seat, "Discord", and all the way back to another browser. */
import type { Sandbox } from '@guildkit/sandbox';
import { CHROMIUM_FLAGS, chromiumPath } from '@guildkit/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Running } from '../../src/serve.js';
import { createLine, faultsOf, type Line, openPage, PATIENCE_MS, startApp, untilConnection } from './harness.js';

/** Chromium's own camera, which shows a clock, and its own microphone, which beeps. */
const FAKES = [
  '--use-fake-device-for-media-stream=fps=15',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

const WAIT_TWO = { timeout: PATIENCE_MS, interval: 50 } as const;
const WAIT = { timeout: PATIENCE_MS, polling: 50 } as const;

describe.skipIf(chromiumPath() === undefined)('the table', () => {
  let browser: Browser;
  let running: Running;
  let line: Line;
  const sandbox = () => running.app.sandbox as Sandbox;
  const pages: Page[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath() as string, args: [...CHROMIUM_FLAGS, ...FAKES] });
    running = await startApp();
    line = await createLine(running.server);
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
  });
  afterAll(async () => {
    await browser?.close();
    await line?.close();
    await running?.close();
  });

  async function sitDown(name: string, channelId: string, url = running.url): Promise<Page> {
    const page = await openPage(browser, running, await sandbox().people.create({ name }));
    pages.push(page);
    await page.goto(`${url}/room/${channelId}`);
    await untilConnection(page, 'Live');
    return page;
  }

  const turnOn = async (page: Page) => {
    await page.getByRole('button', { name: 'Turn on camera' }).click();
    await page.getByRole('button', { name: 'Turn on microphone' }).click();
    await page.locator('[data-testid=table][data-status=open]').waitFor();
  };

  /** Waits until the page shows a picture that changes, of the only other person at the table. */
  async function sees(page: Page, name: string): Promise<void> {
    await page.locator('[data-testid=tile][data-showing=true]', { hasText: name }).waitFor();
    await page.getByRole('img', { name: `Camera of ${name}` }).waitFor();
    const picture = () =>
      (document.querySelector('[data-testid=tile] canvas') as HTMLCanvasElement | null)?.toDataURL('image/png') ?? '';
    const before = await page.evaluate(picture);
    await page.waitForFunction(
      (first) => {
        const canvas = document.querySelector<HTMLCanvasElement>('[data-testid=tile] canvas');
        return canvas !== null && canvas.width === 320 && canvas.toDataURL('image/png') !== first;
      },
      before,
      WAIT,
    );
  }

  /**
   * Waits until the page hears somebody else anew: the microphones of the others beep twice a second, and nobody is shown as
   * speaking for a second after their last sound.
   */
  async function hears(page: Page): Promise<void> {
    const since = await page.evaluate(() => performance.now());
    await page.waitForFunction(
      (then) =>
        performance.now() - then > 1_000 && document.querySelector('[data-testid=tile][data-speaking=true]') !== null,
      since,
      WAIT,
    );
  }

  test('two players see and hear each other, also after the media socket is lost', { timeout: 120_000 }, async () => {
    const channel = await sandbox().channels.create({ name: 'Cards' });
    const anna = await sitDown('Vera', channel.id, line.url);
    const bert = await sitDown('Willem', channel.id);
    await Promise.all([turnOn(anna), turnOn(bert)]);
    await Promise.all([sees(anna, 'Willem'), sees(bert, 'Vera'), hears(anna), hears(bert)]);

    // The bots that speak for them bear their names.
    await anna.locator('[data-testid=players] .player-name', { hasText: 'Willem' }).waitFor();

    const seatsBefore = sandbox().bots.list().length;
    line.cut();
    await anna.locator('[data-testid=table][data-status=lost]').waitFor();
    line.mend();
    await anna.locator('[data-testid=table][data-status=open]').waitFor();
    await Promise.all([sees(anna, 'Willem'), sees(bert, 'Vera'), hears(anna), hears(bert)]);
    expect(sandbox().bots.list().length, 'the seat of before was waiting').toBe(seatsBefore);

    // A third one changes the keys of the call, when they come and when they go.
    const epoch = () => sandbox().voice.channel(channel.id)?.dave?.view.epoch ?? 0n;
    const before = epoch();
    const third = await sitDown('Xenia', channel.id);
    await third.getByRole('button', { name: 'Only listen' }).click();
    await expect.poll(() => third.locator('[data-testid=tile][data-showing=true]').count(), WAIT_TWO).toBe(2);
    await Promise.all([sees(anna, 'Willem'), sees(bert, 'Vera'), hears(anna), hears(bert), hears(third)]);
    const withThird = epoch();
    expect(withThird).toBeGreaterThan(before);
    await third.getByRole('button', { name: 'Leave the table' }).click();
    await expect.poll(epoch, WAIT_TWO).toBeGreaterThan(withThird);
    await Promise.all([sees(anna, 'Willem'), sees(bert, 'Vera'), hears(anna), hears(bert)]);

    await anna.getByLabel('Mark what moves').check();
    await anna.locator('canvas[data-motion=true]').waitFor();
    await Promise.all([anna, bert].map(async (page) => expect(await faultsOf(page)).toEqual([])));

    await bert.getByRole('button', { name: 'Turn off camera' }).click();
    await anna.locator('[data-testid=tile][data-showing=false]', { hasText: 'Willem' }).waitFor();
    await bert.getByRole('button', { name: 'Leave the table' }).click();
    await anna.locator('[data-testid=tile]').waitFor({ state: 'detached' });
  });

  test('who has no seat in a room gets none at its table', async () => {
    const host = await sandbox().people.create({ name: 'Yara' });
    const { channelId } = await running.app.rooms.create({ creatorId: host.id, name: 'Closed' });
    const stranger = await openPage(browser, running, await sandbox().people.create({ name: 'Zoe' }));
    pages.push(stranger);
    await stranger.goto(running.url);
    const endOf = (room: string) =>
      stranger.evaluate(
        (query) =>
          new Promise((resolve) => {
            const socket = new WebSocket(`/api/media?room=${query}`);
            socket.onclose = ({ code, reason }) => resolve(`${code} ${reason}`);
          }),
        room,
      );
    for (const room of [`channel:${channelId}`, 'channel:1', 'guild:1', '']) {
      expect(await endOf(room)).toBe('1013 ERR_MEDIA_SEAT_UNAVAILABLE');
    }
  });

  test('whoever is taken out of voice is told, and comes back only by themselves', async () => {
    const channel = await sandbox().channels.create({ name: 'Removed' });
    const page = await sitDown('Rune', channel.id);
    await page.getByRole('button', { name: 'Only listen' }).click();
    const shown = page.locator('[data-testid=players] .player', { hasText: 'Rune' });
    await shown.waitFor();
    const { apiBase, guildId, token } = sandbox().connection;
    const [seat] = running.app.seats.presence.waysOf((await shown.getAttribute('data-user')) as string);
    const response = await fetch(`${apiBase}/guilds/${guildId}/members/${seat?.discordId}`, {
      method: 'PATCH',
      headers: { authorization: `Bot ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel_id: null }),
    });
    expect(response.status).toBe(200);
    await page.getByText('You were removed from the table, or the room has ended.').waitFor();
    await page.locator('[data-testid=table][data-status=off]').waitFor();
    await shown.waitFor({ state: 'detached' });
    await page.getByRole('dialog').getByRole('button', { name: 'Rejoin' }).click();
    await shown.waitFor();
  });

  test('the page says when every seat is taken, and can be left', async () => {
    const channel = await sandbox().channels.create({ name: 'Full' });
    const page = await sitDown('Ulla', channel.id);
    await page.routeWebSocket(/\/api\/media/, (socket) =>
      socket.close({ code: 1013, reason: 'ERR_MEDIA_SEAT_UNAVAILABLE' }),
    );
    await page.getByRole('button', { name: 'Turn on microphone' }).click();
    await page.getByText('Every seat is taken.').waitFor();
    await page.getByRole('button', { name: 'Try now' }).waitFor();
    await page.getByRole('button', { name: 'Leave the table' }).click();
    await page.locator('[data-testid=table][data-status=off]').waitFor();
    await page.getByRole('button', { name: 'Turn on microphone' }).waitFor();
  });
});
