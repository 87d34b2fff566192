// The hub beside raw ws, socket.io, crossws and better-sse: latency and CPU at three loads, the most that each delivers, a
// reader that stalls, commands with SSE. Server and load are processes of their own.
// npm run bench -- hub [--quick] [--only=guildkit,ws] [--part=latency|overload|most|stalled|commands]
// [--seconds=5] [--commandSeconds=60]
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageFrom, optionsOf, startProcess } from '../lib/processes.mjs';
import { writeSection } from '../lib/report.mjs';
import { commands } from './commands.mjs';
import { CONTENDERS } from './contenders.mjs';

const { quick = false, only, part, seconds: given, commandSeconds } = optionsOf(process.argv.slice(2));
const seconds = given ?? (quick ? 2 : 5);
const names = Object.keys(CONTENDERS).filter((name) => only === undefined || String(only).split(',').includes(name));
const wants = (name) => part === undefined || part === name;
const SAMPLED = 100;

const here = (file) => new URL(file, import.meta.url);
const num = (value, digits = 0) =>
  value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });

async function ask(child, message, type, timeoutMs = 60_000) {
  const answer = messageFrom(child, type, timeoutMs);
  child.send(message);
  return answer;
}

/** Server and load of one contender, connected. */
async function open(name, count, { options, stalled = 0 } = {}) {
  const server = startProcess(here('server.mjs'), [JSON.stringify({ name, options })], ['--expose-gc']);
  const { port } = await messageFrom(server, 'ready', 20_000);
  const before = await ask(server, { type: 'usage' }, 'usage');
  const { speaks } = CONTENDERS[name];
  const load = startProcess(here('load.mjs'), [JSON.stringify({ port, speaks, count, sampled: SAMPLED, stalled })]);
  await messageFrom(load, 'ready', 120_000);
  for (let n = 0; n < 300; n += 1) {
    if ((await ask(server, { type: 'connections' }, 'connections')).count >= count) break;
    await sleep(100);
  }
  const after = await ask(server, { type: 'usage' }, 'usage');
  return {
    server,
    load,
    kbEach: ((after.rssMb - before.rssMb) * 1_024) / count,
    /** One round: `rate` events a second for so long. */
    async round(rate, forSeconds, graceMs = 8_000, receivers = count) {
      await ask(load, { type: 'clear' }, 'cleared');
      const events = Math.round(rate * forSeconds);
      const wanted = events * receivers;
      server.send({ type: 'publish', rate, count: events });
      const done = await ask(load, { type: 'wait', wanted, timeoutMs: forSeconds * 1_000 + graceMs }, 'done', 180_000);
      const spent = await ask(server, { type: 'spent' }, 'spent');
      const activeMs = spent.elapsedMs - done.idleMs;
      return {
        ...done,
        share: done.deliveries / wanted,
        perSecond: (done.deliveries * 1_000) / activeMs,
        cpuUs: (spent.cpuMs * 1_000) / Math.max(1, done.deliveries),
        cpuShare: spent.cpuMs / spent.elapsedMs,
      };
    },
    close() {
      server.kill('SIGKILL');
      load.kill('SIGKILL');
    },
  };
}

/** One contender at one load; `undefined` when it is so far behind that it does not answer. */
async function measured(name, count, rate) {
  const it = await open(name, count);
  try {
    await it.round(Math.min(rate, 20), 1);
    return { ...(await it.round(rate, seconds)), kbEach: it.kbEach };
  } catch (error) {
    console.log(`${name}: ${error.message}`);
    return undefined;
  } finally {
    it.close();
  }
}

async function latencyTable(count, rate) {
  const rows = [
    `**${num(count)} sockets × ${rate} events/s**`,
    '',
    '| | p50 ms | p95 | p99 | CPU µs a delivery | CPU | delivered in time | KB a socket |',
    '|---|---|---|---|---|---|---|---|',
  ];
  for (const name of names) {
    const r = await measured(name, count, rate);
    if (r === undefined) {
      rows.push(`| ${name} | does not answer any more | | | | | | |`);
      continue;
    }
    const row = `| ${name} | ${num(r.p50, 2)} | ${num(r.p95, 2)} | ${num(r.p99, 2)} | ${num(r.cpuUs, 2)} | ${num(r.cpuShare * 100)} % | ${num(r.share * 100, 1)} % | ${num(r.kbEach, 1)} |`;
    console.log(`${count}×${rate} ${row}`);
    rows.push(row);
  }
  return [...rows, ''];
}

