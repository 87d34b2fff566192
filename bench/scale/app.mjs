// One app process of a contender: holds sockets, publishes its share of the events, tells what that cost.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../lib/stats.mjs';
import { CONTENDERS } from './contenders.mjs';

const { name, redisPort, options } = JSON.parse(process.argv[2]);
const server = createServer((_, response) => response.writeHead(404).end());
const contender = await CONTENDERS[name].create(server, redisPort, options);
await new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 8_192 }, resolve));

let published = 0;
let refused = 0;

/** Event n + k·step of so many a second, each due at its time; one that is late is not left out, and waits for nobody. */
async function publish({ from, step, rate, count, rooms, begun }) {
  const until = begun + (count * 1_000) / rate + 4_000;
  published = 0;
  refused = 0;
  for (let sent = 0; sent < count && nowMs() < until; ) {
    const due = Math.min(count, sent + 8, Math.floor(((nowMs() - begun) * rate) / 1_000) + 1);
    for (; sent < due; sent += 1) {
      const n = from + sent * step;
      published += 1;
      contender.publish(rooms[Math.floor(n / step) % rooms.length], n, begun + (sent * 1_000) / rate).catch(() => {
        refused += 1;
      });
    }
    // A turn without a pause would be counted as CPU of the publishing.
    await (rate > 4_000 ? new Promise(setImmediate) : sleep(1));
  }
}

process.on('message', (message) => {
  if (message.type === 'sockets') process.send({ type: 'sockets', count: contender.sockets() });
  if (message.type === 'publish') void publish(message);
  if (message.type === 'usage') {
    if (message.collect) globalThis.gc();
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, external } = process.memoryUsage();
    const cpuMs = (user + system) / 1_000;
    process.send({ type: 'usage', cpuMs, rss, held: heapUsed + external, published, refused });
  }
});
process.send({ type: 'ready', port: server.address().port });
