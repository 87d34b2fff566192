// Discord event → browser callback: sandbox, app, 99 clients in Node and a page in Chromium, each a process of its own;
// 1,000 events, 100 a second.
import { fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { writeSection } from '../lib/report.mjs';
import { ms, nowMs, percentiles } from '../lib/stats.mjs';

const SOCKETS = 100;
const EVENTS = 1000;
const EVERY_MS = 10;
const WARM_UP = 200;
const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const executablePath = [process.env.CHROMIUM_PATH, '/usr/bin/chromium'].find((path) => path && existsSync(path));
if (executablePath === undefined) {
  console.error('Chromium is missing: apt-get install chromium, or set CHROMIUM_PATH.');
  process.exit(1);
}
const start = (file, ...args) => fork(fileURLToPath(new URL(file, import.meta.url)), args);
const next = (child, type) =>
  new Promise((resolve, reject) => {
    child.on('message', (message) => message.type === type && resolve(message));
    child.once('exit', (code) => reject(new Error(`${child.spawnfile} ended with ${code}`)));
  });

const discord = start('discord.mjs');
const { connection, channelId } = await next(discord, 'ready');
const app = start('app.mjs', JSON.stringify({ connection }));
const { origin } = await next(app, 'ready');
const browser = await chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
const page = await browser.newPage();
await page.goto(origin);

/** How far the page's clock is from ours, and how sure that is: half the shortest round trip. */
async function clockOffset() {
  let best = { offset: 0, error: Number.POSITIVE_INFINITY };
  for (let i = 0; i < 200; i += 1) {
    const before = nowMs();
    const there = await page.evaluate(() => window.now());
    const after = nowMs();
    if ((after - before) / 2 < best.error) best = { offset: there - (before + after) / 2, error: (after - before) / 2 };
  }
  return best;
}

async function round(count) {
  await page.evaluate(() => window.clear());
  load.send({ type: 'clear' });
  discord.send({ type: 'play', count, everyMs: EVERY_MS });
  const { caused } = await next(discord, 'played');
  load.send({ type: 'collect', count });
  const { seen: others } = await next(load, 'collected');
  await page.waitForFunction((n) => window.seen.every((list) => list.length >= n), count, { timeout: 20_000 });
  return { caused, others, own: await page.evaluate(() => window.seen) };
}

let wrong = 0;
/** Latencies of all clients; counts what is out of order, doubled or missing. */
function latenciesOf(seen, caused, offsetMs) {
  const latencies = [];
  for (const list of seen) {
    if (list.length !== caused.length) wrong += 1;
    for (const [n, [userId, event, at]] of list.entries()) {
      const cause = caused[n];
      if (cause === undefined || cause.userId !== userId || cause.event !== event) wrong += 1;
      else latencies.push(at - offsetMs - cause.at);
    }
  }
  return percentiles(latencies);
}

const offset = await clockOffset();
await page.evaluate((options) => window.start(options), { channelId });
const load = start('load.mjs', JSON.stringify({ origin, sockets: SOCKETS - 1, channelId }));
await next(load, 'ready');
await round(WARM_UP);
app.send('usage');
const before = await next(app, 'usage');
const { caused, others, own } = await round(EVENTS);
app.send('usage');
const after = await next(app, 'usage');
const inPage = latenciesOf(own, caused, offset.offset);
const inNode = latenciesOf(others, caused, 0);
const cpuUs = ((after.cpuMs - before.cpuMs) * 1000) / EVENTS;
const row = (name, p) => `| ${name} | ${ms(p.p50)} | ${ms(p.p95)} | ${ms(p.p99)} | ${ms(p.max)} | ${p.count} |`;
const lines = [
  `Discord event → callback in the browser: ${EVENTS.toLocaleString('en')} joins and leaves, one every ${EVERY_MS} ms, to ${SOCKETS} sockets that listen to the`,
  `room: a page in Chromium and ${SOCKETS - 1} clients in Node. Sandbox, app (gateway and hub), clients and Chromium are processes of`,
  'their own on the two cores. Stamped before the sandbox dispatches and in the listener of the client. The clocks of page and',
  `bench agree within ${ms(offset.error)} ms. Out of order, doubled or missing: ${wrong}.`,
  '',
  '| ms | p50 | p95 | p99 | max | samples |',
  '|---|---|---|---|---|---|',
  row('page in Chromium', inPage),
  row(`${SOCKETS - 1} clients in Node`, inNode),
  '',
  `CPU of the app process: ${cpuUs.toFixed(0)} µs per event (${(cpuUs / SOCKETS).toFixed(1)} µs per delivery); RSS ${after.rssMb.toFixed(0)} MB.`,
];
console.log(lines.join('\n'));
await browser.close();
discord.send({ type: 'stop' });
load.send({ type: 'stop' });
app.kill();
if (wrong > 0) process.exitCode = 1;
else await writeSection('event-latency', 'Discord event to browser', 'npm run bench -- event-latency', lines);
