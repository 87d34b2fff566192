// Camera and microphone through the reference app: from the click to the first picture, from one page's camera to the
// other page's canvas. App, sandbox and both pages are on this machine. --rounds=10
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { buildIfStale } from '../../tools/app-build.mjs';
import { writeSection } from '../lib/report.mjs';
import { ms, percentiles } from '../lib/stats.mjs';

const rounds = Number(process.argv.find((each) => each.startsWith('--rounds='))?.split('=')[1] ?? 10);
const WATCH_MS = 30_000;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'];

const executablePath = [process.env.CHROMIUM_PATH, '/usr/bin/chromium'].find((path) => path && existsSync(path));
if (executablePath === undefined) {
  console.error('Chromium is missing: apt-get install chromium, or set CHROMIUM_PATH.');
  process.exit(1);
}
buildIfStale({ log: (line) => console.log(line) });
const { serve } = await import(new URL('../../examples/game-room/dist/server/serve.js', import.meta.url).href);
const running = await serve({ PORT: '0', LOG_LEVEL: 'silent' });
const { sandbox, login } = running.app;
const browser = await chromium.launch({ executablePath, args: FLAGS });

async function open(name, channelId) {
  const person = await sandbox.people.create({ name });
  const cookieOf = (response) => (response.headers.getSetCookie().at(-1) ?? '').split(';', 1)[0];
  const asked = await login.sessions.loginHandler(new Request(`${running.url}/auth/discord/login`));
  const back = sandbox.oauth.approve(asked.headers.get('location'), person);
  const done = await login.sessions.callbackHandler(new Request(back, { headers: { cookie: cookieOf(asked) } }));
  const [cookie, value] = cookieOf(done).split(/=(.*)/s);
  const context = await browser.newContext({ viewport: { width: 1000, height: 900 } });
  await context.addCookies([{ name: cookie, value, domain: 'localhost', path: '/', httpOnly: true, sameSite: 'Lax' }]);
  const page = await context.newPage();
  await page.goto(`${running.url}/room/${channelId}`);
  await page.locator('[data-testid=connection]', { hasText: 'Live' }).waitFor();
  await page.evaluate(fakeDevices);
  return page;
}

/** In the page. A camera that turns black and white, a microphone that beeps, both at times that are noted. */
function fakeDevices() {
  window.flips = [];
  window.beeps = [];
  navigator.mediaDevices.getUserMedia = async ({ video }) => {
    if (video) {
      const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
      const context = canvas.getContext('2d');
      let isWhite = false;
      let count = 0;
      setInterval(() => {
        count += 1;
        if (count % 15 === 0) {
          isWhite = !isWhite;
          window.flips.push({ isWhite, at: Date.now() });
        }
        context.fillStyle = isWhite ? '#fff' : '#000';
        context.fillRect(0, 0, 320, 240);
        context.fillStyle = '#888';
        context.fillRect(count % 300, 100, 10, 10);
      }, 1000 / 15);
      return canvas.captureStream(15);
    }
    const audio = new AudioContext({ sampleRate: 48_000 });
    const gain = new GainNode(audio, { gain: 0 });
    const tone = new OscillatorNode(audio);
    const out = audio.createMediaStreamDestination();
    tone.connect(gain).connect(out);
    tone.start();
    setInterval(() => {
      window.beeps.push(Date.now());
      gain.gain.value = 0.8;
      setTimeout(() => {
        gain.gain.value = 0;
      }, 250);
    }, 1_570);
    return out.stream;
  };
}

/** In the page. When the first picture of somebody else is there. */
function awaitPicture() {
  window.first = new Promise((resolve) => {
    const timer = setInterval(() => {
      const canvas = document.querySelector('[data-testid=tile][data-showing=true] canvas');
      if (canvas?.width !== 320) return;
      clearInterval(timer);
      resolve(Date.now());
    }, 5);
  });
}

/** In the page. When the other's picture changes its colour, and when the mark of who speaks lights up. */
function watch() {
  window.saw = [];
  window.heard = [];
  const canvas = document.querySelector('[data-testid=tile] canvas');
  const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  let last;
  const look = () => {
    pixel.drawImage(canvas, 20, 20, 1, 1, 0, 0, 1, 1);
    const isWhite = pixel.getImageData(0, 0, 1, 1).data[0] > 128;
    if (last !== undefined && isWhite !== last) window.saw.push({ isWhite, at: Date.now() });
    last = isWhite;
    requestAnimationFrame(look);
  };
  look();
  let spoke = true;
  new MutationObserver(() => {
    const speaks = document.querySelector('[data-testid=tile]')?.dataset.speaking === 'true';
    if (speaks && !spoke) window.heard.push(Date.now());
    spoke = speaks;
  }).observe(document.body, { subtree: true, attributes: true, childList: true });
}

const joiner = [];
const other = [];
let pages = [];
for (let round = 0; round < rounds; round += 1) {
  await Promise.all(pages.map((page) => page.context().close()));
  const { id } = await sandbox.channels.create({ name: `Table ${round}` });
  pages = [await open(`Anna ${round}`, id), await open(`Bert ${round}`, id)];
  const [anna, bert] = pages;
  await anna.getByRole('button', { name: 'Turn on camera' }).click();
  await anna.getByRole('button', { name: 'Turn on microphone' }).click();
  await anna.locator('[data-testid=table][data-status=open]').waitFor();
  await Promise.all(pages.map((page) => page.evaluate(awaitPicture)));
  const clickedAt = await bert.evaluate(() => {
    const at = Date.now();
    [...document.querySelectorAll('button')].find((button) => button.textContent === 'Turn on camera').click();
    return at;
  });
  const [annaAt, bertAt] = await Promise.all(pages.map((page) => page.evaluate(() => window.first)));
  other.push(annaAt - clickedAt);
  joiner.push(bertAt - clickedAt);
}
const [anna, bert] = pages;
await new Promise((resolve) => setTimeout(resolve, 3_000));
await bert.evaluate(watch);
await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
const { flips, beeps } = await anna.evaluate(() => ({ flips: window.flips, beeps: window.beeps }));
const { saw, heard } = await bert.evaluate(() => ({ saw: window.saw, heard: window.heard }));
await browser.close();
await running.close();

const video = saw.map(
  ({ isWhite, at }) => at - flips.findLast((flip) => flip.isWhite === isWhite && flip.at <= at)?.at,
);
const audio = heard.map((at) => at - beeps.findLast((beep) => beep <= at));
const row = (what, values) => {
  const { p50, p95, max } = percentiles(values.filter(Number.isFinite));
  return `| ${what} | ${[p50, p95, max].map((value) => ms(value)).join(' | ')} | ${values.length} |`;
};
await writeSection('table', 'Camera and microphone through "Discord"', 'npm run bench -- table', [
  `Two pages of the reference app in Chromium, 320×240 at 15 pictures a second, app and sandbox on the same two cores: page,`,
  `relay, seat (a bot with DAVE), the sandbox’s voice server, seat, relay, page. ${rounds} joins, then ${WATCH_MS / 1_000} s of talk. The`,
  `mark of who speaks is looked at each 150 ms: what is heard is heard before.`,
  '',
  '| ms | p50 | p95 | max | samples |',
  '|---|---|---|---|---|',
  row('“Turn on camera” → first picture, for who joins', joiner),
  row('the same, for who is there', other),
  row('camera → canvas', video),
  row('microphone → mark of who speaks', audio),
]);
process.exit(0);
