/**
 * Several processes of the built app behind the load balancer while people come and go: processes killed, stopped and started
 * anew, Redis paused and emptied, by seed. After each of it every client has to show who is in voice, and nobody twice.
 *
 * `npm run soak -- game-room [--seconds=120] [--clients=12] [--processes=3] [--seed=1]`
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RealtimeClient } from '@guildkit/realtime-client';
import { createSandbox } from '@guildkit/sandbox';
import { generatePrivateJwk } from '@guildkit/server-kit/jwt';
import { createClient } from 'redis';
import { buildIfStale } from '../../../tools/app-build.mjs';
import { numberOption } from '../../../tools/lib/soak.mjs';
import { startFleet } from '../scripts/fleet.mjs';

const seconds = numberOption('seconds', 120);
const clientCount = numberOption('clients', 12);
const size = numberOption('processes', 3);
let seed = numberOption('seed', 1);
/** How long everything may take to be right again. */
const HEAL_MS = 45_000;
const PEOPLE = 6;

if (process.env.GAME_ROOM_DIST === undefined) buildIfStale({ log: (line) => console.log(line) });

/** mulberry32: the same seed, the same story. */
function random() {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
}
const pick = (list) => list[Math.floor(random() * list.length)];

const directory = await mkdtemp(join(tmpdir(), 'game-room-soak-'));
const socketPath = join(directory, 'redis.sock');
let redis;
async function startRedis() {
  const args = ['--port', '0', '--unixsocket', socketPath, '--save', '', '--appendonly', 'no', '--dir', directory];
  redis = spawn(process.env.REDIS_SERVER_PATH ?? 'redis-server', args, { stdio: 'ignore' });
  const client = createClient({ url: `unix://${socketPath}`, socket: { reconnectStrategy: 20 } });
  client.on('error', () => {});
  await client.connect();
  await client.close();
}
process.once('exit', () => redis.kill());
await startRedis();
const sandbox = await createSandbox({ rateLimits: false });
const { token, apiBase, guildId } = sandbox.connection;
const fleet = await startFleet({
  size,
  env: {
    LOG_LEVEL: 'silent',
    DISCORD_BOT_TOKEN: token,
    DISCORD_API_BASE: apiBase,
    PRIMARY_GUILD_ID: guildId,
    DISCORD_CLIENT_ID: sandbox.oauth.clientId,
    DISCORD_CLIENT_SECRET: sandbox.oauth.clientSecret,
    SESSION_SECRET: 'a-session-secret-of-32-characters-or-more',
    INVITE_SECRET: 'an-invite-secret-of-32-characters-or-more',
    JWT_PRIVATE_JWK: JSON.stringify(await generatePrivateJwk()),
    REDIS_URL: `unix://${socketPath}`,
  },
});

const viewer = await sandbox.people.create({ name: 'Viewer' });
const cookie = await logIn();
class PageSocket extends WebSocket {
  constructor(url) {
    super(url, { headers: { origin: fleet.url, cookie } });
  }
}
const room = `channel:${sandbox.voiceChannelId}`;
const problems = [];
let reconnectsByHand = 0;
const clients = Array.from({ length: clientCount }, (_, index) => {
  const client = new RealtimeClient({ url: `${fleet.url.replace('http', 'ws')}/api/ws`, WebSocket: PageSocket });
  const view = client.room(room);
  view.subscribe(() => {
    const ids = view.members.map(({ userId }) => userId);
    if (new Set(ids).size < ids.length) problems.push(`client ${index} showed somebody twice`);
  });
  client.subscribeState(() => {
    if (client.state.status !== 'manual') return;
    // As a person would.
    reconnectsByHand += 1;
    setTimeout(() => client.reconnect(), 1_000);
  });
  client.connect();
  return { client, view };
});

const people = await Promise.all(Array.from({ length: PEOPLE }, (_, n) => sandbox.people.create({ name: `p${n}` })));
let isOn = true;
let isPaused = false;
let changes = 0;
const comingAndGoing = (async () => {
  while (isOn) {
    if (isPaused) {
      await delay(20);
      continue;
    }
    const person = pick(people);
    await (person.channelId === null ? person.joinVoice(sandbox.voiceChannelId) : person.leaveVoice());
    changes += 1;
    await delay(30 + random() * 100);
  }
})();

