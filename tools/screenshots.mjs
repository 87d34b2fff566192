// Takes the pictures of the reference app and of the sandbox's console for the READMEs: node tools/screenshots.mjs [name…]
// Names: room, table, ops, console; none means all. Needs Chromium, from CHROMIUM_PATH or the PATH. GAME_ROOM_DIST names
// another build of the app than `dist`.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { buildIfStale } from './app-build.mjs';
import { filmOf } from './lib/camera-scenes.mjs';

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
const wanted = process.argv.slice(2);
const wants = (name) => wanted.length === 0 || wanted.includes(name);

const dist = process.env.GAME_ROOM_DIST;
if (dist === undefined) buildIfStale({ log: (line) => console.log(line) });
const { serve } = await import(
  new URL(`../examples/game-room/${dist ?? 'dist'}/server/serve.js`, import.meta.url).href
);
const running = await serve({ PORT: '0', LOG_LEVEL: 'silent' });
const flags = ['--no-sandbox', '--disable-gpu'];
const browser = await chromium.launch({ executablePath, args: flags });
const films = mkdtempSync(join(tmpdir(), 'guildkit-films-'));
const SCHEMES = [
  ['light', ''],
  ['dark', '-dark'],
];

const { sandbox, rooms, login } = running.app;
const byName = (name) => sandbox.people.list().find((person) => person.name === name);
const [anna, bjoern] = ['Anna', 'Björn'].map(byName);

/** The cookie of somebody who has been through the consent page. */
async function cookieOf(person) {
  const last = (response) => (response.headers.getSetCookie().at(-1) ?? '').split(';', 1)[0];
  const begun = await login.sessions.loginHandler(new Request(`${running.url}/auth/discord/login`));
  const back = sandbox.oauth.approve(begun.headers.get('location'), person);
  const done = await login.sessions.callbackHandler(new Request(back, { headers: { cookie: last(begun) } }));
  const [name, value] = last(done).split(/=(.*)/s);
  return { name, value, url: running.url, httpOnly: true };
}

async function openAs(person, path, { inBrowser = browser, width = 1000, height = 1060, colorScheme = 'light' } = {}) {
  const viewport = { width, height };
  const context = await inBrowser.newContext({ viewport, colorScheme, reducedMotion: 'reduce', locale: 'en-GB' });
  await context.addCookies([await cookieOf(person)]);
  const page = await context.newPage();
  await page.goto(running.url + path);
  await page.locator('[data-testid=connection]', { hasText: 'Live' }).waitFor();
  await page.evaluate(() => document.fonts.ready);
  return page;
}

async function save(target, name, options = {}) {
  mkdirSync(images, { recursive: true });
  const path = join(images, `${name}.png`);
  await target.screenshot({ path, ...options });
  console.log(path);
}

/** A room with two people in voice, and their chat. */
async function takeRoom() {
  for (const [colorScheme, suffix] of SCHEMES) {
    const { channelId } = await rooms.create({ creatorId: anna.id, name: 'Friday game night' });
    await rooms.join({ channelId, userId: bjoern.id });
    const page = await openAs(anna, `/room/${channelId}`, { colorScheme, width: 1120, height: 955 });
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
    await page.locator('.sim-person', { hasText: 'Björn' }).getByText('in this room').waitFor();
    await page.mouse.move(0, 0);
    await save(page, `game-room${suffix}`);
    await page.context().close();
    await rooms.end(channelId);
  }
}

