import type { Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Running } from '../../src/serve.js';
import {
  activityOf,
  createLine,
  doublesOf,
  type Line,
  launchBrowser,
  openRoom,
  startApp,
  untilConnection,
  untilLive,
  untilPlayers,
} from './harness.js';

describe.skipIf(chromiumPath() === undefined)('a room in two pages', () => {
  let browser: Browser;
  let running: Running;
  let line: Line;
  let pages: Page[] = [];
  let channelId: string;
  let rooms = 0;

  const sandbox = () => {
    const { sandbox } = running.app;
    if (sandbox === undefined) throw new Error('the app runs without the sandbox');
    return sandbox;
  };
  const person = (name: string) => sandbox().people.create({ name });
  const both = (check: (page: Page) => Promise<void>) => Promise.all(pages.map(check));

  /** A room of its own for each test, open in two browsers that share nothing. */
  const open = async () => {
    rooms += 1;
    ({ id: channelId } = await sandbox().channels.create({ name: `Table ${rooms}` }));
    const viewers = [await person(`Viewer ${rooms}a`), await person(`Viewer ${rooms}b`)];
    pages = await Promise.all(
      viewers.map((viewer) => openRoom(browser, running, channelId, { url: line.url, person: viewer })),
    );
  };

  beforeAll(async () => {
    browser = await launchBrowser();
    running = await startApp();
    line = await createLine(running.server);
  });
  afterEach(async () => {
    for (const page of pages) expect(await doublesOf(page)).toEqual([]);
    await Promise.all(pages.map((page) => page.context().close()));
    pages = [];
  });
  afterAll(async () => {
    await browser?.close();
    await line?.close();
    await running?.close();
  });

  test('someone who joins appears in both', async () => {
    await open();
    await (await person('Mia')).joinVoice(channelId);
    await both((page) => untilPlayers(page, ['Mia']));
    await (await person('Tom')).joinVoice(channelId);
    await both((page) => untilPlayers(page, ['Mia', 'Tom']));
    for (const page of pages) expect(await activityOf(page)).toEqual(['Mia joined', 'Tom joined']);
  });

  test('someone who leaves vanishes from both; someone who moves shows in the other room alone', async () => {
    await open();
    const [mia, tom] = [await person('Mia'), await person('Tom')];
    await mia.joinVoice(channelId);
    await tom.joinVoice(channelId);
    await both((page) => untilPlayers(page, ['Mia', 'Tom']));

    const other = await openRoom(browser, running, sandbox().voiceChannelId, {
      url: line.url,
      person: await person('Witness'),
    });
    pages.push(other);
    await tom.moveTo(sandbox().voiceChannelId);
    await untilPlayers(other, ['Tom']);
    await Promise.all(pages.slice(0, 2).map((page) => untilPlayers(page, ['Mia'])));

    await mia.leaveVoice();
    await Promise.all(pages.slice(0, 2).map((page) => page.locator('[data-testid=empty]').waitFor()));
    expect(await activityOf(pages[0] as Page)).toEqual([
      'Mia joined',
      'Tom joined',
      'Tom left or was removed',
      'Mia left or was removed',
    ]);
    await tom.leaveVoice();
    await other.locator('[data-testid=empty]').waitFor();
  });

  test('the simulator panel makes people join, drop and leave', async () => {
    await open();
    const [page, witness] = pages as [Page, Page];
    await page.getByLabel('Name of the new person').fill('Zed');
    await page.getByRole('button', { name: 'Add and join' }).click();
    await both((each) => untilPlayers(each, ['Zed']));
    const row = page.getByRole('group', { name: 'Zed' });
    await row.getByRole('button', { name: 'Drop' }).click();
    await both((each) => each.locator('[data-testid=empty]').waitFor());
    await row.getByRole('button', { name: 'Join' }).click();
    await both((each) => untilPlayers(each, ['Zed']));
    await row.getByRole('button', { name: 'Leave' }).click();
    await witness.locator('[data-testid=empty]').waitFor();
  });

  test('the gateway socket is cut without a goodbye while someone joins: both show everyone, once', async () => {
    await open();
    const [mia, tom, ida] = [await person('Mia'), await person('Tom'), await person('Ida')];
    await mia.joinVoice(channelId);
    await both((page) => untilPlayers(page, ['Mia']));

    const { resumes } = sandbox().traffic.counters;
    sandbox().faults.down();
    sandbox().faults.cut({ handshake: false });
    await vi.waitFor(() => expect(sandbox().traffic.counters.gatewayOpen).toBe(0));
    await tom.joinVoice(channelId);
    sandbox().faults.up();

    await both((page) => untilPlayers(page, ['Mia', 'Tom']));
    expect(sandbox().traffic.counters.resumes).toBeGreaterThan(resumes);
    // One more event: had anything been held back or repeated, it would stand before this.
    await ida.joinVoice(channelId);
    await both((page) => untilPlayers(page, ['Mia', 'Tom', 'Ida']));
    for (const page of pages) expect(await activityOf(page)).toEqual(['Mia joined', 'Tom joined', 'Ida joined']);
  });

  test('the session cannot be resumed and people came and went meanwhile: the lists are put right', async () => {
    await open();
    const [mia, tom, ida] = [await person('Mia'), await person('Tom'), await person('Ida')];
    await mia.joinVoice(channelId);
    await tom.joinVoice(channelId);
    await both((page) => untilPlayers(page, ['Mia', 'Tom']));

    const { identifies } = sandbox().traffic.counters;
    sandbox().faults.invalidateSession({ resumable: false });
    sandbox().faults.cut({ handshake: false });
    await mia.leaveVoice();
    await ida.joinVoice(channelId);

    await both((page) => untilPlayers(page, ['Tom', 'Ida']));
    expect(sandbox().traffic.counters.identifies).toBeGreaterThan(identifies);
    for (const page of pages) {
      expect((await activityOf(page)).toSorted()).toEqual(
        ['Ida joined', 'Mia joined', 'Mia left or was removed', 'Tom joined'].toSorted(),
      );
    }
  });

  test('Discord asks to reconnect: nothing is missed', async () => {
    await open();
    const [mia, tom] = [await person('Mia'), await person('Tom')];
    await mia.joinVoice(channelId);
    await both((page) => untilPlayers(page, ['Mia']));
    sandbox().faults.reconnect();
    await tom.joinVoice(channelId);
    await both((page) => untilPlayers(page, ['Mia', 'Tom']));
  });

  test('the browsers lose the hub: they say so, come back by themselves and have missed nothing', async () => {
    await open();
    const [mia, tom] = [await person('Mia'), await person('Tom')];
    await mia.joinVoice(channelId);
    await both((page) => untilPlayers(page, ['Mia']));

    line.cut();
    await both((page) => untilConnection(page, 'Reconnecting'));
    await both((page) => page.locator('[data-testid=notice]', { hasText: 'Connection lost' }).waitFor());
    await both((page) => page.getByText('1 person in voice when last seen').waitFor());
    await tom.joinVoice(channelId);
    line.mend();

    await both((page) => untilPlayers(page, ['Mia', 'Tom']));
    await both((page) => untilLive(page));
    await both((page) => page.locator('[data-testid=notice]').waitFor({ state: 'detached' }));
    for (const page of pages) expect(await activityOf(page)).toEqual(['Mia joined', 'Tom joined']);
  });

  test('the app has lost its view of Discord: both pages say that the list may be old', async () => {
    await open();
    running.app.hub.setDegraded(true, 'test');
    await both((page) => page.locator('[data-testid=stale]').waitFor());
    running.app.hub.setDegraded(false, 'test');
    await both((page) => page.locator('[data-testid=stale]').waitFor({ state: 'detached' }));
  });

  test('the room is deleted in Discord: both pages say so', async () => {
    await open();
    await running.app.deleteChannel(channelId);
    await both((page) => page.locator('[data-testid=deleted]').waitFor());
  });
});

describe.skipIf(chromiumPath() === undefined)('a page that has used up its tries', () => {
  test('waits for the user, then connects again', async () => {
    const browser = await launchBrowser();
    const running = await startApp({ MAX_WS_RECONNECT_ATTEMPTS: '1' });
    const line = await createLine(running.server);
    try {
      const channelId = running.app.sandbox?.voiceChannelId as string;
      const viewer = await (running.app.sandbox as Sandbox).people.create({ name: 'Vera' });
      const page = await openRoom(browser, running, channelId, { url: line.url, person: viewer });
      line.cut();
      await untilConnection(page, 'Connection lost');
      const reconnect = page.getByRole('button', { name: 'Reconnect', exact: true });
      await reconnect.waitFor();
      line.mend();
      await reconnect.click();
      await untilLive(page);
    } finally {
      await browser.close();
      await line.close();
      await running.close();
    }
  });
});
