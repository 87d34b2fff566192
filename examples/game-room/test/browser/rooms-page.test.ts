import { createSandbox, type Person, type Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Running } from '../../src/serve.js';
import { launchBrowser, openPage, startApp, untilConnection, untilLive } from './harness.js';

describe.skipIf(chromiumPath() === undefined)('the page of all rooms', () => {
  let browser: Browser;
  let running: Running;
  let page: Page;
  let vera: Person;

  beforeAll(async () => {
    browser = await launchBrowser();
    running = await startApp();
    vera = await (running.app.sandbox as Sandbox).people.create({ name: 'Vera' });
    page = await openPage(browser, running, vera);
    await page.goto(running.url);
    await untilConnection(page, 'Live');
  });
  afterAll(async () => {
    await browser?.close();
    await running?.close();
  });

  test('shows live who is where', async () => {
    const { sandbox, directory } = running.app;
    const [room] = directory.list();
    if (sandbox === undefined || room === undefined) throw new Error('the sandbox has no voice channel');
    const card = page.getByRole('link', { name: room.name });
    await card.getByText('Nobody in voice').waitFor();
    await (await sandbox.people.create({ name: 'Mia' })).joinVoice(room.channelId);
    await card.getByText('1 person in voice').waitFor();
  });

  test('a channel made in Discord appears, one that is deleted goes', async () => {
    const { channels } = running.app.sandbox as Sandbox;
    const { id } = await channels.create({ name: 'From afar' });
    const card = page.getByRole('link', { name: 'From afar' });
    await card.waitFor();
    await running.app.deleteChannel(id);
    await card.waitFor({ state: 'detached' });
  });

  test('a room of others is not shown', async () => {
    const other = await (running.app.sandbox as Sandbox).people.create({ name: 'Otto' });
    const { channelId } = await running.app.rooms.create({ creatorId: other.id, name: 'Ottos secret' });
    const mark = await (running.app.sandbox as Sandbox).channels.create({ name: 'After it' });
    await page.getByRole('link', { name: 'After it' }).waitFor();
    expect(await page.getByText('Ottos secret').count()).toBe(0);
    const response = await page.context().request.get(`${running.url}/room/${channelId}`);
    expect(response.status()).toBe(404);
    await running.app.deleteChannel(mark.id);
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
    expect(await running.app.rooms.list()).toMatchObject([{}, { name: 'Board & Dice', creatorId: vera.id }]);
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
      DISCORD_CLIENT_ID: discord.oauth.clientId,
      DISCORD_CLIENT_SECRET: discord.oauth.clientSecret,
    });
    const browser = await launchBrowser();
    try {
      const vera = await discord.people.create({ name: 'Vera' });
      const page = await openPage(browser, running, vera, { sandbox: discord });
      await page.goto(running.url);
      await page.getByText('No news from Discord at the moment').waitFor();
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
