// Command → gateway service over a healthy link (topology C): app and service are processes of their own, events come the other way.

import os from 'node:os';
import { CommandBus, createDiscordCommands } from '@guildkit/server-kit/commands';
import { LinkClient } from '@guildkit/server-kit/link';
import { messageFrom, optionsOf, startProcess } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { ms, nowMs, percentiles } from '../lib/stats.mjs';

const { commands: COUNT = 2_000, everyMs: EVERY_MS = 10, dry = false } = optionsOf(process.argv.slice(2));
const WARM_UP = 200;
const TOKEN = 'a-link-token-of-32-characters-or-more';

const load = os.loadavg()[0].toFixed(1);
const child = startProcess(new URL('service.mjs', import.meta.url), [TOKEN, EVERY_MS]);
const { port } = await messageFrom(child, 'ready', 10_000);
let heard = 0;
const link = new LinkClient({
  url: `ws://127.0.0.1:${port}/link`,
  token: TOKEN,
  onEvent: () => {
    heard += 1;
    return 'published';
  },
});
// The app's own, with their schemas and roles; without REST they go to the link.
const bus = new CommandBus({
  commands: createDiscordCommands({ allow: () => true }),
  link,
  userBucket: false,
  channelBucket: false,
});
const up = new Promise((resolve) => link.onUp(resolve));
link.start();
await up;

/** One command every so many ms, on an open loop: a late one does not delay the next. */
async function round(count, name) {
  const there = [];
  const answered = [];
  let failed = 0;
  const start = nowMs();
  const principal = { userId: '3', roles: ['chat:write'], expiresAt: Number.POSITIVE_INFINITY };
  const one = async (n) => {
    const begun = nowMs();
    const input = { channelId: '2', content: 'x'.repeat(100) };
    const id = `${name}-${n}`;
    const about = { name: 'sendMessage', sentAt: Date.now(), principal };
    const answer = await bus.handle({ ...about, input, requestId: id, traceId: id });
    if (!answer.ok) {
      failed += 1;
      return;
    }
    there.push(answer.result.at - begun);
    answered.push(nowMs() - begun);
  };
  const all = [];
  for (let n = 0; n < count; n += 1) {
    const waitMs = start + n * EVERY_MS - nowMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    all.push(one(n));
  }
  await Promise.all(all);
  return { there: percentiles(there), answered: percentiles(answered), failed };
}

await round(WARM_UP, 'w');
heard = 0;
const { there, answered, failed } = await round(COUNT, 'm');
const row = (what, { p50, p95, p99, max }, bound) =>
  `| ${what} | ${ms(p50)} | ${ms(p95)} | ${ms(p99)} | ${ms(max)} | ${bound} |`;
const lines = [
  `${COUNT.toLocaleString('en')} commands, one every ${EVERY_MS} ms, from the command bus of an app over the link to a gateway service in a`,
  `process of its own on the same two cores; ${heard.toLocaleString('en')} events came the other way meanwhile. Checked, allowed and traced, without`,
  `Discord behind it. Failed: ${failed}.`,
  '',
  '| ms | p50 | p95 | p99 | max | bound (p95) |',
  '|---|---|---|---|---|---|',
  row('handed to the bus → at the service', there, '100'),
  row('handed to the bus → answered', answered, ''),
  '',
  `Load average when it began: ${load}.`,
];
console.log(lines.join('\n'));
if (!dry) await writeSection('link', 'Commands over a link', 'npm run bench -- link', lines);
bus.close();
await link.close();
child.kill('SIGKILL');
process.exit(failed === 0 ? 0 : 1);
