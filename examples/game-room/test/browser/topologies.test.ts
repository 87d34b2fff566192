/** The built app with a gateway worker beside it: what pages show, also across a restart of the worker. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@guildkit/core';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readSettings } from '../../../gateway-worker/src/settings.js';
import { startWorker, type Worker } from '../../../gateway-worker/src/worker.js';
import type { Running } from '../../src/serve.js';
import { activityOf, doublesOf, launchBrowser, openRoom, PATIENCE_MS, startApp, untilPlayers } from './harness.js';
import { freePort } from './processes.js';

const SECRET = 'a-secret-of-32-characters-or-more-for-tests';

describe.skipIf(chromiumPath() === undefined)('with a gateway worker', () => {
  let browser: Browser;
  let directory: string;

  beforeAll(async () => {
    browser = await launchBrowser();
    directory = await mkdtemp(join(tmpdir(), 'game-room-worker-'));
  });
  afterAll(async () => {
    await browser?.close();
    await rm(directory, { recursive: true, force: true });
  });

  test.each(['webhook', 'link'])('%s: pages are live, and the worker’s restart costs nothing', async (topology) => {
    const port = await freePort();
    const running: Running = await startApp({
      TOPOLOGY: topology,
      HUB_SECRET: SECRET,
      LINK_URL: `ws://127.0.0.1:${port}/link`,
      LINK_TOKEN: SECRET,
    });
    const { sandbox, health } = running.app;
    if (sandbox === undefined) throw new Error('the app runs without the sandbox');
    let worker: Worker | undefined;
    const work = async () => {
      const { token, apiBase, guildId } = sandbox.connection;
      const settings = readSettings({
        TOPOLOGY: topology,
        DISCORD_BOT_TOKEN: token,
        DISCORD_API_BASE: apiBase,
        PRIMARY_GUILD_ID: guildId,
        HUB_ENDPOINT: `${running.url}/api/internal/events`,
        HUB_SECRET: SECRET,
        LINK_TOKEN: SECRET,
        PORT: port,
        HEALTH_CHECK_PORT: '0',
        STATE_DIRECTORY: join(directory, topology),
      });
      worker = await startWorker(settings, silentLogger);
    };
    try {
      expect(health()).toMatchObject({ status: 'degraded', discord: { topology } });
      expect((await fetch(`${running.url}/health`)).status).toBe(503);
      await work();
      await vi.waitFor(() => expect(running.app.directory.knows(sandbox.voiceChannelId)).toBe(true), {
        timeout: PATIENCE_MS,
      });
      expect((await fetch(`${running.url}/health`)).status).toBe(200);

      const [mia, tom, viewer] = await Promise.all(
        ['Mia', 'Tom', 'Eve'].map((name) => sandbox.people.create({ name })),
      );
      if (mia === undefined || tom === undefined || viewer === undefined) throw new Error('nobody');
      const page = await openRoom(browser, running, sandbox.voiceChannelId, { person: viewer });
      await mia.joinVoice(sandbox.voiceChannelId);
      await untilPlayers(page, ['Mia']);

      await worker?.close();
      await tom.joinVoice(sandbox.voiceChannelId);
      await work();
      await untilPlayers(page, ['Mia', 'Tom']);
      await mia.leaveVoice();
      await untilPlayers(page, ['Tom']);
      expect(await activityOf(page)).toEqual(['Mia joined', 'Tom joined', 'Mia left or was removed']);
      expect(await doublesOf(page)).toEqual([]);
      expect(sandbox.traffic.counters).toMatchObject({ identifies: 1, resumes: 1 });

      // The route itself, behind all of the app's checks.
      const unsigned = await fetch(`${running.url}/api/internal/events`, { method: 'POST', body: '{}' });
      expect(unsigned.status).toBe(topology === 'webhook' ? 401 : 404);
      await page.context().close();
    } finally {
      await worker?.close();
      await running.close();
    }
  });
});