/** The most deliveries a second at 1,000 sockets: the rate is raised for as long as more arrives. */
async function mostTable() {
  const rows = [
    '**The most, at 1,000 sockets**: events are published faster and faster until no more arrive.',
    '',
    '| | deliveries/s | p95 ms then | at events/s |',
    '|---|---|---|---|',
  ];
  for (const name of names) {
    const it = await open(name, 1_000);
    let best = { perSecond: 0, p95: 0, rate: 0 };
    for (const rate of [50, 100, 200, 400, 800, 1_600]) {
      const r = await it.round(rate, quick ? 1 : 3, 4_000).catch(() => undefined);
      if (r === undefined || r.ended > 0 || r.perSecond < best.perSecond * 1.05) break;
      best = { ...r, rate };
    }
    it.close();
    const row = `| ${name} | ${num(best.perSecond)} | ${num(best.p95, 1)} | ${num(best.rate)} |`;
    console.log(row);
    rows.push(row);
  }
  return [...rows, ''];
}

/** One of 1,000 readers stops: what the others feel, and when it is let go. */
async function stalledTable() {
  const it = await open('guildkit', 1_000, {
    options: { heartbeatMs: 15_000, maxBufferedBytes: 1_048_576 },
    stalled: 1,
  });
  await it.round(100, 2);
  const before = [];
  for (let n = 0; n < 5; n += 1) before.push(await it.round(100, seconds));
  await ask(it.load, { type: 'stall' }, 'stalled');
  const begun = performance.now();
  const during = [];
  let closedAfterMs;
  while (performance.now() - begun < 40_000 && closedAfterMs === undefined) {
    during.push(await it.round(100, seconds, 1_000, 999));
    const { stats } = await ask(it.server, { type: 'stats' }, 'stats');
    if ((stats.closes['4408'] ?? 0) > 0) closedAfterMs = performance.now() - begun;
  }
  const { stats } = await ask(it.server, { type: 'stats' }, 'stats');
  it.close();
  const p99 = (list) => list.map((r) => num(r.p99, 1)).join(', ');
  const lines = [
    `**One stalled reader among 1,000**, 100 events/s: p99 of the others ${p99(before)} ms in rounds without it, ${p99(during)} ms with it; let go with 4408 ${closedAfterMs === undefined ? 'never' : `within ${num(closedAfterMs / 1_000)} s`} (a ping every 15 s, 10 s for its pong), while the kernel took what was sent to it. Closes by code: ${JSON.stringify(stats.closes)}.`,
    '',
  ];
  console.log(lines[0]);
  return lines;
}

const lines = [
  'Events of about 300 bytes to everyone, without compression. Server and load generator are processes of their own on the two',
  'cores; latency counts from the moment an event was due, measured on 100 of the sockets; every delivery is counted. `ws` stringifies',
  'once for all. The order of the contenders is the order of the runs. Other work on the machine (load average ' +
    `${loadavg()[0].toFixed(1)} at the start) makes latencies longer for whoever is on; CPU a delivery and what arrives compare better.`,
  '',
];
if (wants('latency')) {
  for (const [count, rate] of [
    [100, 100],
    [1_000, 100],
    [5_000, 10],
  ]) {
    lines.push(...(await latencyTable(count, rate)));
  }
}
if (wants('overload')) lines.push(...(await latencyTable(5_000, 100)));
if (wants('most')) lines.push(...(await mostTable()));
if (wants('stalled')) lines.push(...(await stalledTable()));
if (wants('commands')) lines.push(...(await commands({ seconds: commandSeconds ?? (quick ? 5 : 60) })));
if (part === undefined && only === undefined && !quick) {
  await writeSection('hub', 'The hub', 'npm run bench -- hub', lines);
} else console.log(`\n${lines.join('\n')}`);
