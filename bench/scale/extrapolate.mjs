// What a million sockets in a hundred thousand rooms would take: what one of each thing cost (measured.json, written by
// the bench), multiplied. Writes the tables of docs/scale.md, so that no figure there is typed by hand.
// node bench/scale/extrapolate.mjs [--print]
import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const PAGE = new URL('../../docs/scale.md', import.meta.url);

/** What is assumed: name, value, unit, why. */
const ASSUMED = {
  S: [1_000_000, 'sockets', 'asked for'],
  R: [100_000, 'rooms', 'asked for'],
  m: [4, 'players of a room who get its role', '`RoomService` seats four'],
  e: [0.2, 'events a second in each room', 'joins, mutes, chat, typing: one every 5 s in every room at once'],
  A: [10_000, 'sockets a process', '`maxConnections` of the hub'],
  T: [7, 's between two tail checks', '`tailCheckMs`'],
  L: [15, 's between two leases of viewers', '`packages/server-kit/src/hub/viewers.ts`'],
  B: [15, 's between two heartbeats', '`heartbeatMs`'],
  K: [300, 's for which events are given back', '`maxAgeMs`'],
  C: [64, 'events between two checkpoints', '`packages/redis/src/io/redis-engine.ts`'],
  I: [4_096, 'ids remembered for a room', '`maxIds`'],
  H: [3_600, 's that a room lives', 'an hour'],
  u: [0.5, 'of a core or of a Redis that is used', 'the other half is for peaks, and for what others leave behind'],
  f: [330, 'bytes of an event on a WebSocket', 'as in the bench'],
  t: [60, 'bytes of TCP and IP around it', 'one segment an event'],
  G: [10, 'channels of a guild that are not rooms', 'lobby, rules, the bot’s log'],
  g: [4, 'roles of a guild that are not rooms’', '@everyone, the bot’s own, two for staff'],
  q: [50, 'REST requests a second for a bot', 'Discord docs, Rate Limits: Global Rate Limit'],
  v: [2, 'REST requests of a guild’s sweep every 300 s', '`RoomService` compares with Discord’s lists'],
};

const num = (value, digits = 0) =>
  value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