async function ownerOf() {
  const roles = await Promise.all(
    fleet.ids.map(async (id) => [id, (await fleet.health(id).catch(() => undefined))?.discord.role]),
  );
  return roles.find(([, role]) => role === 'owner')?.[0] ?? pick(fleet.ids);
}

const TROUBLES = {
  async killOne() {
    await fleet.kill(pick(fleet.ids));
  },
  async killOwner() {
    await fleet.kill(await ownerOf());
  },
  async stopOwner() {
    const pid = fleet.pid(await ownerOf());
    if (pid === undefined) return;
    process.kill(pid, 'SIGSTOP');
    // Longer than its lease: another one is elected meanwhile.
    await delay(8_000);
    process.kill(pid, 'SIGCONT');
  },
  async restartAll() {
    await fleet.rollingRestart();
  },
  async pauseRedis() {
    redis.kill('SIGSTOP');
    await delay(1_000 + random() * 7_000);
    redis.kill('SIGCONT');
  },
  async emptyRedis() {
    const gone = once(redis, 'exit');
    redis.kill('SIGKILL');
    await gone;
    await delay(random() * 3_000);
    await startRedis();
  },
  async cutGateway() {
    sandbox.faults.cut({ handshake: false });
  },
};

/** Nobody moves for a moment, until every client shows who is there. Resolves to how long that took, in ms. */
async function untilRight() {
  const begun = performance.now();
  for (;;) {
    const truth = people
      .filter(({ channelId }) => channelId !== null)
      .map(({ id }) => id)
      .sort();
    const wrong = clients.filter(({ client, view }) => {
      const shown = view.members.map(({ userId }) => userId).sort();
      return client.state.status !== 'open' || client.state.degraded || JSON.stringify(shown) !== JSON.stringify(truth);
    });
    if (wrong.length === 0) return performance.now() - begun;
    if (performance.now() - begun > HEAL_MS) {
      for (const { client, view } of wrong) {
        const shown = view.members.map(({ username }) => username);
        problems.push(`a client is ${client.state.status}, degraded ${client.state.degraded}, and shows [${shown}]`);
      }
      return HEAL_MS;
    }
    await delay(20);
  }
}

/** By trouble: how long after it every client was right again, in ms. */
const healings = {};
const until = Date.now() + seconds * 1_000;
try {
  await delay(2_000);
  while (Date.now() < until && problems.length === 0) {
    const name = pick(Object.keys(TROUBLES));
    await TROUBLES[name]();
    // People still come and go while it heals; lists are compared when they stand still.
    await delay(300);
    isPaused = true;
    healings[name] = [...(healings[name] ?? []), await untilRight()];
    isPaused = false;
  }
} finally {
  isOn = false;
  await comingAndGoing;
  for (const { client } of clients) client.close();
  await fleet.close();
  await sandbox.close();
  redis.kill();
  await rm(directory, { recursive: true, force: true });
}

const { identifies, resumes } = sandbox.traffic.counters;
console.log(`${clientCount} clients at ${size} processes, ${seconds} s: ${changes} times somebody came or went`);
for (const [name, all] of Object.entries(healings)) {
  const sorted = all.map(Math.round).sort((x, y) => x - y);
  console.log(`${name}: ${sorted.length} times, right again after ${sorted.join(', ')} ms`);
}
console.log(`${identifies} sessions of the gateway, ${resumes} resumes; ${reconnectsByHand} reconnects by hand`);
for (const problem of new Set(problems)) console.log(`PROBLEM ${problem}`);
console.log(
  `load average ${loadavg()
    .map((value) => value.toFixed(1))
    .join(' ')}`,
);
if (problems.length > 0) process.exitCode = 1;

async function logIn() {
  const cookieOf = (answer) =>
    (answer.headers.getSetCookie().findLast((each) => !each.startsWith('game_room_app')) ?? '').split(';', 1)[0];
  const asked = await fetch(`${fleet.url}/auth/discord/login`, { redirect: 'manual' });
  const back = sandbox.oauth.approve(asked.headers.get('location') ?? '', viewer);
  return cookieOf(await fetch(back, { redirect: 'manual', headers: { cookie: cookieOf(asked) } }));
}
