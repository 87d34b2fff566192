/** What pages show when app, gateway connection or worker end without a word while people come and go. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createSandbox, type Person, type Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  buildWorker,
  SECRET,
  startProcess as startWorker,
  children as workers,
} from '../../../gateway-worker/test/support/harness.js';
import { doublesOf, launchBrowser, PATIENCE_MS, untilConnection, untilLive, watchDoubles } from './harness.js';
import { type AppProcess, createAppProcess, freePort, openPageAt } from './processes.js';

/** Between two of the people that come and go, ms. */
const EVERY_MS = 40;
const CROWD = ['Ada', 'Bo', 'Cy', 'Di', 'Ed', 'Fay'];
const POLL = { timeout: PATIENCE_MS, interval: 20 } as const;

describe.skipIf(chromiumPath() === undefined)('killed in the middle of events', () => {
  let browser: Browser;
  let directory: string;
  let workerProgram: string;
  let sandbox: Sandbox;
  let app: AppProcess | undefined;
  let stopCrowd: (() => Promise<void>) | undefined;

  beforeAll(async () => {
    browser = await launchBrowser();
    directory = await mkdtemp(join(tmpdir(), 'game-room-killed-'));
    workerProgram = await buildWorker(join(directory, 'worker'));
  });
  afterEach(async () => {
    await stopCrowd?.();
    stopCrowd = undefined;
    await app?.kill();
    app = undefined;
    for (const worker of workers) worker.kill('SIGKILL');
    await sandbox.close();
  });
  afterAll(async () => {
    await browser?.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** Somebody who looks, and what their page is told of who comes and goes. */
  async function look(at: AppProcess): Promise<{ page: Page; told: string[] }> {
    const page = await openPageAt(browser, at, sandbox, await sandbox.people.create({ name: 'Viewer' }));
    const told: string[] = [];
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => {
        const { event, payload: about } = JSON.parse(String(payload)) as { event: string; payload: { userId: string } };
        if (event === 'voice.joined' || event === 'voice.left') told.push(`${event} ${about.userId}`);
      }),
    );
    await watchDoubles(page);
    await page.goto(`${at.url}/room/${sandbox.voiceChannelId}`);
    await untilLive(page);
    return { page, told };
  }

  /** People come and go from here on. `stop` ends it with three of them there. */
  function comeAndGo(people: readonly Person[]) {
    const caused: string[] = [];
    const turn = async (person: Person, isIn: boolean): Promise<void> => {
      if ((person.channelId !== null) === isIn) return;
      caused.push(`voice.${isIn ? 'joined' : 'left'} ${person.id}`);
      await (isIn ? person.joinVoice(sandbox.voiceChannelId) : person.leaveVoice());
    };
    let isOn = true;
    const run = async (): Promise<void> => {
      for (let count = 0; isOn; count += 1) {
        await turn(people[count % people.length] as Person, Math.floor(count / people.length) % 2 === 0);
        await delay(EVERY_MS);
      }
    };
    const done = run();
    const stop = async (): Promise<void> => {
      isOn = false;
      await done;
      for (const [index, person] of people.entries()) await turn(person, index % 2 === 0);
    };
    stopCrowd = stop;
    return { caused, stop };
  }

  /** Waits until a list has grown. */
  const more = (list: readonly string[]) => {
    const before = list.length;
    return expect.poll(() => list.length, POLL).toBeGreaterThanOrEqual(before + 8);
  };

  /** The page shows who is there, each of them once, and never showed anybody twice. */
  async function isRight(page: Page): Promise<void> {
    const there = sandbox.people
      .list()
      .filter(({ channelId }) => channelId === sandbox.voiceChannelId)
      .map(({ name }) => name)
      .sort();
    expect(there.length).toBe(4);
    const shown = async () => (await page.locator('[data-testid=players] .player-name').allTextContents()).sort();
    await expect.poll(shown, POLL).toEqual(there);
    expect(await doublesOf(page)).toEqual([]);
  }

  /** Those who will come and go, beside somebody who sits there all the time: no event tells of them. */
  async function createCrowd(): Promise<Person[]> {
    const still = await sandbox.people.create({ name: 'Gil' });
    await still.joinVoice(sandbox.voiceChannelId);
    return Promise.all(CROWD.map((name) => sandbox.people.create({ name })));
  }

  test('the gateway connection, then the app', async () => {
    // Without limits: a second IDENTIFY need not wait for five seconds.
    sandbox = await createSandbox({ rateLimits: false });
    app = await createAppProcess(sandbox, { STATE_DIRECTORY: join(directory, 'app') });
    await app.start();
    const people = await createCrowd();
    const { page, told } = await look(app);
    const crowd = comeAndGo(people);
    await more(told);
    sandbox.faults.cut();
    await more(told);
    expect(told, 'nothing is missing and nothing comes twice').toEqual(crowd.caused.slice(0, told.length));

    await app.kill();
    await untilConnection(page, 'Reconnecting');
    await app.start();
    await untilConnection(page, 'Live');
    await more(crowd.caused);
    await crowd.stop();
    await isRight(page);
    expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 2 });
  });

  test.each(['webhook', 'link'])('%s: the worker, then the app', async (topology) => {
    sandbox = await createSandbox({ rateLimits: false });
    const port = await freePort();
    app = await createAppProcess(sandbox, {
      TOPOLOGY: topology,
      HUB_SECRET: SECRET,
      LINK_URL: `ws://127.0.0.1:${port}/link`,
      LINK_TOKEN: SECRET,
    });
    const { url } = app;
    const work = async () => {
      const worker = await startWorker(workerProgram, sandbox, {
        TOPOLOGY: topology,
        HUB_ENDPOINT: `${url}/api/internal/events`,
        HUB_SECRET: SECRET,
        LINK_TOKEN: SECRET,
        PORT: port,
        STATE_DIRECTORY: join(directory, topology),
      });
      await worker.connected();
      return worker;
    };
    const worker = await work();
    await app.start();
    await expect.poll(async () => (await fetch(`${url}/health`)).status, POLL).toBe(200);

    const people = await createCrowd();
    const { page, told } = await look(app);
    const crowd = comeAndGo(people);
    await more(told);
    await worker.signal('SIGKILL');
    await work();
    await more(told);
    expect(told, 'nothing is missing and nothing comes twice').toEqual(crowd.caused.slice(0, told.length));
    expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1 });

    await app.kill();
    await untilConnection(page, 'Reconnecting');
    await app.start();
    await untilConnection(page, 'Live');
    await more(crowd.caused);
    await crowd.stop();
    await isRight(page);
  });
});
