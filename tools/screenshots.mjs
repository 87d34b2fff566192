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
  const { sandbox, rooms } = running.app;
  const { channelId } = rooms.list().find(({ name }) => name === 'Table 1');
  const lounge = rooms.list().find(({ name }) => name === 'General').channelId;
  const [mia, tom, aisha] = await Promise.all(['Mia', 'Tom', 'Aisha'].map((name) => sandbox.people.create({ name })));
  await aisha.joinVoice(lounge);

  for (const [colorScheme, suffix] of [
    ['light', ''],
    ['dark', '-dark'],
  ]) {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 880 },
      colorScheme,
      reducedMotion: 'reduce',
      locale: 'en-GB',
    });
    const page = await context.newPage();
    await page.goto(`${running.url}/room/${channelId}`);
    await page.locator('[data-testid=connection]', { hasText: 'Live' }).waitFor();
    await page.getByText('Nobody is here yet').waitFor();
    // Joined while the page looks on, so that the activity list has something to tell.
    await mia.joinVoice(channelId);
    await mia.setVideo(true);
    await tom.joinVoice(channelId);
    await tom.setMute(true);
    await page.getByText('Tom joined', { exact: true }).first().waitFor();
    await page.locator('[data-testid=players]').getByText('Muted').waitFor({ state: 'attached' });
    await page.locator('[data-testid=players]').getByText('Camera on').waitFor({ state: 'attached' });
    await page.locator('.sim-person', { hasText: 'Tom' }).getByText('in this room').waitFor();
    await page.evaluate(() => document.fonts.ready);
    mkdirSync(images, { recursive: true });
    const path = join(images, `game-room${suffix}.png`);
    await page.screenshot({ path });
    console.log(path);
    await mia.leaveVoice();
    await tom.leaveVoice();
    await context.close();
  }
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
