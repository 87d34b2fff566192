// One client in one process: warms up, makes the requests, tells what they cost.
// argv: client, origin, number of requests, number of requests before them
import { channel, pooled, REST_CLIENTS } from '../lib/rest-clients.mjs';

const [name, origin, total, before] = process.argv.slice(2);
const count = Number(total);
const CHANNELS = 200;
const AT_ONCE = 64;

const { request } = await REST_CLIENTS[name]({ origin });
let answered = 0;
const one = async (n) => {
  const { content } = await request('GET', `/channels/${channel(n % CHANNELS)}/messages`);
  if (content.length === 400) answered += 1;
};

await pooled(Number(before), AT_ONCE, one);
answered = 0;
const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
await pooled(count, AT_ONCE, one);
const seconds = (performance.now() - startedAt) / 1_000;
const { user, system } = process.cpuUsage(cpuBefore);
process.send(
  {
    type: 'done',
    cpuUs: (user + system) / count,
    perSecond: count / seconds,
    // The high-water mark of the process, in KiB.
    rssMb: (process.resourceUsage().maxRSS * 1_024) / 1e6,
    answered,
  },
  () => process.exit(0),
);
