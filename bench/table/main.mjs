// Camera and microphone through the reference app: from the click to the first picture, from one page's camera to the
// other page's canvas, from its microphone to the other's loudspeaker; and how long pictures stand still when keys change or
// a media socket is lost. App, sandbox and all pages are on this machine. --rounds=10 --dry
import { existsSync } from 'node:fs';
import os from 'node:os';
import { chromium } from 'playwright-core';
import { buildIfStale } from '../../tools/app-build.mjs';
import { optionsOf } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { percentiles } from '../lib/stats.mjs';

const { rounds = 10, dry = false } = optionsOf(process.argv.slice(2));
const WATCH_MS = 30_000;
/** How often somebody else comes and goes, and how often the socket is lost. */
const CHANGES = 5;
/** From one beep to the next, ms. Not a multiple of anything else here. */
const BEEP_MS = 1_570;
/** After a change, ms. */
const SETTLE_MS = 3_000;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--autoplay-policy=no-user-gesture-required'];

const executablePath = [process.env.CHROMIUM_PATH, '/usr/bin/chromium'].find((path) => path && existsSync(path));
if (executablePath === undefined) {
  console.error('Chromium is missing: apt-get install chromium, or set CHROMIUM_PATH.');
  process.exit(1);
}
if (process.env.GAME_ROOM_DIST === undefined) buildIfStale({ log: (line) => console.log(line) });
const dist = process.env.GAME_ROOM_DIST ?? 'dist';
const { serve } = await import(new URL(`../../examples/game-room/${dist}/server/serve.js`, import.meta.url).href);
const running = await serve({ PORT: '0', LOG_LEVEL: 'silent' });
const { sandbox, login } = running.app;
/** The pages' media sockets, oldest first. */
const mediaSockets = [];
running.server.on('upgrade', ({ url }, socket) => url.startsWith('/api/media') && mediaSockets.push(socket));
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
  await page.addInitScript(watchOutputs);
  await page.goto(`${running.url}/room/${channelId}`);
  await page.locator('[data-testid=connection]', { hasText: 'Live' }).waitFor();
  await page.evaluate(fakeDevices, BEEP_MS);
  return page;
}

/** In the page. A camera that turns black and white, a microphone that beeps, both at times that are noted. */
function fakeDevices(beepMs) {
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
    }, beepMs);
    return out.stream;
  };
}

