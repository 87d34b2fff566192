/**
 * The app as several processes on this machine: Redis, a sandbox in Discord's place, the processes, a load balancer.
 *
 * `node scripts/many.mjs [--processes <2–8>] [--port <n>]`; SIGUSR2 starts every process anew, one after the other.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildIfStale } from '../../../tools/app-build.mjs';

const { values } = parseArgs({
  options: { processes: { type: 'string', default: '3' }, port: { type: 'string', default: '3000' } },
});
const size = Number(values.processes);
const port = Number(values.port);
if (!(size >= 1 && size <= 8) || !(port >= 0 && port <= 65_535)) {
  console.error('Usage: many.mjs [--processes <1–8>] [--port <n>]');
  process.exit(2);
}

const directory = await mkdtemp(join(tmpdir(), 'game-room-'));
/** @type {(() => unknown)[]} */
const closers = [() => rm(directory, { recursive: true, force: true })];
const close = async () => {
  for (const each of closers.splice(0).reverse()) await each();
};

try {
  if (process.env.GAME_ROOM_DIST === undefined) buildIfStale({ log: (line) => console.log(line) });
  // Only now: what they import may just have been built.
  const { createSandbox } = await import('@guildkit/sandbox');
  const { generatePrivateJwk } = await import('@guildkit/server-kit/jwt');
  const { startFleet } = await import('./fleet.mjs');

  const redisUrl = process.env.REDIS_URL ?? startRedis();
  const discord = process.env.DISCORD_BOT_TOKEN === undefined ? await startSandbox(createSandbox) : ownDiscord();
  const secret = () => randomBytes(32).toString('hex');
  const fleet = await startFleet({
    size,
    port,
    env: {
      ...discord.env,
      REDIS_URL: redisUrl,
      SESSION_SECRET: process.env.SESSION_SECRET ?? secret(),
      INVITE_SECRET: process.env.INVITE_SECRET ?? secret(),
      JWT_PRIVATE_JWK: process.env.JWT_PRIVATE_JWK ?? JSON.stringify(await generatePrivateJwk()),
    },
    log: (line) => console.log(`  ${line}`),
  });
  closers.push(() => fleet.close());

  console.log(`\n  Game rooms is running at  ${fleet.url}  (${size} processes)\n`);
  console.log(`  ${discord.about}`);
  console.log(`  Start all anew, one after the other: kill -USR2 ${process.pid}. Stop with Ctrl+C.\n`);
  let restarting = Promise.resolve();
  process.on('SIGUSR2', () => {
    restarting = restarting.then(() => fleet.rollingRestart()).catch((error) => console.error(error));
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void close().then(() => process.exit(0)));
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}\n`);
  await close();
  process.exit(1);
}

/** A Redis of this command's own: on a socket file, keeping nothing. */
function startRedis() {
  const names = [
    process.env.REDIS_SERVER_PATH,
    ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'redis-server')),
  ];
  const program = names.find((path) => {
    try {
      accessSync(path ?? '', constants.X_OK);
      return Boolean(path);
    } catch {
      return false;
    }
  });
  if (program === undefined) {
    throw new Error(
      'There is no redis-server. Install it, or set REDIS_SERVER_PATH, or set REDIS_URL to one that runs.',
    );
  }
  const socket = join(directory, 'redis.sock');
  const child = spawn(
    program,
    ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no', '--dir', directory],
    {
      stdio: 'ignore',
      // Ctrl+C reaches all of a terminal: Redis has to outlive the processes.
      detached: true,
    },
  );
  closers.push(() => child.kill());
  process.once('exit', () => child.kill());
  return `unix://${socket}`;
}

/** @param {typeof import('@guildkit/sandbox').createSandbox} createSandbox */
async function startSandbox(createSandbox) {
  const sandbox = await createSandbox({ ids: 'clock' });
  closers.push(() => sandbox.close());
  await sandbox.channels.create({ name: 'Lounge' });
  for (const name of ['Anna', 'Björn', 'Chloe', 'Dev']) await sandbox.people.create({ name });
  const bots = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => sandbox.bots.create({ name: `Seat ${n}` })));
  const { token, apiBase, guildId } = sandbox.connection;
  const { clientId, clientSecret } = sandbox.oauth;
  return {
    about: `Discord is simulated: move its people at ${sandbox.consoleUrl}`,
    env: {
      DISCORD_BOT_TOKEN: token,
      DISCORD_API_BASE: apiBase,
      PRIMARY_GUILD_ID: guildId,
      DISCORD_CLIENT_ID: clientId,
      DISCORD_CLIENT_SECRET: clientSecret,
      DISCORD_SEAT_TOKENS: bots.map((bot) => bot.token).join(','),
    },
  };
}

function ownDiscord() {
  const names = ['DISCORD_BOT_TOKEN', 'PRIMARY_GUILD_ID', 'DISCORD_CLIENT_ID', 'DISCORD_CLIENT_SECRET'];
  const more = ['DISCORD_API_BASE', 'DISCORD_SEAT_TOKENS', 'DISCORD_SEAT_ROLE_ID'];
  const env = Object.fromEntries(
    [...names, ...more].flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  );
  return { about: `Discord server ${process.env.PRIMARY_GUILD_ID}.`, env };
}
