import { createSandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Running } from '../../src/serve.js';
import { launchBrowser, PATIENCE_MS, startApp, untilConnection, untilLive } from './harness.js';

describe.skipIf(chromiumPath() === undefined)('the page of all rooms', () => {
  let browser: Browser;
  let running: Running;
  let page: Page;

  beforeAll(async () => {
    browser = await launchBrowser();
    running = await startApp();
    page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(running.url);
    await untilConnection(page, 'Live');
  });
  afterAll(async () => {
    await browser?.close();
    await running?.close();
  });

  test('shows live who is where', async () => {
    const { sandbox, rooms } = running.app;
    const [room] = rooms.list();
    if (sandbox === undefined || room === undefined) throw new Error('the sandbox has no voice channel');
    const card = page.getByRole('link', { name: room.name });
    await card.getByText('Nobody in voice').waitFor();
    await (await sandbox.people.create({ name: 'Mia' })).joinVoice(room.channelId);
    await card.getByText('1 person in voice').waitFor();
  });

  test('a room made in Discord appears, one that is deleted goes', async () => {
    const { channelId } = await running.app.createRoom('somebody-else', 'From afar');
    const card = page.getByRole('link', { name: 'From afar' });
    await card.waitFor();
    await running.app.deleteRoom(channelId);
    await card.waitFor({ state: 'detached' });
  });

  test('a name is needed', async () => {
    await page.getByRole('button', { name: 'Create room' }).click();
    await page.getByText('Give the room a name.').waitFor();
    expect(new URL(page.url()).pathname).toBe('/');
  });

  test('a new room opens', async () => {
    await page.getByLabel('New room').fill('Board & Dice');
    await page.getByRole('button', { name: 'Create room' }).click();
    await page.getByRole('heading', { name: 'Board & Dice' }).waitFor();
    await untilLive(page);
    expect(running.app.rooms.list().map((room) => room.name)).toContain('Board & Dice');
  });

  test('an address without a room says so, with status 404', async () => {
    const response = await page.goto(`${running.url}/room/123`);
    expect(response?.status()).toBe(404);
    await page.getByRole('heading', { name: 'There is no such room' }).waitFor();
  });
});

describe.skipIf(chromiumPath() === undefined)('while Discord cannot be reached', () => {
  test('the app starts, says so, and shows the rooms once Discord is there', async () => {
    const discord = await createSandbox();
    discord.faults.down();
    const running = await startApp({
      DISCORD_BOT_TOKEN: discord.connection.token,
      PRIMARY_GUILD_ID: discord.guildId,
      DISCORD_API_BASE: discord.connection.apiBase,
    });
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      await page.goto(running.url);
      await page.getByText('Discord cannot be reached at the moment').waitFor();
      expect((await fetch(`${running.url}/health`)).status).toBe(503);

      discord.faults.up();
      await page.getByRole('link', { name: 'General' }).waitFor();
      await page.locator('[data-testid=stale]').waitFor({ state: 'detached' });
      expect((await fetch(`${running.url}/health`)).status).toBe(200);
    } finally {
      await browser.close();
      await running.close();
      await discord.close();
    }
  });
});