/** Two players who show their tables to each other; what moves is marked. */
async function takeTable() {
  const blank = await browser.newPage();
  const cameras = [];
  for (const scene of ['cards', 'dice']) {
    const film = join(films, `${scene}.y4m`);
    writeFileSync(film, await filmOf(blank, scene));
    const camera = [
      '--use-fake-device-for-media-stream',
      `--use-file-for-fake-video-capture=${film}`,
      '--use-fake-ui-for-media-stream',
      '--autoplay-policy=no-user-gesture-required',
    ];
    cameras.push(await chromium.launch({ executablePath, args: [...flags, ...camera] }));
  }
  try {
    for (const [colorScheme, suffix] of SCHEMES) {
      const { channelId } = await rooms.create({ creatorId: anna.id, name: 'Friday game night' });
      await rooms.join({ channelId, userId: bjoern.id });
      const [page, other] = await Promise.all(
        [anna, bjoern].map((person, at) =>
          openAs(person, `/room/${channelId}`, { inBrowser: cameras[at], colorScheme, width: 820, height: 800 }),
        ),
      );
      for (const each of [page, other]) {
        await each.getByRole('button', { name: 'Turn on camera' }).click();
        await each.getByRole('button', { name: 'Turn on microphone' }).click();
      }
      await page.locator('[data-testid=tile][data-showing=true]', { hasText: 'Björn' }).waitFor();
      await page.getByLabel('Mark what moves').check();
      await page.locator('canvas[data-motion=true]').waitFor();
      await page.locator('[data-testid=players]').getByText('Björn').waitFor();
      await page.mouse.move(0, 0);
      await save(page, `game-room-table${suffix}`);
      for (const each of [page, other]) await each.context().close();
      await rooms.end(channelId);
    }
  } finally {
    for (const camera of cameras) await camera.close();
  }
}

/** The page for operators, with something to tell. */
async function takeOps() {
  const { channelId } = await rooms.create({ creatorId: anna.id, name: 'Friday game night' });
  await rooms.join({ channelId, userId: bjoern.id });
  const room = await openAs(anna, `/room/${channelId}`);
  const page = await openAs(anna, '/ops', { height: 1400 });
  for (let round = 0; round < 10; round += 1) {
    await bjoern.joinVoice(channelId);
    for (let said = 0; said < round % 4; said += 1) await bjoern.send(channelId, 'Your turn.');
    if (round % 3 === 0) {
      await room.getByLabel('Message', { exact: true }).fill('Done.');
      await room.getByRole('button', { name: 'Send' }).click();
    }
    await page.waitForTimeout(2_500);
    await bjoern.leaveVoice();
    await bjoern.joinVoice(sandbox.voiceChannelId);
    await bjoern.leaveVoice();
  }
  await bjoern.joinVoice(channelId);
  sandbox.faults.disturbRest({ answer: 503, path: '/channels', method: 'POST', count: 8 });
  await room.getByLabel('Message', { exact: true }).fill('Anybody?');
  await room.getByRole('button', { name: 'Send' }).click();
  await page.getByText('command failed').first().waitFor();
  for (const [colorScheme, suffix] of SCHEMES) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // From below the heading: what there is to see.
    const bottomOf = (element) => element.getBoundingClientRect().bottom;
    const top = await page.locator('.hero').evaluate(bottomOf);
    const bottom = await page.locator('.panel').last().evaluate(bottomOf);
    await save(page, `game-room-ops${suffix}`, { clip: { x: 0, y: top, width: 1000, height: bottom - top + 20 } });
  }
  await page.context().close();
  await room.context().close();
  await rooms.end(channelId);
}

/** The sandbox's console. */
async function takeConsole() {
  const [mia, tom] = await Promise.all(['Mia', 'Tom'].map((name) => sandbox.people.create({ name })));
  await mia.joinVoice(sandbox.voiceChannelId);
  await tom.joinVoice(sandbox.voiceChannelId);
  await tom.setMute(true);
  await mia.send(sandbox.textChannelId, 'Is a table free tonight?');
  await tom.send(sandbox.textChannelId, 'Table 1, two seats left.');
  sandbox.faults.reconnect();
  const viewport = { width: 1440, height: 850 };
  const page = await browser.newPage({ viewport, colorScheme: 'light', locale: 'en-GB' });
  await page.goto(sandbox.consoleUrl);
  await page.getByRole('button', { name: 'Chat' }).first().click();
  await page.getByText('two seats left').waitFor();
  await page.getByRole('cell', { name: 'RESUMED' }).first().waitFor();
  await save(page, 'sandbox-console');
}

try {
  if (wants('room')) await takeRoom();
  if (wants('table')) await takeTable();
  if (wants('ops')) await takeOps();
  if (wants('console')) await takeConsole();
} finally {
  await browser.close();
  await running.close();
  rmSync(films, { recursive: true, force: true });
}