/** In the page, before its own scripts. When a picture of somebody else is drawn, and when the loudspeaker is handed a beep. */
function watchOutputs() {
  window.drawnAt = [];
  window.heardAt = [];
  const { drawImage } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.drawImage = function (picture, ...rest) {
    if (picture instanceof VideoFrame) window.drawnAt.push(Date.now());
    return drawImage.call(this, picture, ...rest);
  };
  // Runs where sound is made, and stamps there: the page's own turn is not in the figure.
  const source = `registerProcessor('onset', class extends AudioWorkletProcessor {
    quietBlocks = 0;
    process([[samples]]) {
      const isLoud = samples !== undefined && samples.some((sample) => Math.abs(sample) > 0.1);
      if (isLoud && this.quietBlocks > 40) this.port.postMessage(Date.now());
      this.quietBlocks = isLoud ? 0 : this.quietBlocks + 1;
      return true;
    }
  });`;
  const modules = new WeakMap();
  const { connect } = AudioNode.prototype;
  const listen = async (node) => {
    const { context } = node;
    if (!modules.has(context)) {
      const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
      modules.set(context, context.audioWorklet.addModule(url));
    }
    await modules.get(context);
    const onset = new AudioWorkletNode(context, 'onset');
    onset.port.onmessage = ({ data }) => window.heardAt.push(data);
    connect.call(node, onset);
    connect.call(onset, context.destination);
  };
  AudioNode.prototype.connect = function (to, ...rest) {
    if (this instanceof AnalyserNode && to instanceof AudioDestinationNode) void listen(this);
    return connect.call(this, to, ...rest);
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

/** In the page. When the other's picture changes its colour. */
function watch() {
  window.saw = [];
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
}

/** The longest time without a new picture, from a moment on. */
async function standstill(page, cause) {
  const from = Date.now();
  await cause();
  await page.waitForTimeout(SETTLE_MS);
  const drawnAt = await page.evaluate(() => window.drawnAt);
  const before = drawnAt.findLast((at) => at < from);
  const after = [before, ...drawnAt.filter((at) => at >= from)];
  return Math.max(...after.slice(1).map((at, n) => at - after[n]));
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
const watchedFrom = Date.now();
const usual = [];
for (let at = 0; at < WATCH_MS; at += SETTLE_MS) usual.push(await standstill(bert, async () => {}));
const watchedTo = Date.now();
const { flips, beeps } = await anna.evaluate(() => ({ flips: window.flips, beeps: window.beeps }));
const { saw, heardAt } = await bert.evaluate(() => ({ saw: window.saw, heardAt: window.heardAt }));

const channelId = new URL(bert.url()).pathname.split('/').at(-1);
const epoch = () => sandbox.voice.channel(channelId).dave.view.epoch;
const epochBefore = epoch();
const openSockets = () => mediaSockets.filter(({ destroyed }) => !destroyed);
// Anna sat down before Bert.
const [, socketOfBert] = openSockets();
const third = await open('Cleo', channelId);
const comes = [];
const goes = [];
for (let change = 0; change < CHANGES; change += 1) {
  comes.push(await standstill(bert, () => third.getByRole('button', { name: 'Only listen' }).click()));
  goes.push(await standstill(bert, () => third.getByRole('button', { name: 'Leave the table' }).click()));
}
const epochs = Number(epoch() - epochBefore);
await third.context().close();
const lost = [];
for (let change = 0; change < CHANGES; change += 1) {
  const socketOfAnna = openSockets().find((socket) => socket !== socketOfBert);
  lost.push(await standstill(bert, async () => socketOfAnna.destroy()));
}
await browser.close();
await running.close();

const video = saw.map(
  ({ isWhite, at }) => at - flips.findLast((flip) => flip.isWhite === isWhite && flip.at <= at)?.at,
);
const beeped = beeps.filter((at) => at >= watchedFrom && at < watchedTo - BEEP_MS);
const audio = beeped.flatMap((beep) => {
  const heard = heardAt.find((at) => at >= beep && at < beep + BEEP_MS);
  return heard === undefined ? [] : [heard - beep];
});
const row = (what, values) => {
  const { p50, p95, max } = percentiles(values.filter(Number.isFinite));
  return `| ${what} | ${[p50, p95, max].map((value) => value.toFixed(0)).join(' | ')} | ${values.length} |`;
};
const lines = [
  `Pages of the reference app in Chromium, 320×240 at 15 pictures a second, app and sandbox on the same two cores: page, relay,`,
  `seat (a bot with DAVE), the sandbox’s voice server, seat, relay, page. ${rounds} joins, then ${WATCH_MS / 1_000} s of talk: ${beeped.length} beeps, ${audio.length} heard.`,
  'Sound is stamped where the sound card’s driver would take it (an audio worklet behind the player). Then a third player comes to',
  `the table and goes ${CHANGES} times, which made ${epochs} new epochs of the end-to-end encryption, and the socket of who is seen is`,
  `destroyed ${CHANGES} times. Standstill: the longest time without a new picture of the other in the ${SETTLE_MS / 1_000} s that follow; usual is 67 ms and`,
  'a picture that waits for its turn.',
  '',
  '| ms | p50 | p95 | max | samples |',
  '|---|---|---|---|---|',
  row('“Turn on camera” → first picture, for who joins (bound 3,000)', joiner),
  row('the same, for who is there (bound 3,000)', other),
  row('camera → canvas', video),
  row('microphone → loudspeaker', audio),
  row('standstill, while nothing changes', usual),
  row('standstill when somebody comes to the table', comes),
  row('standstill when somebody leaves it', goes),
  row('standstill when the sender’s media socket is lost', lost),
  '',
  `Load average when it ended: ${os.loadavg()[0].toFixed(1)}.`,
];
console.log(lines.join('\n'));
if (dry !== true) {
  await writeSection('table', 'Camera and microphone through "Discord"', 'npm run bench -- table', lines);
}
process.exit(0);
