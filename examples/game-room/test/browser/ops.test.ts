/** The page for operators: what it shows, to whom, and that it tells nothing that it should not. */
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Running } from '../../src/serve.js';
import { faultsOf, launchBrowser, loginCookie, openPage, PATIENCE_MS, startApp, untilConnection } from './harness.js';

const SECRETS = {
  SESSION_SECRET: 'a-session-secret-that-no-operator-may-see',
  INVITE_SECRET: 'an-invite-secret-that-no-operator-may-see',
};

describe.skipIf(chromiumPath() === undefined)('operations', () => {
  let browser: Browser;
  /** Stands for Discord itself. */
  let discord: Sandbox;
  let running: Running;
  let operator: { readonly id: string };
  let player: { readonly id: string };
  let page: Page;

  beforeAll(async () => {
    browser = await launchBrowser();
    discord = await createSandbox({ heartbeatIntervalMs: 1_000 });
    operator = await discord.people.create({ name: 'Olga' });
    player = await discord.people.create({ name: 'Pia' });
    running = await startApp({
      ...SECRETS,
      DISCORD_BOT_TOKEN: discord.connection.token,
      PRIMARY_GUILD_ID: discord.guildId,
      DISCORD_API_BASE: discord.connection.apiBase,
      DISCORD_CLIENT_ID: discord.oauth.clientId,
      DISCORD_CLIENT_SECRET: discord.oauth.clientSecret,
      OPS_USER_IDS: operator.id,
    });
    page = await openPage(browser, running, operator, { sandbox: discord });
    await page.goto(running.url);
    await page.getByRole('link', { name: 'Operations' }).click();
    await page.getByRole('heading', { name: 'Operations' }).waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    await running?.close();
    await discord?.close();
  });

  const rowOf = (name: string) => page.getByRole('row', { name });

  test('shows the connection, rooms and rates, and what changes shows by itself', async () => {
    await page.locator('[data-testid=ops-discord]', { hasText: 'Connected' }).waitFor();
    const [room] = running.app.directory.list();
    await rowOf(`${room?.name} 0 0`).waitFor();
    const person = await discord.people.create({ name: 'Mia' });
    await person.joinVoice(room?.channelId as string);
    await rowOf(`${room?.name} 1 0`).waitFor();
    // Counted since the start, and in the last minute.
    expect(Number(await rowOf('From Discord to here').getByRole('cell').last().textContent())).toBeGreaterThan(0);
    await expect
      .poll(() => rowOf('Heartbeat to Discord').getByRole('cell').first().textContent(), { timeout: PATIENCE_MS })
      .toMatch(/ ms$/);
    await expect
      .poll(() => rowOf('Joins, leaves and moves').getByRole('cell').first().textContent(), { timeout: PATIENCE_MS })
      .toMatch(/^(?!0$)[\d.]+$/);
    expect(await faultsOf(page)).toEqual([]);
  });

  test('shows warnings and errors with their trace ids, and nothing of secrets, places or markup', async () => {
    const { token } = discord.connection;
    running.app.logger.error(
      { traceId: 'trace-of-a-failure', reason: `<img src=x> ${token} at 10.9.8.7:6379 in /srv/app/x.js\u001b[31m` },
      'something failed',
    );
    const record = page.locator('.ops-record', { hasText: 'something failed' });
    await record.getByText('trace-of-a-failure').waitFor();
    await record.getByText('<img src=x>').waitFor();
    const cookie = await loginCookie(running, operator, discord);
    const answer = await fetch(`${running.url}/api/ops`, { headers: { cookie } });
    expect(answer.status).toBe(200);
    const text = (await answer.text()) + (await page.content());
    const { clientSecret } = discord.oauth;
    const places = ['10.9.8.7', '6379', '/srv/app', new URL(discord.connection.apiBase).host, '\u001b'];
    for (const gone of [token, clientSecret, ...Object.values(SECRETS), ...places]) expect(text).not.toContain(gone);
  });

  test('says that the server does not answer, and goes on when it does', async () => {
    await page.route(/_serverFn/, (route) => route.abort());
    await page.getByText('The server does not answer.').waitFor();
    await page.unroute(/_serverFn/);
    await page.getByText('The server does not answer.').waitFor({ state: 'detached' });
  });

  test('says when Discord is away', async () => {
    discord.faults.down();
    discord.faults.cut({ handshake: false });
    await page.locator('[data-testid=ops-discord]', { hasText: 'Connecting' }).waitFor();
    discord.faults.up();
    await page.locator('[data-testid=ops-discord]', { hasText: 'Connected' }).waitFor();
  });

  test('for everybody else there is no such page', async () => {
    const other = await openPage(browser, running, player, { sandbox: discord });
    await other.goto(running.url);
    await untilConnection(other, 'Live');
    expect(await other.getByRole('link', { name: 'Operations' }).count()).toBe(0);
    const response = await other.goto(`${running.url}/ops`);
    expect(response?.status()).toBe(404);
    await other.getByRole('heading', { name: 'There is no such page' }).waitFor();
    const cookie = await loginCookie(running, player, discord);
    expect((await fetch(`${running.url}/api/ops`, { headers: { cookie } })).status).toBe(404);
    expect((await fetch(`${running.url}/api/ops`)).status).toBe(401);
    expect(await (await fetch(`${running.url}/ops`)).text()).not.toContain('Process ');
    await other.context().close();
  });
});
