/** What a player does: logs in, opens a room, asks others in, talks, drops out, comes back, ends it. */
import type { Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Running } from '../../src/serve.js';
import { launchBrowser, openPage, PATIENCE_MS, startApp, untilLive, untilPlayers } from './harness.js';

describe.skipIf(chromiumPath() === undefined)('a player', () => {
  let browser: Browser;
  let running: Running;
  const sandbox = () => running.app.sandbox as Sandbox;
  const pages: Page[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
    running = await startApp();
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
  });
  afterAll(async () => {
    await browser?.close();
    await running?.close();
  });

  /** Goes through the consent page, as a person does. */
  async function logInByHand(address: string, name: string): Promise<Page> {
    const context = await browser.newContext();
    const page = await context.newPage();
    pages.push(page);
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(address);
    await page.getByRole('link', { name: 'Log in with Discord' }).click();
    await page.getByText(name, { exact: true }).click();
    await page.getByRole('button', { name: 'Authorize' }).click();
    await page.locator('[data-testid=viewer]', { hasText: name }).waitFor();
    return page;
  }

  async function openRoomOf(name: string): Promise<{ page: Page; channelId: string }> {
    const person = await sandbox().people.create({ name });
    const page = await openPage(browser, running, person);
    pages.push(page);
    await page.goto(running.url);
    await page.getByLabel('New room').fill(`${name}s table`);
    await page.getByRole('button', { name: 'Create room' }).click();
    await page.getByRole('heading', { name: `${name}s table` }).waitFor();
    await untilLive(page);
    return { page, channelId: page.url().split('/').at(-1) as string };
  }

  async function inviteOf(page: Page): Promise<string> {
    await page.getByRole('button', { name: 'Invite players' }).click();
    return page.getByLabel('Invite link, good for a day').inputValue();
  }

  test('logs in, opens a room, and brings another in by its link', async () => {
    await sandbox().people.create({ name: 'Hanna' });
    await sandbox().people.create({ name: 'Gustav' });
    const host = await logInByHand(running.url, 'Hanna');
    await host.getByLabel('New room').fill('Friday game night');
    await host.getByRole('button', { name: 'Create room' }).click();
    await host.getByRole('heading', { name: 'Friday game night' }).waitFor();
    const link = await inviteOf(host);

    const guest = await logInByHand(link, 'Gustav');
    await guest.getByRole('heading', { name: 'Friday game night' }).waitFor();
    expect(new URL(guest.url()).pathname).toBe(new URL(host.url()).pathname);
    await guest.getByRole('button', { name: 'Join voice' }).click();
    await untilPlayers(host, ['Gustav']);
    await guest.getByRole('link', { name: 'All rooms' }).click();
    await guest.getByRole('list', { name: 'Your rooms' }).getByText('Friday game night').waitFor();
  });

  test('is moved to the table when they are in voice already', async () => {
    const { page } = await openRoomOf('Ilse');
    const link = await inviteOf(page);
    const kurt = await sandbox().people.create({ name: 'Kurt' });
    await kurt.joinVoice(sandbox().voiceChannelId);
    const guest = await openPage(browser, running, kurt);
    pages.push(guest);
    await guest.goto(link);
    await untilPlayers(page, ['Kurt']);
    await untilPlayers(guest, ['Kurt']);
  });

  test('talks: send, edit, react, delete, and who is typing', async () => {
    const { page, channelId } = await openRoomOf('Lena');
    const link = await inviteOf(page);
    const max = await sandbox().people.create({ name: 'Maxim' });
    const other = await openPage(browser, running, max);
    pages.push(other);
    await other.goto(link);
    await untilLive(other);

    await page.getByLabel('Message', { exact: true }).fill('Who brings the dice?');
    await max.joinVoice(channelId);
    const lena = sandbox()
      .people.list()
      .find(({ name }) => name === 'Lena');
    await lena?.joinVoice(channelId);
    await other.locator('[data-testid=typing]', { hasText: /is typing/ }).waitFor();
    await page.getByRole('button', { name: 'Send' }).click();
    const shown = other.locator('.message', { hasText: 'Who brings the dice?' });
    await shown.getByText('Lena', { exact: true }).waitFor();
    expect(await shown.getByRole('button', { name: 'Edit' }).count(), 'only one’s own can be changed').toBe(0);

    await other.getByRole('button', { name: /React with 👍 to Lena/ }).click({ force: true });
    await page.locator('.reactions', { hasText: '👍 1' }).waitFor();

    const own = page.locator('.message', { hasText: 'Who brings the dice?' });
    await own.getByRole('button', { name: 'Edit' }).click({ force: true });
    await page.getByLabel('Change the message').fill('I bring the dice.');
    await page.getByRole('button', { name: 'Save' }).click();
    await other.locator('.message-text', { hasText: 'I bring the dice.' }).waitFor();
    await other.locator('.message', { hasText: 'edited' }).waitFor();

    // In Discord the bot says it, and says for whom; nobody is pinged.
    await page.reload();
    await page.locator('.message', { hasText: 'I bring the dice.' }).getByText('Lena', { exact: true }).waitFor();
    await page
      .locator('.message', { hasText: 'I bring the dice.' })
      .getByRole('button', { name: 'Delete' })
      .click({ force: true });
    await other.locator('.message', { hasText: 'I bring the dice.' }).waitFor({ state: 'detached' });
  });

  test('too much talk is refused with a sentence, and the words stay in the field', async () => {
    const { page } = await openRoomOf('Nina');
    const field = page.getByLabel('Message', { exact: true });
    const refused = page.locator('.composer .problem', { hasText: /too fast/ });
    for (let count = 0; count < 30 && (await refused.count()) === 0; count += 1) {
      await field.fill(`message ${count}`);
      await page.keyboard.press('Enter');
      await page
        .locator('.message-text', { hasText: `message ${count}` })
        .or(refused)
        .first()
        .waitFor();
    }
    await refused.waitFor();
    expect(await field.inputValue()).toMatch(/^message \d+$/);
  });

  test('who drops out is asked, and is back with one click', async () => {
    const { page, channelId } = await openRoomOf('Paula');
    const paula = sandbox()
      .people.list()
      .find(({ name }) => name === 'Paula');
    await page.getByRole('button', { name: 'Join voice' }).click();
    await untilPlayers(page, ['Paula']);
    await paula?.leaveVoice();
    const dialog = page.getByRole('dialog', { name: 'You are no longer in voice' });
    await dialog.waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Rejoin');
    await page.keyboard.press('Enter');
    await untilPlayers(page, ['Paula']);
    await dialog.waitFor({ state: 'hidden' });
    await paula?.leaveVoice();
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(channelId).toMatch(/^\d+$/);
  });

  test('a fifth finds the room full', async () => {
    const { page, channelId } = await openRoomOf('Rita');
    const link = await inviteOf(page);
    for (let seat = 2; seat <= 4; seat += 1) {
      const { id } = await sandbox().people.create({ name: `Seat ${seat}` });
      await running.app.rooms.join({ channelId, userId: id });
    }
    const fifth = await openPage(browser, running, await sandbox().people.create({ name: 'Fifth' }));
    pages.push(fifth);
    await fifth.goto(link);
    await fifth.getByText('This room is full').waitFor();
    // Somebody gives up a seat.
    const leaver = sandbox()
      .people.list()
      .find(({ name }) => name === 'Seat 4');
    await running.app.rooms.leave(channelId, leaver?.id as string);
    await fifth.getByRole('button', { name: 'Try again' }).click();
    await fifth.getByRole('heading', { name: 'Ritas table' }).waitFor();
  });

  test('an invite that was altered opens nothing, and without one there is no room', async () => {
    const { page, channelId } = await openRoomOf('Svea');
    const link = await inviteOf(page);
    const stranger = await openPage(browser, running, await sandbox().people.create({ name: 'Stranger' }));
    pages.push(stranger);
    await stranger.goto(`${link.slice(0, -6)}AAAAAA`);
    await stranger.getByText('This invite is not valid').waitFor();
    const response = await stranger.goto(`${running.url}/room/${channelId}`);
    expect(response?.status()).toBe(404);
  });

  test('who leaves gives the seat back; who ends the room ends it for all', async () => {
    const { page, channelId } = await openRoomOf('Tilda');
    const link = await inviteOf(page);
    const guest = await openPage(browser, running, await sandbox().people.create({ name: 'Uwe' }));
    pages.push(guest);
    await guest.goto(link);
    await untilLive(guest);
    await guest.getByRole('button', { name: 'Leave room' }).click();
    await guest.getByText('No rooms yet').waitFor();
    expect((await running.app.rooms.get(channelId))?.holders).toHaveLength(1);
    await guest.goto(link);
    await untilLive(guest);
    await page.getByRole('button', { name: 'End room' }).click();
    await page.getByRole('button', { name: 'End it for everyone' }).click();
    await page.getByText('No rooms yet').waitFor();
    await guest.locator('[data-testid=deleted]').waitFor();
    await guest.goto(link);
    await guest.getByText('closed').first().waitFor();
  });

  test('an empty room warns before it closes, and is kept open', async () => {
    const { page, channelId } = await openRoomOf('Vanja');
    await running.app.hub.publish(`channel:${channelId}`, 'room.closing', {
      channelId,
      guildId: running.app.guildId,
      closesAt: Date.now() + 30_000,
    });
    const warning = page.locator('[data-testid=closing]');
    await warning.getByRole('button', { name: 'Keep open' }).click();
    await warning.waitFor({ state: 'detached' });
  });

  test('logs out', async () => {
    const page = await openPage(browser, running, await sandbox().people.create({ name: 'Wim' }));
    pages.push(page);
    await page.goto(running.url);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('link', { name: 'Log in with Discord' }).waitFor();
    await page.reload();
    await page.getByRole('link', { name: 'Log in with Discord' }).waitFor();
  });
});
