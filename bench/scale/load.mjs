// The other side of all app processes: so many sockets, each in one room, in a process of its own.

import { Client, helloTo } from '../hub/sockets.mjs';
import { percentiles } from '../lib/stats.mjs';

const { ports, speaks, rooms, count, sampled } = JSON.parse(process.argv[2]);
let deliveries = 0;
let latencies = [];
let last = 0;
const onEvent = (latency) => {
  deliveries += 1;
  if (latency !== undefined) latencies.push(latency);
  last = performance.now();
};

const every = Math.max(1, Math.floor(count / sampled));
const clients = [];
/** As a load balancer does it: without a pattern, and the same in every run. */
let seed = 1;
const pick = (length) => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return (seed >>> 16) % length;
};
for (let n = 0; n < count; n += 1) {
  const port = ports[pick(ports.length)];
  clients.push(new Client(port, speaks, n % every === 0, onEvent, helloTo(speaks, rooms[n % rooms.length])));
  // Not all at once: a listen queue is not what is measured.
  if (n % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 5));
}

process.on('message', (message) => {
  if (message.type === 'clear') {
    deliveries = 0;
    latencies = [];
    process.send({ type: 'cleared' });
  }
  if (message.type === 'wait') {
    const { wanted, timeoutMs } = message;
    const until = performance.now() + timeoutMs;
    const look = () => {
      const idle = performance.now() - last;
      if (deliveries < wanted && performance.now() < until) return void setTimeout(look, 20);
      const ended = clients.filter((client) => client.ended).length;
      process.send({ type: 'done', deliveries, idleMs: idle, ended, ...percentiles(latencies) });
    };
    look();
  }
});
process.send({ type: 'ready' });
