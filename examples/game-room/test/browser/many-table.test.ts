/** Camera and microphone of players at different processes: the bots that speak for them are shared, each for one player at a time. */
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { CHROMIUM_FLAGS, chromiumPath } from '@guildkit/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasRedis, TestRedis } from '../../../../packages/redis/test/support/redis-server.js';
import { type Fleet, roomAt, startMany } from './fleet-pages.js';
import { doublesOf, PATIENCE_MS, untilPlayers } from './harness.js';

const FAKES = ['--use-fake-device-for-media-stream=fps=15', '--use-fake-ui-for-media-stream'];

describe.skipIf(chromiumPath() === undefined || !hasRedis)('the table, at two processes', () => {
  let browser: Browser;
  let redis: TestRedis;
  let sandbox: Sandbox;
  let fleet: Fleet;

  beforeAll(async () => {
    redis = await TestRedis.start();
    sandbox = await createSandbox({ rateLimits: false });
    const bots = await Promise.all([1, 2, 3].map((n) => sandbox.bots.create({ name: `Seat ${n}` })));
    const env = { DISCORD_SEAT_TOKENS: bots.map(({ token }) => token).join(',') };
    [browser, fleet] = await Promise.all([
      chromium.launch({ executablePath: chromiumPath() as string, args: [...CHROMIUM_FLAGS, ...FAKES] }),
      startMany(2, sandbox, redis, env),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await fleet?.close();
    await sandbox?.close();
    await redis?.close();
  });

  async function botsInVoice(): Promise<number> {
    const { apiBase, guildId, token } = sandbox.connection;
    const answers = await Promise.all(
      sandbox.bots
        .list()
        .map(({ id }) =>
          fetch(`${apiBase}/guilds/${guildId}/voice-states/${id}`, { headers: { authorization: `Bot ${token}` } }),
        ),
    );
    return answers.filter(({ ok }) => ok).length;
  }

  const turnOn = async (page: Page) => {
    await page.getByRole('button', { name: 'Turn on camera' }).click();
    await page.locator('[data-testid=table][data-status=open]').waitFor();
  };
  /** Waits until the page shows a picture of somebody that changes. */
  async function sees(page: Page, name: string): Promise<void> {
    await page.locator('[data-testid=tile][data-showing=true]', { hasText: name }).waitFor();
    const picture = () => document.querySelector<HTMLCanvasElement>('[data-testid=tile] canvas')?.toDataURL() ?? '';
    const before = await page.evaluate(picture);
    await page.waitForFunction(
      (first) => {
        const now = document.querySelector<HTMLCanvasElement>('[data-testid=tile] canvas')?.toDataURL() ?? '';
        return now !== '' && now !== first;
      },
      before,
      { timeout: PATIENCE_MS, polling: 50 },
    );
  }

  test('one whose process is killed goes on at the other, and is there once', { timeout: 120_000 }, async () => {
    const [vera, willem] = await Promise.all(['Vera', 'Willem'].map((name) => sandbox.people.create({ name })));
    if (vera === undefined || willem === undefined) throw new Error('nobody');
    const where = { browser, fleet, sandbox };
    const first = await roomAt(where, 'app-1', vera);
    const second = await roomAt(where, 'app-2', willem);
    await turnOn(first);
    await turnOn(second);
    await Promise.all([sees(first, 'Willem'), sees(second, 'Vera')]);
    for (const page of [first, second]) await untilPlayers(page, ['Vera', 'Willem']);

    await fleet.kill('app-1');
    await first.locator('[data-testid=table][data-status=lost]').waitFor();
    await first.locator('[data-testid=table][data-status=open]').waitFor();
    await Promise.all([sees(first, 'Willem'), sees(second, 'Vera')]);
    expect(await botsInVoice()).toBe(3);
    // The bot of before is in voice until its lease has run out. It is nobody beside Vera.
    await expect.poll(botsInVoice, { timeout: PATIENCE_MS, interval: 200 }).toBe(2);
    for (const page of [first, second]) {
      await untilPlayers(page, ['Vera', 'Willem']);
      expect(await doublesOf(page)).toEqual([]);
    }
  });
});
