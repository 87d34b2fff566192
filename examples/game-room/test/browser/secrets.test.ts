import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, logIn, loginCookie, openPage, startApp, untilLive } from './harness.js';

const SESSION_SECRET = 'a-session-secret-that-no-browser-may-ever-see';
const INVITE_SECRET = 'an-invite-secret-that-no-browser-may-ever-see';

describe.skipIf(chromiumPath() === undefined)('what a browser may ask for', () => {
  let browser: Browser;
  /** Stands for Discord itself: the app only has its address and a token, and does not know that it is a sandbox. */
  let discord: Sandbox;

  beforeAll(async () => {
    browser = await launchBrowser();
    discord = await createSandbox();
  });
  afterAll(async () => {
    await browser?.close();
    await discord?.close();
  });

  const realEnv = () => ({
    DISCORD_BOT_TOKEN: discord.connection.token,
    PRIMARY_GUILD_ID: discord.guildId,
    DISCORD_API_BASE: discord.connection.apiBase,
    DISCORD_CLIENT_ID: discord.oauth.clientId,
    DISCORD_CLIENT_SECRET: discord.oauth.clientSecret,
    SESSION_SECRET,
    INVITE_SECRET,
  });

  test('without the sandbox has no simulator, and its functions refuse', async () => {
    const simulated = await startApp();
    const real = await startApp(realEnv());
    try {
      const vera = await (simulated.app.sandbox as Sandbox).people.create({ name: 'Vera' });
      const page = await openPage(browser, simulated, vera);
      // What the panel sends, learnt from an app that has one.
      const called = page.waitForRequest(
        (request) => request.url().includes('/_serverFn/') && request.method() === 'POST',
      );
      await page.goto(`${simulated.url}/room/${simulated.app.sandbox?.voiceChannelId}`);
      await untilLive(page);
      await page.getByRole('button', { name: 'Add and join' }).click();
      const request = await called;

      const { pathname, search } = new URL(request.url());
      const headers = await request.allHeaders();
      const parts = [
        pathname + search,
        request.postData() ?? '',
        headers['content-type'] ?? '',
        headers['x-tsr-serverfn'] ?? 'true',
      ];
      const repeat = () =>
        page.evaluate(async ([url = '', body = '', type = '', fn = '']) => {
          const answer = await fetch(url, {
            method: 'POST',
            body,
            headers: { 'content-type': type, 'x-tsr-serverfn': fn },
          });
          return { status: answer.status, text: await answer.text() };
        }, parts);
      expect((await repeat()).status, 'the request is good where people are simulated').toBe(200);

      await logIn(page.context(), real, await discord.people.create({ name: 'Vera' }), discord);
      await page.goto(`${real.url}/room/${discord.voiceChannelId}`);
      await untilLive(page);
      expect(await page.getByRole('heading', { name: 'Simulator' }).count()).toBe(0);
      const peopleBefore = discord.people.list().length;
      const refused = await repeat();
      expect(refused.status).toBe(403);
      expect(refused.text).toContain('only while Discord is simulated');
      expect(discord.people.list().length).toBe(peopleBefore);
    } finally {
      await simulated.close();
      await real.close();
    }
  });

  test('server functions are for our own pages', async () => {
    const running = await startApp();
    try {
      const vera = await (running.app.sandbox as Sandbox).people.create({ name: 'Vera' });
      const page = await openPage(browser, running, vera);
      const called = page.waitForRequest((request) => request.url().includes('/_serverFn/'));
      await page.goto(`${running.url}/room/${running.app.sandbox?.voiceChannelId}`);
      const request = await called;
      const ask = async (site: string) => {
        const headers = { ...(await request.allHeaders()), 'sec-fetch-site': site };
        return (await fetch(request.url(), { headers })).status;
      };
      expect(await ask('same-origin')).toBe(200);
      expect(await ask('cross-site')).toBe(403);
    } finally {
      await running.close();
    }
  });

  test('tokens are for players, and for our own pages', async () => {
    const running = await startApp();
    try {
      const vera = await (running.app.sandbox as Sandbox).people.create({ name: 'Vera' });
      const cookie = await loginCookie(running, vera);
      const ask = (headers: Record<string, string>) => fetch(`${running.url}/api/token`, { method: 'POST', headers });
      expect((await ask({ cookie })).status).toBe(403);
      expect((await ask({ cookie, origin: 'https://elsewhere.example' })).status).toBe(403);
      expect((await ask({ origin: running.url })).status).toBe(401);
      const own = await ask({ cookie, origin: running.url });
      expect(own.status).toBe(200);
      expect(own.headers.get('cache-control')).toBe('no-store');
      expect(cookie.startsWith('gk_session')).toBe(true);
    } finally {
      await running.close();
    }
  });
});
