// Several app processes on one Redis: latency, the most they deliver, CPU, commands and bytes against the number of
// processes and rooms, beside socket.io's adapters; what clients get that were away; what rooms take.
// npm run bench -- scale [--quick] [--only=guildkit,streams,sharded,memory] [--part=grid|away|costs|memory]
// [--seconds=2] [--dry]
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { optionsOf } from '../lib/processes.mjs';
import { machine, writeSection } from '../lib/report.mjs';
import { away } from './away.mjs';
import { CONTENDERS } from './contenders.mjs';
import { costs } from './costs.mjs';
import { writeScalePage } from './extrapolate.mjs';
import { openFleet } from './fleet.mjs';
import { memory } from './memory.mjs';
import { startRedis } from './redis.mjs';

const { quick = false, only, part, seconds: given, dry = false } = optionsOf(process.argv.slice(2));
const seconds = given ?? (quick ? 1 : 2);
const begunAt = performance.now();
const load = loadavg()[0];
const SHORT = {
  guildkit: 'guildkit, Redis',
  streams: 'socket.io, Redis Streams',
  sharded: 'socket.io, sharded pub/sub',
  memory: 'guildkit, memory',
};
const names = Object.entries(SHORT)
  .filter(([short]) => only === undefined || String(only).split(',').includes(short))
  .map(([, name]) => name);
const wants = (name) => part === undefined || part === name;

const SOCKETS = 1_000;
const OURS = SHORT.guildkit;
const num = (value, digits = 0) =>
  value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });

/** What is offered in a steady round, and in one that is meant to be too much, events/s by rooms. */
const STEADY = { 1: 10, 10: 100, 100: 1_000, 1000: 1_000 };
const MUCH = { 1: 400, 10: 2_000, 100: 8_000, 1000: 16_000 };

/** Which contenders run at so many processes and rooms: ours everywhere, the others along two lines of the grid. */
function contendersAt(processes, rooms) {
  return names.filter((name) => {
    if (name === OURS) return true;
    if (!CONTENDERS[name].shared) return processes === 1;
    return processes === 2 || (rooms === 100 && name === SHORT.streams);
  });
}

async function cell(name, processes, rooms) {
  const fleet = await openFleet(name, { processes, sockets: SOCKETS, rooms });
  try {
    await fleet.round(STEADY[rooms], 0.5);
    const steady = await fleet.round(STEADY[rooms], seconds);
    const much = await fleet.round(MUCH[rooms], Math.min(seconds, 1.5), { graceMs: 1_000 });
    const appMs = steady.appMs.reduce((total, ms) => total + ms, 0);
    // Below that, a server that idles costs more than the events.
    const isBusy = steady.events >= 100;
    const per = (value) => (steady.redis === undefined ? undefined : value / steady.events);
    return {
      steady,
      much,
      appUs: (appMs * 1_000) / steady.deliveries,
      redisUs: isBusy ? per((steady.redis?.cpuMs ?? 0) * 1_000) : undefined,
      sent: per(steady.redis?.sent),
      total: per(steady.redis?.total),
      inBytes: per(steady.redis?.inBytes),
      outBytes: per(steady.redis?.outBytes),
    };
  } finally {
    await fleet.close();
  }
}

async function grid() {
  const rows = [];
  for (const processes of quick ? [1, 2] : [1, 2, 4]) {
    for (const rooms of quick ? [1, 100] : [1, 10, 100, 1_000]) {
      for (const name of contendersAt(processes, rooms)) {
        const r = await cell(name, processes, rooms).catch((error) => ({ failed: error.message }));
        rows.push({ name, processes, rooms, ...r });
        console.log(rowOf({ name, processes, rooms, ...r }));
      }
    }
  }
  return rows;
}

const dash = (value, digits) => (value === undefined || Number.isNaN(value) ? '–' : num(value, digits));

function rowOf({ name, processes, rooms, failed, steady, much, appUs, redisUs, sent, total, inBytes, outBytes }) {
  const who = name === OURS ? `**${name}**` : name;
  const head = `| ${processes} | ${num(rooms)} | ${who} |`;
  if (failed !== undefined) return `${head} failed: ${failed} | | | | | | | | |`;
  const lost = steady.share < 1 ? ` (${num(steady.share * 100, 1)} %)` : '';
  return [
    `${head} ${num(STEADY[rooms])}${lost}`,
    `${num(steady.p50, 1)} / ${num(steady.p95, 1)} / ${num(steady.p99, 1)}`,
    num(appUs, 1),
    dash(redisUs, 0),
    sent === undefined ? '–' : `${num(sent, 2)}${total - sent > 0.01 ? ` (${num(total, 1)})` : ''}`,
    inBytes === undefined ? '–' : `${num(inBytes)} / ${num(outBytes)}`,
    `${num(much.perSecond)}${much.share < 0.999 ? ` (${num(much.share * 100)} %)` : ''}`,
    `${num(much.p95)} |`,
  ].join(' | ');
}

const GRID_HEAD = [
  '| processes | rooms | | events/s offered | p50 / p95 / p99 ms | app CPU µs a delivery | Redis CPU µs an event | commands an event | bytes an event into / out of Redis | deliveries/s when it is too much | p95 ms then |',
  '|---|---|---|---|---|---|---|---|---|---|---|',
];

