import type { Person, Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Running } from '../../src/serve.js';
import { faultsOf, launchBrowser, openPage, openRoom, startApp, untilConnection, untilPlayers } from './harness.js';

describe.skipIf(chromiumPath() === undefined)('accessibility', () => {
  let browser: Browser;
  let running: Running;
  let channelId: string;
  let vera: Person;

  beforeAll(async () => {
    browser = await launchBrowser();
    running = await startApp();
    const sandbox = running.app.sandbox as Sandbox;
    vera = await sandbox.people.create({ name: 'Vera' });
    ({ channelId } = await running.app.rooms.create({ creatorId: vera.id, name: 'Table 1' }));
    for (const name of ['Mia', 'Tom Bergström']) {
      const person = await sandbox.people.create({ name });
      await running.app.rooms.join({ channelId, userId: person.id });
      await person.joinVoice(channelId);
    }
  });
  afterAll(async () => {
    await browser?.close();
    await running?.close();
  });

  test.each(['light', 'dark'] as const)('axe finds no fault in the %s scheme', async (colorScheme) => {
    const page = await openPage(browser, running, vera, { colorScheme, reducedMotion: 'reduce' });
    await page.goto(running.url);
    await untilConnection(page, 'Live');
    await page.getByText('2 people in voice').waitFor();
    expect(await faultsOf(page)).toEqual([]);

    await page.goto(`${running.url}/room/${channelId}`);
    await untilPlayers(page, ['Mia', 'Tom Bergström']);
    await page.getByRole('group', { name: 'Mia' }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    await page.context().close();
  });

  test('a room has landmarks, names and one main heading', async () => {
    const page = await openRoom(browser, running, channelId, { person: vera });
    for (const role of ['banner', 'main'] as const) expect(await page.getByRole(role).count()).toBe(1);
    expect(await page.getByRole('complementary', { name: 'Simulator' }).count()).toBe(1);
    expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1);
    const list = page.getByRole('list', { name: 'People in voice' });
    await list.getByText('Mia', { exact: true }).waitFor();
    expect(await list.getByRole('list', { name: 'Voice state' }).count()).toBe(2);
  });

  test('joins and leaves are told to screen readers', async () => {
    const page = await openRoom(browser, running, channelId, { person: vera });
    const announcer = page.locator('[data-testid=announcer]');
    expect(await announcer.getAttribute('aria-live')).toBe('polite');
    const aisha = await (running.app.sandbox as Sandbox).people.create({ name: 'Aisha' });
    await running.app.rooms.join({ channelId, userId: aisha.id });
    await aisha.joinVoice(channelId);
    await announcer.getByText('Aisha joined').waitFor({ state: 'attached' });
    await aisha.leaveVoice();
    await announcer.getByText('Aisha left or was removed').waitFor({ state: 'attached' });
  });

  test('the keyboard reaches the content first and everything after', async () => {
    const page = await openRoom(browser, running, channelId, { person: vera });
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('All rooms');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle);
    expect(outline).toBe('solid');
  });

  test('nothing hangs over on a small screen', async () => {
    const page = await openRoom(browser, running, channelId, { person: vera });
    await page.setViewportSize({ width: 340, height: 700 });
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    expect(await width()).toBeLessThanOrEqual(340);
    await page.getByRole('link', { name: 'All rooms' }).click();
    await page.getByRole('heading', { name: 'Your rooms' }).waitFor();
    expect(await width()).toBeLessThanOrEqual(340);
  });
});
