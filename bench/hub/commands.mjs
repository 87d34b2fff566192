// 100 clients with a stream each: 10 commands a second of all for so long, then 1,000 a second with the token buckets
// lifted and with them on.
import { messageFrom, startProcess } from '../lib/processes.mjs';

const here = (file) => new URL(file, import.meta.url);
const num = (value, digits = 0) =>
  value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });

async function run(perSecond, seconds, limited) {
  const app = startProcess(here('commands-app.mjs'), [JSON.stringify({ limited })]);
  const { port } = await messageFrom(app, 'ready', 20_000);
  const load = startProcess(here('commands-load.mjs'), [JSON.stringify({ port, clients: 100, perSecond, seconds })]);
  await messageFrom(load, 'ready', 20_000);
  const done = messageFrom(load, 'done', (seconds + 60) * 1_000);
  load.send({ type: 'go' });
  const result = await done;
  const told = messageFrom(app, 'stats', 20_000);
  app.send({ type: 'stats' });
  const { outcomes, cpuMs } = await told;
  app.kill('SIGKILL');
  load.kill('SIGKILL');
  return { ...result, outcomes, cpuMs };
}

export async function commands({ seconds }) {
  const lines = [
    '**Commands with SSE**: 100 clients, a stream each; every command is posted, and published to all streams.',
    '',
    '| | commands | answered | p95 of the answer ms | deliveries | p50 ms | p95 | p99 | lost streams |',
    '|---|---|---|---|---|---|---|---|---|',
  ];
  const cases = [
    ['10/s, mixed', 0.1, seconds, false],
    ['1,000/s, buckets lifted', 10, Math.min(seconds, 20), false],
    ['1,000/s, buckets on', 10, Math.min(seconds, 20), true],
  ];
  for (const [title, perSecond, forSeconds, limited] of cases) {
    const r = await run(perSecond, forSeconds, limited);
    const statuses = Object.entries(r.statuses)
      .map(([status, count]) => `${num(count)} × ${status}`)
      .join(', ');
    const row = `| ${title}, ${forSeconds} s | ${num(r.total)} | ${statuses} | ${num(r.answer.p95, 1)} | ${num(r.events)} | ${num(r.stream.p50, 1)} | ${num(r.stream.p95, 1)} | ${num(r.stream.p99, 1)} | ${r.ended} |`;
    console.log(row);
    lines.push(row);
  }
  return [...lines, ''];
}
