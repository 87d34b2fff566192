/** What the specifications promise of the link between app and gateway service, seen in a page. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@guildkit/core';
import { LinkServer } from '@guildkit/server-kit/link';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { readSettings } from '../../../gateway-worker/src/settings.js';
import { startWorker, type Worker } from '../../../gateway-worker/src/worker.js';
import type { Running } from '../../src/serve.js';
import { launchBrowser, openRoom, PATIENCE_MS, startApp } from './harness.js';

const TOKEN = 'a-link-token-of-32-characters-or-more';

describe.skipIf(chromiumPath() === undefined)('the link', () => {
  let browser: Browser;
  let directory: string;
  const endings: (() => unknown)[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
    directory = await mkdtemp(join(tmpdir(), 'game-room-link-'));
  });
  afterEach(async () => {
    for (const end of endings.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    await browser?.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** A service that the app dials, on a port that is known before either is there. */
  async function listen() {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endings.push(() => new Promise((resolve) => server.close(resolve)));
    return { server, port: (server.address() as AddressInfo).port };
  }
  async function start(port: number): Promise<Running> {
    const running = await startApp({ TOPOLOGY: 'link', LINK_URL: `ws://127.0.0.1:${port}/link`, LINK_TOKEN: TOKEN });
    endings.push(() => running.close());
    return running;
  }

  test('what is said while the gateway service is away waits, and is said when it is back', async () => {
    const { server, port } = await listen();
    await new Promise((resolve) => server.close(resolve));
    const running = await start(port);
    const { sandbox } = running.app;
    if (sandbox === undefined) throw new Error('the app runs without the sandbox');
    const { token, apiBase, guildId } = sandbox.connection;
    let worker: Worker | undefined;
    const work = async () => {
      const settings = readSettings({
        TOPOLOGY: 'link',
        DISCORD_BOT_TOKEN: token,
        DISCORD_API_BASE: apiBase,
        PRIMARY_GUILD_ID: guildId,
        LINK_TOKEN: TOKEN,
        PORT: String(port),
        HEALTH_CHECK_PORT: '0',
        STATE_DIRECTORY: directory,
      });
      worker = await startWorker(settings, silentLogger);
    };
    endings.push(() => worker?.close());
    await work();
    await vi.waitFor(() => expect(running.app.health().discord.state).toBe('ready'), { timeout: PATIENCE_MS });
    const host = await sandbox.people.create({ name: 'Hedda' });
    const { channelId } = await running.app.rooms.create({ creatorId: host.id, name: 'Heddas table' });
    const page = await openRoom(browser, running, channelId, { person: host });
    endings.push(() => page.context().close());

    await worker?.close();
    await page.getByLabel('Message', { exact: true }).fill('Can you hear me?');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByRole('button', { name: 'Sending…' }).waitFor();
    await work();
    await page.locator('.message-text', { hasText: 'Can you hear me?' }).waitFor();
    expect((await running.app.messages(channelId)).map(({ content }) => content)).toEqual(['Can you hear me?']);
  });

  test('a service that speaks nonsense, and refuses, costs a sentence and no connection; operators are told', async () => {
    const { server, port } = await listen();
    const service = new LinkServer({
      tokens: TOKEN,
      onCommand: () => {
        throw Object.assign(new Error('10.1.2.3 refused'), { status: 502 });
      },
    });
    service.attach(server, { path: '/link' });
    endings.push(() => service.close());
    const running = await start(port);
    await vi.waitFor(() => expect(running.app.health().discord.state).toBe('ready'), { timeout: PATIENCE_MS });
    const { sandbox } = running.app;
    const host = await sandbox?.people.create({ name: 'Ingmar' });
    if (host === undefined) throw new Error('nobody');
    const { channelId } = await running.app.rooms.create({ creatorId: host.id, name: 'Ingmars table' });
    running.app.directory.add({ channelId, name: 'Ingmars table' });
    const page = await openRoom(browser, running, channelId, { person: host });
    endings.push(() => page.context().close());
    await page.getByLabel('Message', { exact: true }).fill('Hello?');
    await page.getByRole('button', { name: 'Send' }).click();
    const told = page.locator('.composer').getByRole('alert');
    await told.getByText(/\S/).waitFor();
    expect(await told.textContent()).not.toContain('10.1.2.3');
    // Operators see it, under the trace id of what was asked.
    const { records } = await running.app.ops.view();
    expect(records).toContainEqual(
      expect.objectContaining({ message: 'command failed', traceId: expect.stringMatching(/\S{8,}/) }),
    );
    expect(JSON.stringify(records)).not.toContain('10.1.2.3');
    // Events that nobody can read.
    service.publish({
      event: 'voice.joined',
      payload: { guildId: running.app.guildId },
      id: 'x',
      traceId: 't',
      ts: 0,
    } as never);
    await page.locator('[data-testid=connection]', { hasText: 'Live' }).waitFor();
    expect((await fetch(`${running.url}/health`)).status).toBe(200);
    expect(await page.getByLabel('Message', { exact: true }).inputValue()).toBe('Hello?');
  });
});
