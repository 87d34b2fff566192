/** What a host does with the players of their room, and what those see; players who are in voice twice. */
import type { Person, Sandbox } from '@guildkit/sandbox';
import { CHROMIUM_FLAGS, chromiumPath } from '@guildkit/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Running } from '../../src/serve.js';
import { activityOf, doublesOf, faultsOf, openRoom, PATIENCE_MS, startApp, untilPlayers } from './harness.js';

const FAKES = [
  '--use-fake-device-for-media-stream=fps=15',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

describe.skipIf(chromiumPath() === undefined)('a host', () => {
  let browser: Browser;
  let running: Running;
  let channelId: string;
  let host: Person;
  let mia: Person;
  const sandbox = () => running.app.sandbox as Sandbox;
  const pages: Page[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: chromiumPath() as string, args: [...CHROMIUM_FLAGS, ...FAKES] });
    running = await startApp();
  });
  afterAll(async () => {
    await browser?.close();
    await running?.close();
  });
  beforeEach(async () => {
    [host, mia] = await Promise.all([
      sandbox().people.create({ name: 'Hanna' }),
      sandbox().people.create({ name: 'Mia' }),
    ]);
    ({ channelId } = await running.app.rooms.create({ creatorId: host.id, name: 'Hannas table' }));
    await running.app.rooms.join({ channelId, userId: mia.id });
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
    await running.app.rooms.end(channelId);
  });

  async function open(person: Person): Promise<Page> {
    const page = await openRoom(browser, running, channelId, { person });
    pages.push(page);
    return page;
  }
  /** Whether Discord lets nobody hear them, wherever they are. */
  const isMuted = async ({ id }: Person): Promise<boolean> => {
    const { apiBase, guildId, token } = sandbox().connection;
    const answer = await fetch(`${apiBase}/guilds/${guildId}/members/${id}`, {
      headers: { authorization: `Bot ${token}` },
    });
    return ((await answer.json()) as { mute: boolean }).mute;
  };
  const menuOf = (page: Page, name: string) => page.getByRole('button', { name: `More for ${name}` });
  const choose = async (page: Page, name: string, item: string) => {
    await menuOf(page, name).click();
    await page.getByRole('menuitem', { name: item }).click();
  };
  const stateOf = (page: Page, name: string, label: string) =>
    page.locator('.player', { hasText: name }).getByText(label, { exact: true });

  test('mutes a player and takes it back; elsewhere the mute is none', async () => {
    const page = await open(host);
    await mia.joinVoice(channelId);
    await choose(page, 'Mia', 'Mute');
    await stateOf(page, 'Mia', 'Muted').waitFor({ state: 'attached' });
    // Where the mute is none of the host's.
    await mia.moveTo(sandbox().voiceChannelId);
    await page.getByText('Nobody is in voice yet').waitFor();
    await expect.poll(() => isMuted(mia), { timeout: PATIENCE_MS }).toBe(false);
    await mia.moveTo(channelId);
    await stateOf(page, 'Mia', 'Muted').waitFor({ state: 'attached' });
    await choose(page, 'Mia', 'Unmute');
    await stateOf(page, 'Mia', 'Microphone on').waitFor({ state: 'attached' });
    // Who has muted themselves is not the host's to unmute.
    await mia.setMute(true);
    await stateOf(page, 'Mia', 'Muted').waitFor({ state: 'attached' });
    await menuOf(page, 'Mia').click();
    await page.getByRole('menuitem', { name: 'Mute', exact: true }).waitFor();
  });

  test('removes a player, who is asked and comes back with one click', async () => {
    const [page, other] = await Promise.all([open(host), open(mia)]);
    await mia.joinVoice(channelId);
    await untilPlayers(other, ['Mia']);
    expect(await other.getByRole('button', { name: /^More for/ }).count(), 'a guest moderates nobody').toBe(0);
    await choose(page, 'Mia', 'Remove from voice');
    const dialog = other.getByRole('dialog', { name: 'You are no longer in voice' });
    await dialog.getByText('You left the voice channel, or were removed from it.').waitFor();
    await dialog.getByRole('button', { name: 'Rejoin' }).click();
    await untilPlayers(page, ['Mia']);
    await dialog.waitFor({ state: 'hidden' });
    expect(await activityOf(page)).toEqual(['Mia joined', 'Mia left or was removed', 'Mia joined']);
  });

  test('moves a player to an open channel, by keyboard, and to no room of others', async () => {
    const stranger = await sandbox().people.create({ name: 'Otto' });
    const foreign = await running.app.rooms.create({ creatorId: stranger.id, name: 'Ottos room' });
    const page = await open(host);
    await mia.joinVoice(channelId);
    await menuOf(page, 'Mia').focus();
    await page.keyboard.press('ArrowDown');
    const menu = page.getByRole('menu', { name: 'For Mia' });
    await menu.getByRole('menuitem', { name: 'Move to Lounge' }).waitFor();
    expect(await faultsOf(page)).toEqual([]);
    expect(await menu.getByRole('menuitem').allTextContents()).not.toContain('Move to Ottos room');
    await page.keyboard.press('Escape');
    await menu.waitFor({ state: 'detached' });
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
    expect(await focused()).toBe('More for Mia');
    await page.keyboard.press('Enter');
    await menu.getByRole('menuitem', { name: 'Move to Lounge' }).waitFor();
    await page.keyboard.press('End');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(/^Move to/);
    while ((await page.evaluate(() => document.activeElement?.textContent)) !== 'Move to Lounge')
      await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.getByText('Nobody is in voice yet').waitFor();
    const lounge = running.app.directory.list().find(({ name }) => name === 'Lounge');
    await expect.poll(() => sandbox().people.get(mia.id).channelId).toBe(lounge?.channelId);
    await running.app.rooms.end(foreign.channelId);
  });

  test('a player who talks from the page and is in Discord too is one entry, and is removed from both', async () => {
    const [page, other] = await Promise.all([open(host), open(mia)]);
    await other.getByRole('button', { name: 'Only listen' }).click();
    await untilPlayers(page, ['Mia']);
    await page.locator('.player', { hasText: 'Mia' }).getByText('On the web').waitFor({ state: 'attached' });
    await mia.joinVoice(channelId);
    await page
      .locator('.player', { hasText: 'Mia' })
      .getByText('In Discord and on the web')
      .waitFor({ state: 'attached' });
    expect(await page.locator('.player').count()).toBe(1);
    // By one way less they are still there.
    await mia.leaveVoice();
    await page
      .locator('.player', { hasText: 'Mia' })
      .getByText('In Discord and on the web')
      .waitFor({ state: 'detached' });
    expect(await page.locator('.player').count()).toBe(1);
    await mia.joinVoice(channelId);
    await page
      .locator('.player', { hasText: 'Mia' })
      .getByText('In Discord and on the web')
      .waitFor({ state: 'attached' });

    await choose(page, 'Mia', 'Remove from voice');
    await page.getByText('Nobody is in voice yet').waitFor();
    await other.getByRole('dialog', { name: 'You are no longer in voice' }).waitFor();
    await other.locator('[data-testid=table][data-status=off]').waitFor();
    expect(await doublesOf(page)).toEqual([]);
    expect(await activityOf(page)).toEqual(['Mia joined', 'Mia left or was removed']);
  });

  test('who is removed from the table comes back to it; who gets up is not asked', async () => {
    const [page, other] = await Promise.all([open(host), open(mia)]);
    await other.getByRole('button', { name: 'Turn on microphone' }).click();
    await untilPlayers(page, ['Mia']);
    await choose(page, 'Mia', 'Remove from voice');
    const dialog = other.getByRole('dialog', { name: 'You are no longer in voice' });
    await dialog.getByRole('button', { name: 'Rejoin' }).click();
    await other.locator('[data-testid=table][data-status=open]').waitFor();
    await untilPlayers(page, ['Mia']);
    await dialog.waitFor({ state: 'hidden' });
    await other.getByRole('button', { name: 'Leave the table' }).click();
    await page.getByText('Nobody is in voice yet').waitFor();
    await other.getByText('Nobody is in voice yet').waitFor();
    expect(await dialog.isVisible()).toBe(false);
  });
});
