// The reference app's figures through the browser, beside their bounds. --only=latency,spread,visits,joins,recovery,load
// takes some of them, --only=start (never by itself) the times of `npm start`; --runs=5 is how often, --dry writes nothing.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { buildIfStale } from '../../tools/app-build.mjs';
import { optionsOf } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { joins } from './parts/joins.mjs';
import { latency } from './parts/latency.mjs';
import { load } from './parts/load.mjs';
import { recovery } from './parts/recovery.mjs';
import { spread } from './parts/spread.mjs';
import { start } from './parts/start.mjs';
import { visits } from './parts/visits.mjs';

/** Each section of the document is of one run. */
const SECTIONS = [
  { name: 'latency', title: 'The reference app: events in the browser', part: latency },
  { name: 'spread', title: 'The reference app: ten browsers', part: spread },
  { name: 'visits', title: 'The reference app: what a player waits for', part: visits },
  { name: 'joins', title: 'The reference app: joins while Discord fails', part: joins },
  { name: 'recovery', title: 'The reference app: killed in the middle of events', part: recovery },
  { name: 'load', title: 'The reference app: first load', part: load },
  { name: 'start', title: 'The reference app: npm start', part: start, isApart: true },
];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'];

const options = optionsOf(process.argv.slice(2));
const only = options.only === undefined ? undefined : String(options.only).split(',');
const chosen = SECTIONS.filter(({ name, isApart }) => only?.includes(name) ?? !isApart);
if (chosen.length === 0) {
  console.error(`--only takes ${SECTIONS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
const executablePath = [process.env.CHROMIUM_PATH, '/usr/bin/chromium'].find((path) => path && existsSync(path));
if (executablePath === undefined) {
  console.error('Chromium is missing: apt-get install chromium, or set CHROMIUM_PATH.');
  process.exit(1);
}
if (process.env.GAME_ROOM_DIST === undefined) {
  buildIfStale({ log: (line) => console.log(line) });
  const worker = fileURLToPath(new URL('../../examples/gateway-worker', import.meta.url));
  const built = spawnSync('npx', ['vite', 'build', '--logLevel', 'error'], { cwd: worker, stdio: 'inherit' });
  if (built.status !== 0) process.exit(1);
}
// Ends the processes of a part that is under way.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
const browser = await chromium.launch({ executablePath, args: FLAGS });
for (const { name, title, part } of chosen) {
  const began = performance.now();
  const loadBefore = os.loadavg()[0];
  const lines = await part({ browser, runs: options.runs });
  lines.push('', `Load average when it began: ${loadBefore.toFixed(1)}.`);
  console.log(`\n${title}: ${((performance.now() - began) / 1000).toFixed(0)} s\n\n${lines.join('\n')}`);
  if (options.dry !== true) {
    await writeSection(`game-room-${name}`, title, `npm run bench -- game-room --only=${name}`, lines);
  }
}
await browser.close();
process.exit(0);
