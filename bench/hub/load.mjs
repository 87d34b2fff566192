// The other side: so many sockets, in a process of its own. Counts every delivery, times those of some sockets.
import { percentiles } from '../lib/stats.mjs';
import { Client } from './sockets.mjs';

const { port, speaks, count, sampled, stalled = 0 } = JSON.parse(process.argv[2]);
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
for (let n = 0; n < count; n += 1) {
  clients.push(new Client(port, speaks, n % every === 0, onEvent));
  // Not all at once: a listen queue is not what is measured.
  if (n % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 5));
}

process.on('message', (message) => {
  if (message.type === 'clear') {
    deliveries = 0;
    latencies = [];
    process.send({ type: 'cleared' });
  }
  if (message.type === 'stall') {
    for (const client of clients.slice(0, stalled)) client.socket.pause();
    process.send({ type: 'stalled' });
  }
  if (message.type === 'wait') {
    const { wanted, timeoutMs } = message;
    const until = performance.now() + timeoutMs;
    const look = () => {
      if (deliveries < wanted && performance.now() < until) return void setTimeout(look, 20);
      const ended = clients.filter((client) => client.ended).length;
      const cpu = process.cpuUsage();
      process.send({
        type: 'done',
        deliveries,
        idleMs: performance.now() - last,
        ended,
        ...percentiles(latencies),
        cpu,
      });
    };
    look();
  }
});
process.send({ type: 'ready' });
