/**
 * What one event, one delivery, one listening process and one open room cost, each told from the others: a process that
 * only publishes, processes that only hold sockets, and rooms in which nothing happens.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { redisEngine } from '@guildkit/redis';
import { applyRoomEvent, initialRoomState } from '@guildkit/server-kit/hub';
import { askAll, openFleet, roomsOf } from './fleet.mjs';
import { between, connectTo, startRedis } from './redis.mjs';

const ENGINE = 'guildkit, Redis';
const RATE = 1_000;
const ROOMS = 100;

/** One process publishes, so many others hold `perRoom` sockets in each room. */
async function split(listeners, perRoom, seconds) {
  const holders = Array.from({ length: listeners }, (_, index) => index + 1);
  const fleet = await openFleet(ENGINE, { processes: 1 + listeners, sockets: ROOMS * perRoom, rooms: ROOMS, holders });
  try {
    const publishers = [fleet.apps[0]];
    await fleet.round(RATE, 1, { publishers });
    const r = await fleet.round(RATE, seconds, { publishers });
    const [publishMs, ...holdMs] = r.appMs;
    const per = (ms) => (ms * 1_000) / r.events;
    return {
      publish: per(publishMs),
      hold: per(holdMs.reduce((total, ms) => total + ms, 0)),
      redis: per(r.redis.cpuMs),
      inBytes: r.redis.inBytes / r.events,
      outBytes: r.redis.outBytes / r.events,
      sent: r.redis.sent / r.events,
      total: r.redis.total / r.events,
    };
  } finally {
    await fleet.close();
  }
}

/** Rooms that are open and quiet: what comparing one with its log costs. */
async function checks(rooms, seconds) {
  const options = { tailCheckMs: 500 };
  const fleet = await openFleet(ENGINE, { processes: 1, sockets: rooms, rooms, sampled: 1, options });
  try {
    await sleep(1_000);
    const [app] = await askAll(fleet.apps, { type: 'usage' });
    const before = await fleet.redis.usage();
    await sleep(seconds * 1_000);
    const done = between(before, await fleet.redis.usage());
    const [after] = await askAll(fleet.apps, { type: 'usage' });
    const count = done.calls.evalsha;
    return {
      redis: (done.cpuMs * 1_000) / count,
      app: ((after.cpuMs - app.cpuMs) * 1_000) / count,
      sent: done.sent / count,
      bytes: (done.inBytes + done.outBytes) / count,
    };
  } finally {
    await fleet.close();
  }
}

/** The steps that are taken beside events: a room is opened, a lease of viewers is renewed. By an engine of this process. */
async function steps(rooms) {
  const redis = await startRedis();
  const client = await connectTo(redis.port);
  const engine = redisEngine({ client, applyRoomEvent, initialRoomState });
  const names = roomsOf(rooms);
  const users = Array.from({ length: 10 }, (_, n) => String(1_500_000_000_000_000_000n + BigInt(n)));
  const measured = async (step) => {
    const before = await redis.usage();
    await Promise.all(names.map(step));
    const done = between(before, await redis.usage());
    return {
      redis: (done.cpuMs * 1_000) / rooms,
      sent: done.sent / rooms,
      bytes: (done.inBytes + done.outBytes) / rooms,
    };
  };
  try {
    // The server knows the scripts after the first call.
    await engine.watch(names[0], () => {});
    await engine.setViewers(names[0], 'bench', users, 45_000);
    const opened = await measured((room) => engine.watch(room, () => {}));
    const lease = await measured((room) => engine.setViewers(room, 'bench', users, 45_000));
    return { opened, lease };
  } finally {
    await engine.close();
    client.destroy();
    await redis.close();
  }
}

/** All of them, in µs of CPU and bytes. */
export async function costs(seconds) {
  const one = await split(1, 1, seconds);
  const many = await split(1, 20, seconds);
  // So many sockets that each of the three has some in every room.
  const three = await split(3, 15, seconds);
  const deliver = (many.hold - one.hold) / 19;
  const listener = (value) => (three[value] - one[value]) / 2;
  return {
    publish: one.publish,
    hear: one.hold - deliver,
    deliver,
    redisEvent: one.redis - listener('redis'),
    redisListener: listener('redis'),
    inBytes: one.inBytes,
    outEvent: one.outBytes - listener('outBytes'),
    outListener: listener('outBytes'),
    sent: one.sent,
    total: one.total,
    check: await checks(1_000, Math.max(2, seconds)),
    ...(await steps(2_000)),
  };
}
