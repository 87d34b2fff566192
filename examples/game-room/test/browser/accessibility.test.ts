import type { Person, Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, Page } from 'playwright-core';
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

  test('axe finds no fault on any other page, dialog or notice, in either scheme', async () => {
    const sandbox = running.app.sandbox as Sandbox;
    const faults: string[] = [];
    const look = async (page: Page, what: string) => {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        faults.push(...(await faultsOf(page)).map((fault) => `${what}, ${colorScheme}: ${fault}`));
      }
    };

    const nobody = await (await browser.newContext()).newPage();
    await nobody.goto(running.url);
    await look(nobody, 'login');
    await nobody.goto(`${running.url}/join/${channelId}?invite=x`);
    await nobody.getByRole('heading', { name: 'You are invited to a game room' }).waitFor();
    await look(nobody, 'login of an invite');
    await nobody.context().close();

    const host = await sandbox.people.create({ name: 'Hedwig' });
    const guest = await sandbox.people.create({ name: 'Gunnar' });
    const page = await openPage(browser, running, host);
    await page.goto(running.url);
    await page.getByRole('heading', { name: 'No rooms yet' }).waitFor();
    await page.getByRole('button', { name: 'Create room' }).click();
    await page.getByText('Give the room a name.').waitFor();
    await look(page, 'no rooms, and a problem');
    await page.goto(`${running.url}/join/${channelId}?invite=x`);
    await page.getByRole('heading', { name: 'You could not join' }).waitFor();
    await look(page, 'a join that failed');
    await page.goto(`${running.url}/room/1`);
    await page.getByRole('heading', { name: 'There is no such room' }).waitFor();
    await look(page, 'no such room');
    await page.goto(`${running.url}/nothing/here`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await look(page, 'no such page');
    await page.goto(`${running.url}/ops`);
    await page.getByRole('heading', { name: 'Operations' }).waitFor();
    await look(page, 'operations');

    const room = await running.app.rooms.create({ creatorId: host.id, name: 'Own table' });
    await running.app.rooms.join({ channelId: room.channelId, userId: guest.id });
    await page.goto(`${running.url}/room/${room.channelId}`);
    await page.locator('[data-testid=empty]').waitFor();
    await page.getByLabel('Message', { exact: true }).fill('A word');
    await page.getByRole('button', { name: 'Send' }).click();
    const message = page.locator('.message', { hasText: 'A word' });
    await message.getByRole('button', { name: /React with 👍/ }).click({ force: true });
    await page.locator('.reactions', { hasText: '👍' }).waitFor();
    await message.getByRole('button', { name: 'Edit' }).click({ force: true });
    await page.getByRole('button', { name: 'Invite players' }).click();
    await page.getByLabel('Invite link, good for a day').waitFor();
    await page.getByRole('button', { name: 'End room' }).click();
    await running.app.hub.publish(`channel:${room.channelId}`, 'room.closing', {
      channelId: room.channelId,
      guildId: running.app.guildId,
      closesAt: Date.now() + 30_000,
    });
    await page.locator('[data-testid=closing]').waitFor();
    await look(page, 'a message that is edited, an invite, the question whether to end, the warning before the close');
    await running.app.hub.setDegraded(true, 'test');
    await page.locator('[data-testid=stale]').waitFor();
    await host.joinVoice(room.channelId);
    await untilPlayers(page, ['Hedwig']);
    await look(page, 'a list that may be old');
    await running.app.hub.setDegraded(false, 'test');
    await page.locator('[data-testid=stale]').waitFor({ state: 'detached' });
    await host.leaveVoice();
    await page.getByRole('dialog', { name: 'You are no longer in voice' }).waitFor();
    await look(page, 'the dialog after a drop');
    await page.keyboard.press('Escape');

    const other = await openPage(browser, running, guest);
    await other.goto(`${running.url}/room/${room.channelId}`);
    await untilConnection(other, 'Live');
    await running.app.rooms.leave(room.channelId, guest.id);
    running.app.hub.revalidate(guest.id);
    await other.locator('[data-testid=denied]').waitFor();
    await look(other, 'a room that one has lost');
    await running.app.rooms.end(room.channelId);
    await page.locator('[data-testid=deleted]').waitFor();
    await look(page, 'a room that was closed');

    expect(faults).toEqual([]);
    await Promise.all([page, other].map((each) => each.context().close()));
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
