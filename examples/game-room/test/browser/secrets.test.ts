import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { chromiumPath } from '@guildkit/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, PATIENCE_MS, startApp, untilLive } from './harness.js';

const SESSION_SECRET = 'a-session-secret-that-no-browser-may-ever-see';

/** Everything a page is sent: bodies, headers, socket frames. */
function recordAll(page: Page): { texts: () => Promise<string[]> } {
  const parts: Promise<string>[] = [];
  page.on('response', (response) => {
    parts.push(
      response.allHeaders().then(
        (headers) => JSON.stringify(headers),
        () => '',
      ),
    );
    parts.push(response.text().catch(() => ''));
  });
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => parts.push(Promise.resolve(payload.toString())));
  });
  return { texts: () => Promise.all(parts) };
}

describe.skipIf(chromiumPath() === undefined)('what a browser is sent', () => {
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
    SESSION_SECRET,
  });

  test('holds no secret, on any page', async () => {
    const running = await startApp(realEnv());
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      const record = recordAll(page);
      await page.goto(`${running.url}/room/${discord.voiceChannelId}`);
      await untilLive(page);
      await (await discord.people.create({ name: 'Mia' })).joinVoice(discord.voiceChannelId);
      await page.getByText('Mia', { exact: true }).waitFor();
      for (const path of ['/', '/health', '/.well-known/jwks.json', '/room/1', '/nothing/here', '/assets/nothing.js']) {
        await page.goto(running.url + path);
      }
      const texts = await record.texts();
      expect(
        texts.some((text) => text.includes('Game rooms')),
        'the recorder works',
      ).toBe(true);
      expect(
        texts.some((text) => text.includes('voice.joined')),
        'the recorder hears the socket',
      ).toBe(true);
      const [, , tokenSecret = ''] = discord.connection.token.split('.');
      for (const secret of [discord.connection.token, tokenSecret, SESSION_SECRET]) {
        expect(secret.length).toBeGreaterThan(20);
        expect(texts.filter((text) => text.includes(secret))).toEqual([]);
      }
      // A private key has a member "d"; the published set must not.
      const keys = texts.filter((text) => text.includes('"kty"'));
      expect(keys.length).toBeGreaterThan(0);
      for (const text of keys) expect(text).not.toMatch(/"d"\s*:/);
    } finally {
      await running.close();
    }
  });

  test('without the sandbox has no simulator, and its functions refuse', async () => {
    const simulated = await startApp();
    const real = await startApp(realEnv());
    try {
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
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
      const page = await browser.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
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

  test('tokens are for our own pages', async () => {
    const running = await startApp();
    try {
      const ask = (origin?: string) =>
        fetch(`${running.url}/api/token`, { method: 'POST', headers: origin === undefined ? {} : { origin } });
      expect((await ask()).status).toBe(403);
      expect((await ask('https://elsewhere.example')).status).toBe(403);
      const own = await ask(running.url);
      expect(own.status).toBe(200);
      expect(own.headers.get('cache-control')).toBe('no-store');
      expect(own.headers.get('set-cookie')).toMatch(
        /^guest=guest-[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/,
      );
    } finally {
      await running.close();
    }
  });
});
