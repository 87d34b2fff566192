/** What rooms, their events and sockets take: in Redis, and in a process that listens to them. */
import { ask, askAll, openFleet } from './fleet.mjs';

const ENGINE = 'guildkit, Redis';
const PARTS = ['meta', 'log', 'ids'];

/** Publishes so many events to every room and waits until all have arrived. */
async function publishAll(fleet, perRoom) {
  const events = perRoom * fleet.rooms.length;
  const rate = 5_000;
  const done = await fleet.round(rate, events / rate, { graceMs: 20_000 });
  if (done.share < 1) throw new Error(`memory: ${done.deliveries} of ${events} events arrived.`);
}

const heldBy = async (app) => (await ask(app, { type: 'usage', collect: true })).held;

async function sizesOf({ redis, rooms: [room] }) {
  const keys = PARTS.map((part) => `guildkit:{${room}}:${part}`);
  const sizes = await Promise.all(keys.map((key) => redis.client.memoryUsage(key, { SAMPLES: 0 })));
  return {
    ...Object.fromEntries(PARTS.map((part, index) => [part, sizes[index] ?? 0])),
    kept: await redis.client.xLen(keys[1]),
  };
}

/**
 * Bytes of a room, of a kept event and of a socket. Rooms have one socket each, and are compared with the same sockets in
 * one room.
 */
export async function memory(rooms, more) {
  const spread = await openFleet(ENGINE, { processes: 1, sockets: rooms, rooms, sampled: 1 });
  const single = await openFleet(ENGINE, { processes: 1, sockets: rooms, rooms: 1, sampled: 1 });
  const few = await openFleet(ENGINE, { processes: 1, sockets: 1, rooms: 1, sampled: 1 });
  try {
    const of = async (fleet) => ({ redis: (await fleet.redis.usage()).memory, app: await heldBy(fleet.apps[0]) });
    for (const fleet of [spread, single]) await publishAll(fleet, 1);
    const [one, base, bare] = [await of(spread), await of(single), await of(few)];
    const [[full], [empty]] = await Promise.all(
      [single, few].map(({ apps }) => askAll(apps, { type: 'usage', collect: true })),
    );
    await publishAll(spread, more);
    const many = await of(spread);
    const first = await sizesOf(single);
    // One reader is enough for what a long log takes.
    await publishAll(few, 1_000);
    const thousand = await sizesOf(few);
    await publishAll(few, 4_096);
    const old = await sizesOf(few);
    return {
      roomInRedis: (one.redis - base.redis) / (rooms - 1),
      eventInRedis: (many.redis - one.redis) / (rooms * more),
      roomInApp: (one.app - base.app) / (rooms - 1),
      eventInApp: (many.app - one.app) / (rooms * more),
      socketInApp: (base.app - bare.app) / (rooms - 1),
      socketRss: (full.rss - empty.rss) / (rooms - 1),
      first,
      thousand,
      old,
    };
  } finally {
    for (const fleet of [spread, single, few]) await fleet.close();
  }
}
