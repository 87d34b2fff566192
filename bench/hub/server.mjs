// One contender in a process of its own: publishes at a rate, tells what it cost.
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../lib/stats.mjs';
import { start } from './contenders.mjs';

const { name, options } = JSON.parse(process.argv[2]);
const contender = await start(name, options);
let published = 0;

const usage = () => {
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1_000, rssMb: process.memoryUsage().rss / 2 ** 20 };
};

let running;

/**
 * Publishes at the times of the rate: what is late is caught up, a few in each turn, and its time counts from when it was
 * due. Who falls behind by more than some seconds is not waited for.
 */
async function publish(rate, count) {
  const begun = nowMs();
  const until = begun + (count * 1_000) / rate + 6_000;
  running = { begun, cpu: process.cpuUsage() };
  for (let sent = 0; sent < count && nowMs() < until; ) {
    const due = Math.min(count, sent + 8, Math.floor(((nowMs() - begun) * rate) / 1_000) + 1);
    for (; sent < due; sent += 1) {
      published += 1;
      contender.publish(published, begun + (sent * 1_000) / rate);
    }
    await (rate > 500 ? new Promise(setImmediate) : sleep(1));
  }
}

process.on('message', async (message) => {
  if (message.type === 'connections') process.send({ type: 'connections', count: contender.connections() });
  if (message.type === 'usage') process.send({ type: 'usage', ...usage() });
  if (message.type === 'stats') process.send({ type: 'stats', stats: contender.hub?.stats() });
  if (message.type === 'publish') await publish(message.rate, message.count);
  if (message.type === 'spent') {
    const { user, system } = process.cpuUsage(running.cpu);
    process.send({ type: 'spent', cpuMs: (user + system) / 1_000, elapsedMs: nowMs() - running.begun });
  }
});
process.send({ type: 'ready', port: contender.port });
