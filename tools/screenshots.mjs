// Takes the pictures of the reference app and of the sandbox's console for the READMEs: node tools/screenshots.mjs
// Needs Chromium, from CHROMIUM_PATH or the PATH.
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { buildIfStale } from './app-build.mjs';

const images = fileURLToPath(new URL('../docs/images/', import.meta.url));
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const executablePath =
  process.env.CHROMIUM_PATH ??
  (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path));
if (executablePath === undefined) {
  console.error('Chromium was not found. Install it (Debian: apt-get install chromium) or set CHROMIUM_PATH.');
  process.exit(1);
}

buildIfStale({ log: (line) => console.log(line) });
const { serve } = await import(new URL('../examples/game-room/dist/server/serve.js', import.meta.url).href);
const running = await serve({ PORT: '0', LOG_LEVEL: 'silent' });
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });

try {
  const { sandbox, rooms, login } = running.app;
  const byName = (name) => sandbox.people.list().find((person) => person.name === name);
  const [anna, bjoern] = ['Anna', 'Björn'].map(byName);
  const [mia, tom] = await Promise.all(['Mia', 'Tom'].map((name) => sandbox.people.create({ name })));

  /** The cookie of somebody who has been through the consent page. */
  const cookieOf = async (person) => {
    const last = (response) => (response.headers.getSetCookie().at(-1) ?? '').split(';', 1)[0];
    const begun = await login.sessions.loginHandler(new Request(`${running.url}/auth/discord/login`));
    const back = sandbox.oauth.approve(begun.headers.get('location'), person);
    const done = await login.sessions.callbackHandler(new Request(back, { headers: { cookie: last(begun) } }));
    const [name, value] = last(done).split(/=(.*)/s);
    return { name, value, url: running.url, httpOnly: true };
  };

  for (const [colorScheme, suffix] of [
    ['light', ''],
    ['dark', '-dark'],
  ]) {
    const { channelId } = await rooms.create({ creatorId: anna.id, name: 'Friday game night' });
    await rooms.join({ channelId, userId: bjoern.id });
    const context = await browser.newContext({
      viewport: { width: 1280, height: 1060 },
      colorScheme,
      reducedMotion: 'reduce',
      locale: 'en-GB',
    });
    await context.addCookies([await cookieOf(anna)]);
    const page = await context.newPage();
    await page.goto(`${running.url}/room/${channelId}`);
    await page.locator('[data-testid=connection]', { hasText: 'Live' }).waitFor();
    await page.getByText('Nobody is in voice yet').waitFor();
    // Joined while the page looks on, so that the activity list has something to tell.
    await anna.joinVoice(channelId);
    await anna.setVideo(true);
    await bjoern.joinVoice(channelId);
    await bjoern.setMute(true);
    await page.getByText('Björn joined', { exact: true }).first().waitFor();
    await page.locator('[data-testid=players]').getByText('Muted').waitFor({ state: 'attached' });
    await page.locator('[data-testid=players]').getByText('Camera on').waitFor({ state: 'attached' });
    await bjoern.send(channelId, 'I am in. Who brings the dice?');
    await page.getByText('Who brings the dice?').waitFor();
    await page.getByLabel('Message', { exact: true }).fill('Me, and the board.');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.locator('.message-text', { hasText: 'and the board' }).waitFor();
    await page.evaluate(() => document.fonts.ready);
    await page.locator('.sim-person', { hasText: 'Björn' }).getByText('in this room').waitFor();
    await page.mouse.move(0, 0);
    mkdirSync(images, { recursive: true });
    const path = join(images, `game-room${suffix}.png`);
    await page.screenshot({ path });
    console.log(path);
    await context.close();
    await rooms.end(channelId);
  }
  const channelId = sandbox.voiceChannelId;
  await mia.joinVoice(channelId);
  await tom.joinVoice(channelId);
  await tom.setMute(true);
  await mia.send(sandbox.textChannelId, 'Is a table free tonight?');
  await tom.send(sandbox.textChannelId, 'Table 1, two seats left.');
  sandbox.faults.reconnect();
  const page = await browser.newPage({
    viewport: { width: 1440, height: 1190 },
    colorScheme: 'light',
    locale: 'en-GB',
  });
  await page.goto(sandbox.consoleUrl);
  await page.getByRole('button', { name: 'Chat' }).first().click();
  await page.getByText('two seats left').waitFor();
  await page.getByRole('cell', { name: 'RESUMED' }).first().waitFor();
  const path = join(images, 'sandbox-console.png');
  await page.screenshot({ path });
  console.log(path);
} finally {
  await browser.close();
  await running.close();
}