async function awayTable() {
  const rows = [
    '| | events that clients should have had | lost | twice | out of order | clients that got all of them exactly | told of a gap |',
    '|---|---|---|---|---|---|---|',
  ];
  for (const name of names) {
    if (!CONTENDERS[name].shared) continue;
    const r = await away(name, quick ? 1 : 2).catch((error) => ({ failed: error.message }));
    const row =
      r.failed === undefined
        ? `| ${name} | ${num(r.wanted)} | ${num(r.lost)} | ${num(r.doubled)} | ${num(r.disordered)} | ${r.exact} of ${r.clients} | ${num(r.told)} times in ${num(r.clients * r.cuts)} |`
        : `| ${name} | failed: ${r.failed} | | | | | |`;
    console.log(row);
    rows.push(row);
  }
  return rows;
}

const costLines = (c) => [
  '| what, guildkit on Redis | CPU µs of the app | CPU µs of Redis | commands from the app | bytes |',
  '|---|---|---|---|---|',
  `| an event is published | ${num(c.publish, 1)} | ${num(c.redisEvent, 1)} | ${num(c.sent, 2)} (${num(c.total, 1)} with those of the script) | ${num(c.inBytes)} in, ${num(c.outEvent)} out |`,
  `| each process that listens to the room | ${num(c.hear, 1)} | ${num(c.redisListener, 1)} | – | ${num(c.outListener)} out |`,
  `| each socket in the room | ${num(c.deliver, 1)} | – | – | – |`,
  `| an open room is compared with its log, 100 in one command | ${num(c.check.app, 1)} | ${num(c.check.redis, 1)} | ${num(c.check.sent, 2)} | ${num(c.check.bytes)} |`,
  `| a heartbeat of a socket, there and back | ${num(c.beat, 1)} | – | – | – |`,
  `| a room is opened | – | ${num(c.opened.redis, 1)} | ${num(c.opened.sent, 2)} | ${num(c.opened.bytes)} |`,
  `| a lease of ten viewers is renewed, 100 in one command | – | ${num(c.lease.redis, 1)} | ${num(c.lease.sent, 2)} | ${num(c.lease.bytes)} |`,
];

const memoryLines = (m) => [
  '| what | bytes in Redis | bytes in a process that listens |',
  '|---|---|---|',
  `| a room with one event | ${num(m.roomInRedis)} | ${num(m.roomInApp)} |`,
  `| each further event | ${num(m.eventInRedis)} | ${num(m.eventInApp)} |`,
  `| a room after 1,001 events: ${num(m.thousand.kept)} kept | ${num(m.thousand.log + m.thousand.ids + m.thousand.meta)} (log ${num(m.thousand.log)}, ids ${num(m.thousand.ids)}) | – |`,
  `| a room after 5,097 events: ${num(m.old.kept)} kept, 4,096 ids | ${num(m.old.log + m.old.ids + m.old.meta)} (log ${num(m.old.log)}, ids ${num(m.old.ids)}) | – |`,
  `| a socket | – | ${num(m.socketInApp)} of heap and buffers, ${num(m.socketRss)} of RSS |`,
];

const lines = [];
const measured = {};
const probe = await startRedis();
const { version } = probe;
await probe.close();
lines.push(
  `redis-server ${version} and ${num(SOCKETS)} sockets, one room each, on app processes picked at random; Redis, every app process and the load are`,
  'processes of their own. **There are two cores for all of them**, so more processes cannot deliver more here: what compares is',
  'CPU, commands and bytes. Events of about 300 bytes, without compression, published by all processes in turn. Latency counts from',
  'the moment an event was due, on 250 of the sockets. Commands in brackets: with those that scripts call inside Redis.',
  `Load average at the start: ${load.toFixed(1)}.`,
  '',
);
if (wants('grid')) lines.push(...GRID_HEAD, ...(await grid()).map(rowOf), '');
if (wants('away')) {
  lines.push(
    '**Clients that were away**: 150 clients of each library in 4 rooms on two processes, 50 events/s in each room. Twice all',
    'connections are cut and nothing answers for a second; they come back to either process. socket.io with `connectionStateRecovery`',
    'where the adapter has it.',
    '',
    ...(await awayTable()),
    '',
  );
}
if (wants('costs') && names.includes(OURS)) {
  measured.costs = await costs(seconds);
  const costTable = costLines(measured.costs);
  console.log(costTable.join('\n'));
  lines.push(
    '**What one of each costs**, one process publishing 1,000 events/s to 100 rooms, others holding the sockets:',
    '',
  );
  lines.push(...costTable, '');
}
if (wants('memory') && names.includes(OURS)) {
  measured.memory = await memory(1_000, 20);
  const memoryTable = memoryLines(measured.memory);
  console.log(memoryTable.join('\n'));
  lines.push('**What it takes**:', '', ...memoryTable, '');
}
lines.push(
  `All of it took ${num((performance.now() - begunAt) / 1_000)} s. What follows for many more: [scale.md](scale.md).`,
);
if (part === undefined && only === undefined && !quick && !dry) {
  await writeSection('scale', 'Several processes on Redis', 'npm run bench -- scale', lines);
  const taken = { date: new Date().toISOString().slice(0, 10), machine: machine(), redis: version, load };
  await writeFile(
    new URL('measured.json', import.meta.url),
    `${JSON.stringify({ taken, ...measured }, undefined, 2)}\n`,
  );
  await writeScalePage();
} else console.log(`\n${lines.join('\n')}`);