/** Three figures that count: more would pretend to be known. */
const round = (value) => {
  if (value === 0) return '0';
  const digits = 2 - Math.floor(Math.log10(Math.abs(value)));
  const unit = 10 ** digits;
  return num(Math.round(value * unit) / unit, Math.max(0, Math.min(3, digits)));
};
const bytes = (value) => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const index = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${round(value / 1_000 ** index)} ${units[index]}`;
};

/** All quantities of one layout: `h` processes listen to each room. */
function layoutOf({ costs: c, memory: m }, h) {
  const a = Object.fromEntries(Object.entries(ASSUMED).map(([name, [value]]) => [name, value]));
  const k = a.S / a.R;
  const N = a.S / a.A;
  const E = a.R * a.e;
  const D = E * k;
  const P = a.R * h;
  const redisUs = {
    events: E * c.redisEvent,
    listeners: E * h * c.redisListener,
    checks: (P / a.T) * c.check.redis,
    leases: (P / a.L) * c.lease.redis,
  };
  const redisCores = Object.values(redisUs).reduce((sum, us) => sum + us, 0) / 1e6;
  const kept = Math.min(1_000, a.e * a.K + a.C);
  const ids = Math.min(a.I, a.e * a.H);
  const perEvent = m.thousand.log / m.thousand.kept;
  const perId = m.old.ids / a.I;
  const roomBytes = m.roomInRedis + kept * perEvent + ids * perId + (h - 1) * c.subscribed;
  const appUs = {
    publish: E * c.publish,
    hear: E * h * c.hear,
    deliver: D * c.deliver,
    beat: (a.S / a.B) * c.beat,
    checks: (P / a.T) * c.check.app,
  };
  const appCores = Object.values(appUs).reduce((sum, us) => sum + us, 0) / 1e6;
  const ring = Math.min(512, a.e * 2 * a.K);
  const app = {
    sockets: a.A * m.socketRss,
    rooms: (P / N) * m.roomInApp,
    ring: (P / N) * ring * m.eventInApp,
  };
  return {
    a,
    k,
    h,
    N,
    E,
    D,
    P,
    redisUs,
    redisCores,
    kept,
    ids,
    perEvent,
    perId,
    roomBytes,
    appUs,
    appCores,
    ring,
    app,
  };
}

function tablesOf(measured) {
  const { costs: c, memory: m, taken } = measured;
  const k = ASSUMED.S[0] / ASSUMED.R[0];
  const N = ASSUMED.S[0] / ASSUMED.A[0];
  const spread = layoutOf(measured, N * (1 - (1 - 1 / N) ** k));
  const together = layoutOf(measured, 1);
  const { a } = spread;
  const two = (of) => `${of(spread)} | ${of(together)}`;
  const us = (value) => `${num(value, 1)} µs`;
  const measuredLine = `Taken ${taken.date} on ${taken.machine}, redis-server ${taken.redis}, load average ${taken.load.toFixed(1)} at the start (\`npm run bench -- scale\`).`;
  const inputs = [
    measuredLine,
    '',
    '| name | what | measured |',
    '|---|---|---|',
    `| \`redisEvent\` | CPU of Redis for an event, without listeners | ${us(c.redisEvent)} |`,
    `| \`redisListener\` | and for each process that listens | ${us(c.redisListener)} |`,
    `| \`redisCheck\` | CPU of Redis to compare one open room of one process with its log | ${us(c.check.redis)} |`,
    `| \`redisLease\` | CPU of Redis for the lease of one room’s viewers | ${us(c.lease.redis)} |`,
    `| \`redisOpen\` | CPU of Redis to open a room in a process | ${us(c.opened.redis)} |`,
    `| \`inEvent\`, \`outEvent\`, \`outListener\` | bytes into Redis for an event, out for it, out for each listening process | ${num(c.inBytes)}, ${num(c.outEvent)}, ${num(c.outListener)} |`,
    `| \`bytesCheck\`, \`bytesLease\` | bytes both ways | ${num(c.check.bytes)}, ${num(c.lease.bytes)} |`,
    `| \`publish\` | CPU of a process to publish an event | ${us(c.publish)} |`,
    `| \`hear\` | CPU of a process to take an event it listens to | ${us(c.hear)} |`,
    `| \`deliver\` | CPU of a process to write it to one socket | ${us(c.deliver)} |`,
    `| \`beat\` | CPU of a process for a heartbeat there and back | ${us(c.beat)} |`,
    `| \`appCheck\` | CPU of a process to compare one open room | ${us(c.check.app)} |`,
    `| \`room\` | bytes in Redis of a room with one event | ${num(m.roomInRedis)} |`,
    `| \`logEvent\`, \`id\` | bytes in Redis of a kept event of the bench, of a remembered id | ${num(spread.perEvent)}, ${num(spread.perId)} |`,
    `| \`subscribed\` | bytes in Redis of one more process that listens to a room | ${num(c.subscribed)} |`,
    `| \`socketRss\` | bytes of RSS of a process for a socket | ${num(m.socketRss)} |`,
    `| \`roomInApp\`, \`eventInApp\` | bytes of a process for an open room, for an event kept of it | ${num(m.roomInApp)}, ${num(m.eventInApp)} |`,
  ];
  const assumed = [
    '| | value | what | why |',
    '|---|---|---|---|',
    ...Object.entries(ASSUMED).map(
      ([name, [value, what, why]]) => `| \`${name}\` | ${num(value, value < 1 ? 1 : 0)} | ${what} | ${why} |`,
    ),
  ];
  const traffic = [
    '| quantity | formula | sockets anywhere | sockets of a room together |',
    '|---|---|---|---|',
    `| sockets in a room | \`k = S / R\` | ${two(({ k: each }) => num(each))} |`,
    `| app processes | \`N = S / A\` | ${two(({ N: each }) => num(each))} |`,
    `| processes that listen to a room | \`h = N · (1 − (1 − 1/N)^k)\`; 1 | ${two(({ h }) => num(h, 2))} |`,
    `| open rooms, over all processes | \`P = R · h\` | ${two(({ P }) => round(P))} |`,
    `| open rooms of one process | \`P / N\` | ${two(({ P, N: each }) => round(P / each))} |`,
    `| events published /s | \`E = R · e\` | ${two(({ E }) => round(E))} |`,
    `| deliveries to sockets /s | \`D = E · k\` | ${two(({ D }) => round(D))} |`,
    `| messages from Redis /s (fan-out) | \`E · h\` | ${two(({ E, h }) => round(E * h))} |`,
    `| messages that one process takes /s | \`E · h / N\` | ${two(({ E, h, N: each }) => round((E * h) / each))} |`,
    `| commands to Redis /s: events | \`E · (1 + 2 / C)\` | ${two(({ E }) => round(E * (1 + 2 / a.C)))} |`,
    `| … leases of viewers, 100 rooms in one | \`P / L / 100\` | ${two(({ P }) => round(P / a.L / 100))} |`,
    `| … tail checks, 100 rooms in one | \`P / T / 100\` | ${two(({ P }) => round(P / a.T / 100))} |`,
    `| bytes into Redis and back, keeping rooms open | \`P · (bytesCheck / T + bytesLease / L)\` | ${two(({ P }) => `${bytes(P * (c.check.bytes / a.T + c.lease.bytes / a.L))}/s`)} |`,
    `| bytes into Redis, events | \`E · inEvent\` | ${two(({ E }) => `${bytes(E * c.inBytes)}/s`)} |`,
    `| bytes out of Redis, events | \`E · (outEvent + h · outListener)\` | ${two(({ E, h }) => `${bytes(E * (c.outEvent + h * c.outListener))}/s`)} |`,
    `| bytes to all clients | \`D · (f + t)\` | ${two(({ D }) => `${bytes(D * (a.f + a.t))}/s`)} |`,
  ];
  const redis = [
    '| quantity | formula | sockets anywhere | sockets of a room together |',
    '|---|---|---|---|',
    `| cores: events | \`E · redisEvent\` | ${two(({ redisUs }) => num(redisUs.events / 1e6, 2))} |`,
    `| … fan-out | \`E · h · redisListener\` | ${two(({ redisUs }) => num(redisUs.listeners / 1e6, 2))} |`,
    `| … tail checks | \`P / T · redisCheck\` | ${two(({ redisUs }) => num(redisUs.checks / 1e6, 2))} |`,
    `| … leases | \`P / L · redisLease\` | ${two(({ redisUs }) => num(redisUs.leases / 1e6, 2))} |`,
    `| cores in all | the sum | ${two(({ redisCores }) => num(redisCores, 2))} |`,
    `| **shards by CPU** | \`cores / u\`, rounded up | ${two(({ redisCores }) => `**${Math.ceil(redisCores / a.u)}**`)} |`,
    `| events kept of a room | \`e · K + C\`, at most 1,000 | ${two(({ kept }) => num(kept))} |`,
    `| ids kept of a room | \`e · H\`, at most \`I\` | ${two(({ ids }) => num(ids))} |`,
    `| memory of a room | \`room + kept · logEvent + ids · id + (h − 1) · subscribed\` | ${two(({ roomBytes }) => bytes(roomBytes))} |`,
    `| **memory of all rooms** | \`· R\` | ${two(({ roomBytes }) => `**${bytes(roomBytes * a.R)}**`)} |`,
    `| the same, rooms full (1,000 events, ${num(a.I)} ids) | \`R · (meta + log + ids)\` | ${two(() => bytes((m.old.log + m.old.ids + m.old.meta) * a.R))} |`,
    `| CPU of one shard, once, when all rooms are read anew after a fail-over | \`P · redisOpen / shards\` | ${two(({ P, redisCores }) => `${num((P * c.opened.redis) / 1e6 / Math.ceil(redisCores / a.u), 1)} s`)} |`,
  ];
  const apps = [
    '| quantity | formula | sockets anywhere | sockets of a room together |',
    '|---|---|---|---|',
    `| cores: publishing | \`E · publish\` | ${two(({ appUs }) => num(appUs.publish / 1e6, 1))} |`,
    `| … taking events | \`E · h · hear\` | ${two(({ appUs }) => num(appUs.hear / 1e6, 1))} |`,
    `| … writing to sockets | \`D · deliver\` | ${two(({ appUs }) => num(appUs.deliver / 1e6, 1))} |`,
    `| … heartbeats | \`S / B · beat\` | ${two(({ appUs }) => num(appUs.beat / 1e6, 1))} |`,
    `| … tail checks | \`P / T · appCheck\` | ${two(({ appUs }) => num(appUs.checks / 1e6, 1))} |`,
    `| cores in all | the sum | ${two(({ appCores }) => num(appCores, 1))} |`,
    `| of a core, in each process | \`cores / N\` | ${two(({ appCores, N: each }) => `${num((appCores / each) * 100)} %`)} |`,
    `| **processes by CPU** | \`cores / u\`; \`N\` where that is more | ${two(({ appCores, N: each }) => `**${num(Math.max(each, Math.ceil(appCores / a.u)))}**`)} |`,
    `| memory of a process: sockets | \`A · socketRss\` | ${two(({ app }) => bytes(app.sockets))} |`,
    `| … open rooms | \`P / N · roomInApp\` | ${two(({ app }) => bytes(app.rooms))} |`,
    `| … their last events | \`P / N · min(512, 2 · e · K) · eventInApp\` | ${two(({ app }) => bytes(app.ring))} |`,
    `| **memory of a process** | the sum | ${two(({ app }) => `**${bytes(app.sockets + app.rooms + app.ring)}**`)} |`,
  ];
  // n rooms need n roles, and n channels with a category for each fifty.
  let perGuild = 250 - a.g;
  while (perGuild + Math.ceil(perGuild / 50) > 500 - a.G) perGuild -= 1;
  const guilds = Math.ceil(a.R / perGuild);
  let bare = 500;
  while (bare + Math.ceil(bare / 50) > 500 - a.G) bare -= 1;
  const perRoom = 4 + a.m;
  const sweeps = (guilds * a.v) / 300;
  const free = a.q - sweeps;
  const shards = Math.max(Math.ceil(guilds / 2_500), Math.ceil((spread.E * c.publish) / 1e6 / a.u));
  const lifeOf = (bots) => (a.R * perRoom) / (free * bots);
  const discord = [
    '| quantity | formula | value |',
    '|---|---|---|',
    `| rooms in a guild, a role each | the most \`n\` with \`n ≤ 250 − g\` and \`n + ⌈n / 50⌉ ≤ 500 − G\` (50 channels a category) | ${perGuild} |`,
    `| **guilds** | \`⌈R / n⌉\` | **${guilds}** |`,
    `| rooms in a guild without roles, guilds | \`n + ⌈n / 50⌉ ≤ 500 − G\` | ${bare}, ${Math.ceil(a.R / bare)} |`,
    `| players in a guild at once | \`n · m\` | ${num(perGuild * a.m)} |`,
    `| shards that Discord requires | \`⌈guilds / 2,500⌉\` | ${Math.ceil(guilds / 2_500)} |`,
    `| **shards** \`s\`, so that one owner publishes on half a core at most | \`⌈E · publish / u⌉\` | **${shards}** |`,
    `| time to start them all, \`max_concurrency\` 1 | \`s · 5 s\` | ${shards * 5} s |`,
    `| deploys a day without a resume within 1,000 IDENTIFYs; with it none is needed | \`1,000 / s\` | ${num(Math.floor(1_000 / shards))} |`,
    `| REST requests of a room’s life | \`2 + m + 2\`: role, channel; a role for each player; channel and role deleted | ${perRoom} |`,
    `| requests/s of the sweeps | \`guilds · v / 300\` | ${num(sweeps, 1)} of ${a.q} |`,
    `| rooms that one bot turns over /s | \`(q − sweeps) / ${perRoom}\` | ${num(free / perRoom, 1)} |`,
    `| time to make all rooms with one bot, nobody in them | \`R · 2 / (q − sweeps)\` | ${num((a.R * 2) / free / 3_600, 1)} h |`,
    `| shortest mean life of a room with one bot | \`R · ${perRoom} / (q − sweeps)\` | ${num(lifeOf(1) / 3_600, 1)} h |`,
    `| **bots for a mean life of \`H\`** | \`⌈R · ${perRoom} / H / (q − sweeps)⌉\` | **${Math.ceil(lifeOf(1) / a.H)}** |`,
    `| voice seats of one bot at once (one voice state a guild) | \`guilds\` | ${guilds}: ${num((guilds / a.R) * 100, 1)} % of the rooms |`,
    `| **bots in each guild for one seat in every room** | \`n\` | **${perGuild}** |`,
  ];
  const first = [
    '| what is full | when | sockets anywhere | sockets of a room together |',
    '|---|---|---|---|',
    `| voice seats of one bot | \`guilds\` rooms have a seat | ${guilds} rooms | ${guilds} rooms |`,
    `| REST of one bot, rooms that live an hour | \`(q − sweeps) · H / ${perRoom}\` rooms | ${two(() => `${round((free * a.H) / perRoom)} rooms`)} |`,
    `| a gateway owner that publishes on half a core | \`S · u / (E · publish)\` | ${two((it) => `${round((a.S * a.u * 1e6) / it.appUs.publish)} sockets`)} |`,
    `| one Redis, CPU | \`S · u / cores\` | ${two((it) => `${round((a.S * a.u) / it.redisCores)} sockets`)} |`,
    `| one Redis of 16 GB, half of it used | \`S · 8 GB / memory\` | ${two((it) => `${round((a.S * 8e9) / (it.roomBytes * a.R))} sockets`)} |`,
    `| a process of 10,000 sockets, half a core | \`A · u / (cores / N)\` | ${two((it) => `${round((a.A * a.u * it.N) / it.appCores)} sockets each`)} |`,
    `| a process whose 10,000 sockets are all in one room | \`u / (A · deliver)\` | ${two(() => `${num((a.u * 1e6) / (a.A * c.deliver), 1)} events/s`)} |`,
  ];
  return { inputs, assumed, traffic, redis, apps, discord, first };
}

/** Puts the tables between their marks; answers the page as it was and as it is. */
export async function scalePage() {
  const measured = JSON.parse(await readFile(new URL('measured.json', import.meta.url), 'utf8'));
  const before = await readFile(PAGE, 'utf8');
  let after = before;
  for (const [id, lines] of Object.entries(tablesOf(measured))) {
    const [begin, end] = [`<!-- scale:${id} -->`, `<!-- /scale:${id} -->`];
    const [from, to] = [after.indexOf(begin), after.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`docs/scale.md has no place for "${id}"`);
    after = `${after.slice(0, from)}${begin}\n${lines.join('\n')}\n${after.slice(to)}`;
  }
  return { before, after };
}

export async function writeScalePage() {
  const { after } = await scalePage();
  await writeFile(PAGE, after);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (process.argv.includes('--print')) console.log((await scalePage()).after);
  else await writeScalePage();
}
