/** Redis, some app processes of one contender and the load on them: opened together, measured in rounds, ended together. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageFrom, startProcess } from '../lib/processes.mjs';
import { nowMs } from '../lib/stats.mjs';
import { CONTENDERS } from './contenders.mjs';
import { between, startRedis } from './redis.mjs';

const here = (file) => new URL(file, import.meta.url);
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Snowflakes, as Discord's channels have. */
export const roomsOf = (count) =>
  Array.from({ length: count }, (_, n) => `channel:${1_400_000_000_000_000_000n + BigInt(n)}`);

/** Sends a message to a child and waits for its answer. */
export async function ask(child, message, type = message.type, timeoutMs = 60_000) {
  const answer = messageFrom(child, type, timeoutMs);
  child.send(message);
  return answer;
}

/** App processes of a contender on one Redis. */
export async function startApps(name, count, redisPort, options, execArgv = []) {
  const apps = Array.from({ length: count }, () =>
    startProcess(here('app.mjs'), [JSON.stringify({ name, redisPort, options })], ['--expose-gc', ...execArgv]),
  );
  const ports = (await Promise.all(apps.map((app) => messageFrom(app, 'ready', 20_000)))).map(({ port }) => port);
  return { apps, ports };
}

/** A message to every app process. */
export const askAll = (apps, message) => Promise.all(apps.map((app) => ask(app, message)));

/**
 * A contender with so many processes, sockets and rooms. `publishers` and `holders`: which processes publish and hold the
 * sockets; all of them unless it is said.
 */
export async function openFleet(
  name,
  { processes, sockets, rooms: roomCount, holders, sampled = 250, options, execArgv },
) {
  const { speaks, shared } = CONTENDERS[name];
  const redis = shared ? await startRedis() : undefined;
  const rooms = roomsOf(roomCount);
  const { apps, ports } = await startApps(name, processes, redis?.port, options, execArgv);
  const held = holders === undefined ? ports : holders.map((index) => ports[index]);
  const args = { ports: held, speaks, rooms, count: sockets, sampled };
  const load = startProcess(here('load.mjs'), [JSON.stringify(args)]);
  await messageFrom(load, 'ready', 60_000);
  const connected = async () => sum((await askAll(apps, { type: 'sockets' })).map(({ count }) => count));
  for (let n = 0; (await connected()) < sockets; n += 1) {
    if (n > 200) throw new Error(`${name}: not all sockets are connected.`);
    await sleep(50);
  }
  // A connection of socket.io's Streams adapter reads from the moment its first read is there.
  await sleep(200);
  let next = 1;
  return {
    redis,
    apps,
    rooms,
    /** Events at a rate for so long; every one goes to `sockets / rooms` sockets. */
    async round(rate, seconds, { publishers = apps, graceMs = 3_000 } = {}) {
      await ask(load, { type: 'clear' }, 'cleared');
      const share = Math.ceil((rate * seconds) / publishers.length);
      const events = share * publishers.length;
      const wanted = (events * sockets) / roomCount;
      const spent = await askAll(apps, { type: 'usage' });
      const before = await redis?.usage();
      const begun = nowMs();
      for (const [index, app] of publishers.entries()) {
        const plan = {
          from: next + index,
          step: publishers.length,
          rate: rate / publishers.length,
          count: share,
          rooms,
        };
        app.send({ type: 'publish', begun, ...plan });
      }
      next += events;
      const timeoutMs = seconds * 1_000 + graceMs;
      const done = await ask(load, { type: 'wait', wanted, timeoutMs }, 'done', timeoutMs + 20_000);
      const elapsedMs = nowMs() - begun;
      const after = await redis?.usage();
      const usages = await askAll(apps, { type: 'usage' });
      const published = sum(
        usages.filter((_, index) => publishers.includes(apps[index])).map((usage) => usage.published),
      );
      return {
        ...done,
        events: published,
        refused: sum(usages.map((usage) => usage.refused)),
        share: done.deliveries / wanted,
        perSecond: (done.deliveries * 1_000) / (elapsedMs - done.idleMs),
        elapsedMs,
        appMs: usages.map((usage, index) => usage.cpuMs - spent[index].cpuMs),
        redis: redis === undefined ? undefined : between(before, after),
      };
    },
    close: async () => {
      for (const child of [...apps, load]) child.kill('SIGKILL');
      await redis?.close();
    },
  };
}
