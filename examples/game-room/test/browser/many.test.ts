/** Several processes of the app behind a load balancer, on one Redis: what pages at different processes show, whatever ends. */
import { createSandbox, type Person, type Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasRedis, TestRedis } from '../../../../packages/redis/test/support/redis-server.js';
import { type Fleet, pageAt, roomAt, STICKY, startMany } from './fleet-pages.js';
import {
  activityOf,
  doublesOf,
  launchBrowser,
  PATIENCE_MS,
  untilConnection,
  untilLive,
  untilPlayers,
} from './harness.js';

const POLL = { timeout: PATIENCE_MS, interval: 50 } as const;
/** What a page says while what it shows may be old. */
const STALE = '[data-testid=stale]';

describe.skipIf(chromiumPath() === undefined || !hasRedis)('several processes', () => {
  let browser: Browser;
  let redis: TestRedis;
  let sandbox: Sandbox;
  let fleet: Fleet;
  const pages: Page[] = [];

  beforeAll(async () => {
    redis = await TestRedis.start();
    sandbox = await createSandbox({ rateLimits: false });
    [browser, fleet] = await Promise.all([launchBrowser(), startMany(3, sandbox, redis)]);
  });
  afterEach(async () => {
    await Promise.all(pages.splice(0).map((page) => page.context().close()));
    for (const person of sandbox.people.list()) if (person.channelId !== null) await person.leaveVoice();
  });
  afterAll(async () => {
    await browser?.close();
    await fleet?.close();
    await sandbox?.close();
    await redis?.close();
  });

  const create = (name: string): Promise<Person> => sandbox.people.create({ name });
  const stickyOf = async (page: Page): Promise<string | undefined> =>
    (await page.context().cookies()).find(({ name }) => name === STICKY)?.value;
  const ownerOf = async (): Promise<string> => {
    let owner = '';
    await expect
      .poll(async () => {
        const healths = await Promise.all(
          fleet.ids.map(async (id) => [id, await fleet.health(id).catch(() => undefined)] as const),
        );
        const owners = healths.filter(([, health]) => health?.status === 'ok' && health.discord.role === 'owner');
        owner = owners[0]?.[0] ?? '';
        return owners.length;
      }, POLL)
      .toBe(1);
    return owner;
  };

  async function keep(opening: Promise<Page>): Promise<Page> {
    const page = await opening;
    pages.push(page);
    return page;
  }
  const where = () => ({ browser, fleet, sandbox });
  const openAt = (id: string, person: Person) => keep(roomAt(where(), id, person));
  const all = (work: (page: Page) => Promise<unknown>) => Promise.all(pages.map(work));
  const untilAll = (names: readonly string[]) => all((page) => untilPlayers(page, names));
  const nobodyTwice = () => all(async (page) => expect(await doublesOf(page)).toEqual([]));

  test('pages at different processes see the same list, the same chat, and each other', async () => {
    const [hanna, gustav, ines] = await Promise.all(['Hanna', 'Gustav', 'Ines'].map(create));
    if (hanna === undefined || gustav === undefined || ines === undefined) throw new Error('nobody');
    const host = await keep(pageAt(where(), 'app-1', hanna));
    await host.goto(fleet.url);
    await host.getByLabel('New room').fill('Three tables');
    await host.getByRole('button', { name: 'Create room' }).click();
    await host.getByRole('heading', { name: 'Three tables' }).waitFor();
    await untilLive(host);
    const channelId = new URL(host.url()).pathname.split('/').at(-1) ?? '';
    await host.getByRole('button', { name: 'Invite players' }).click();
    const link = await host.getByLabel('Invite link, good for a day').inputValue();
    for (const [index, person] of [gustav, ines].entries()) {
      const guest = await keep(pageAt(where(), `app-${index + 2}`, person));
      await guest.goto(link);
      await guest.getByRole('heading', { name: 'Three tables' }).waitFor();
      await untilLive(guest);
    }
    expect(await Promise.all(pages.map(stickyOf))).toEqual(fleet.ids);

    await gustav.joinVoice(channelId);
    await hanna.joinVoice(channelId);
    await untilAll(['Gustav', 'Hanna']);
    await host.getByLabel('Message', { exact: true }).fill('Who deals?');
    await host.getByRole('button', { name: 'Send' }).click();
    await all((page) =>
      page.locator('.message', { hasText: 'Who deals?' }).getByText('Hanna', { exact: true }).waitFor(),
    );
    await pages[2]?.getByRole('button', { name: /React with 👍 to Hanna/ }).click({ force: true });
    await all((page) => page.locator('.reactions', { hasText: '👍 1' }).waitFor());
    await gustav.leaveVoice();
    await untilAll(['Hanna']);
    await nobodyTwice();
    expect(sandbox.traffic.counters).toMatchObject({ identifies: 1 });
  });

  test('the owner of the gateway is killed: another resumes, and pages stay right', async () => {
    const [mia, tom, eve] = await Promise.all(['Mia', 'Tom', 'Eve'].map(create));
    if (mia === undefined || tom === undefined || eve === undefined) throw new Error('nobody');
    const owner = await ownerOf();
    const before = { ...sandbox.traffic.counters };
    for (const id of fleet.ids) await openAt(id, eve);
    await mia.joinVoice(sandbox.voiceChannelId);
    await untilAll(['Mia']);

    const pid = fleet.pid(owner);
    await fleet.kill(owner);
    await tom.joinVoice(sandbox.voiceChannelId);
    await untilAll(['Mia', 'Tom']);
    await mia.leaveVoice();
    await untilAll(['Tom']);
    await nobodyTwice();
    expect(fleet.pid(await ownerOf())).not.toBe(pid);
    const { identifies, resumes } = sandbox.traffic.counters;
    expect([identifies - before.identifies, resumes - before.resumes]).toEqual([0, 1]);
    await fleet.untilUp(owner);
    // Those whose process lived have heard each of them once.
    for (const [index, page] of pages.entries()) {
      if (fleet.ids[index] !== owner)
        expect(await activityOf(page)).toEqual(['Mia joined', 'Tom joined', 'Mia left or was removed']);
    }
  });

  test('Redis stops and comes back: pages say so, and are right again', async () => {
    const [mia, eve] = await Promise.all(['Mia', 'Eve'].map(create));
    if (mia === undefined || eve === undefined) throw new Error('nobody');
    await ownerOf();
    for (const id of fleet.ids) await openAt(id, eve);
    redis.pause();
    await all((page) => page.locator(STALE).waitFor());
    await mia.joinVoice(sandbox.voiceChannelId);
    redis.resume();
    await untilAll(['Mia']);
    await all((page) => page.locator(STALE).waitFor({ state: 'detached' }));
    await redis.down();
    await all((page) => page.locator(STALE).waitFor());
    await mia.leaveVoice();
    await redis.up();
    await untilAll([]);
    await all((page) => page.locator(STALE).waitFor({ state: 'detached' }));
    await nobodyTwice();
  });

  test('all processes are started anew, one after the other: no page ends up old', async () => {
    const [mia, tom, eve] = await Promise.all(['Mia', 'Tom', 'Eve'].map(create));
    if (mia === undefined || tom === undefined || eve === undefined) throw new Error('nobody');
    await ownerOf();
    const before = { ...sandbox.traffic.counters };
    for (const id of fleet.ids) await openAt(id, eve);
    await mia.joinVoice(sandbox.voiceChannelId);
    await untilAll(['Mia']);
    const pids = fleet.ids.map((id) => fleet.pid(id));
    const restarted = fleet.rollingRestart();
    await tom.joinVoice(sandbox.voiceChannelId);
    await untilAll(['Mia', 'Tom']);
    await restarted;
    expect(fleet.ids.filter((id, index) => fleet.pid(id) === pids[index])).toEqual([]);
    await mia.leaveVoice();
    await all((page) => untilConnection(page, 'Live'));
    await untilAll(['Tom']);
    await nobodyTwice();
    const { identifies, resumes } = sandbox.traffic.counters;
    expect(identifies).toBe(before.identifies);
    expect(resumes).toBeGreaterThan(before.resumes);
  });
});
