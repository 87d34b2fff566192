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
/** Published one after the other. */
const EVENTS = 2_000;

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

/** So many rooms, open and quiet, each with a socket: what a second of it costs. */
async function quiet(rooms, seconds, options) {
  const fleet = await openFleet(ENGINE, { processes: 1, sockets: rooms, rooms, sampled: 1, options });
  try {
    await sleep(1_500);
    const [app] = await askAll(fleet.apps, { type: 'usage' });
    const before = await fleet.redis.usage();
    await sleep(seconds * 1_000);
    const done = between(before, await fleet.redis.usage());
    const [after] = await askAll(fleet.apps, { type: 'usage' });
    return {
      redis: (done.cpuMs * 1_000) / seconds,
      app: ((after.cpuMs - app.cpuMs) * 1_000) / seconds,
      sent: done.sent / seconds,
      bytes: (done.inBytes + done.outBytes) / seconds,
    };
  } finally {
    await fleet.close();
  }
}

/** What comparing an open room with its log costs, and a heartbeat of a socket: each against doing neither. */
async function idle(rooms, seconds) {
  const never = { tailCheckMs: 600_000 };
  const base = await quiet(rooms, seconds, never);
  const checked = await quiet(rooms, seconds, { tailCheckMs: 500 });
  const beating = await quiet(rooms, seconds, { ...never, heartbeatMs: 1_000 });
  const perCheck = (name) => Math.max(0, checked[name] - base[name]) / (rooms * 2);
  return {
    check: { redis: perCheck('redis'), app: perCheck('app'), sent: perCheck('sent'), bytes: perCheck('bytes') },
    beat: Math.max(0, beating.app - base.app) / rooms,
  };
}

/**
 * What Redis spends beside the work for an event: opening a room, a lease of viewers, and each connection more that hears
 * an event. By engines of this process, so that nothing else wakes the server.
 */
async function steps(rooms) {
  const redis = await startRedis();
  const [client, other] = [await connectTo(redis.port), await connectTo(redis.port)];
  const engine = redisEngine({ client, applyRoomEvent, initialRoomState });
  const second = redisEngine({ client: other, applyRoomEvent, initialRoomState });
  const names = roomsOf(rooms);
  const users = Array.from({ length: 10 }, (_, n) => String(1_500_000_000_000_000_000n + BigInt(n)));
  const measured = async (count, work) => {
    const before = await redis.usage();
    await work();
    const after = await redis.usage();
    const done = between(before, after);
    return {
      redis: (done.cpuMs * 1_000) / count,
      sent: done.sent / count,
      bytes: (done.inBytes + done.outBytes) / count,
      out: done.outBytes / count,
      memory: (after.memory - before.memory) / count,
    };
  };
  const each = (step) => Promise.all(names.map(step));
  const listeners = [];
  try {
    // The server knows the scripts after the first call.
    await engine.watch(names[0], () => {});
    await engine.setViewers(names[0], 'bench', users, 45_000);
    const opened = await measured(rooms, () => each((room) => engine.watch(room, () => {})));
    const lease = await measured(rooms, () => each((room) => engine.setViewers(room, 'bench', users, 45_000)));
    const { memory: subscribed } = await measured(rooms, () => each((room) => second.watch(room, () => {})));
    await second.close();
    // One event after the other: each listener is written to by itself, as it is among many publishers and rooms.
    const [room] = names;
    let n = 0;
    const publish = async () => {
      for (let round = 0; round < EVENTS; round += 1) {
        n += 1;
        const payload = { n, pad: 'x'.repeat(150) };
        await engine.publish(room, { event: 'bench', payload, id: `step-${n}`, ts: Date.now() });
      }
    };
    await publish();
    const alone = await measured(EVENTS, publish);
    for (let count = 0; count < 8; count += 1) {
      const listener = await connectTo(redis.port);
      listeners.push(listener);
      await listener.sSubscribe(`guildkit:{${room}}:feed`, () => {});
    }
    const heard = await measured(EVENTS, publish);
    const listener = {
      redis: Math.max(0, heard.redis - alone.redis) / listeners.length,
      out: (heard.out - alone.out) / listeners.length,
    };
    return { opened, lease, subscribed, listener };
  } finally {
    for (const one of [engine, second]) await one.close();
    for (const one of [client, other, ...listeners]) one.destroy();
    await redis.close();
  }
}

/** All of them, in µs of CPU and bytes. */
export async function costs(seconds) {
  const one = await split(1, 1, seconds);
  const many = await split(1, 20, seconds);
  const deliver = (many.hold - one.hold) / 19;
  const { opened, lease, subscribed, listener } = await steps(2_000);
  return {
    publish: one.publish,
    hear: one.hold - deliver,
    deliver,
    redisEvent: one.redis - listener.redis,
    redisListener: listener.redis,
    inBytes: one.inBytes,
    outEvent: one.outBytes - listener.out,
    outListener: listener.out,
    sent: one.sent,
    total: one.total,
    ...(await idle(1_000, Math.max(2, seconds))),
    opened,
    lease,
    subscribed,
  };
}
