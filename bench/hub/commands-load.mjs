// 100 clients: each holds a stream and posts so many commands a second.
import { Pool } from 'undici';
import { nowMs, percentiles } from '../lib/stats.mjs';
import { Client } from './sockets.mjs';

const { port, clients, perSecond, seconds } = JSON.parse(process.argv[2]);
const latencies = [];
let events = 0;
const streams = Array.from(
  { length: clients },
  () =>
    new Client(port, 'sse', true, (latency) => {
      events += 1;
      latencies.push(latency);
    }),
);
const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 32, pipelining: 1 });
const names = ['sendMessage', 'addReaction', 'typingStart', 'ackDropout'];
const statuses = {};
const answers = [];
let ids = 0;

async function post(client) {
  ids += 1;
  const at = nowMs();
  const body = JSON.stringify({
    v: 1,
    type: 'command',
    id: `c${ids}`,
    payload: { name: names[ids % names.length], input: { at } },
  });
  const headers = { 'content-type': 'application/json', authorization: `Bearer user-${client}` };
  const { statusCode, body: answer } = await pool.request({ path: '/api/commands', method: 'POST', headers, body });
  await answer.dump();
  statuses[statusCode] = (statuses[statusCode] ?? 0) + 1;
  answers.push(nowMs() - at);
}

await new Promise((resolve) => setTimeout(resolve, 1_000));
process.send({ type: 'ready' });
process.once('message', async () => {
  const begun = performance.now();
  const total = clients * perSecond * seconds;
  const pending = new Set();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - begun) * clients * perSecond) / 1_000) + 1);
    for (; sent < due; sent += 1) {
      const one = post(sent % clients).catch(() => {
        statuses.failed = (statuses.failed ?? 0) + 1;
      });
      pending.add(one);
      void one.then(() => pending.delete(one));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const ended = streams.filter((stream) => stream.ended).length;
  process.send({
    type: 'done',
    total,
    statuses,
    events,
    ended,
    stream: percentiles(latencies),
    answer: percentiles(answers),
  });
});
