// Real clients behind a proxy that cuts them off for a second, again and again, while events are published; they come
// back to whichever process the proxy picks. What each has heard is compared with what was published to its room.
import { messageFrom, startProcess } from '../lib/processes.mjs';
import { CONTENDERS } from './contenders.mjs';
import { roomsOf, startApps } from './fleet.mjs';
import { startRedis } from './redis.mjs';

const ROOMS = 4;
const CLIENTS = 150;
const PROCESSES = 2;
const RATE = 200;
/** Of one cut: before it, away, and until a client counts its next failure as its first. */
const CYCLE_SECONDS = 8;

/** One contender: the clients of `speaks`, cut off so many times. */
export async function away(name, cuts) {
  const { speaks } = CONTENDERS[name];
  const redis = await startRedis();
  const { apps, ports } = await startApps(name, PROCESSES, redis.port);
  const rooms = roomsOf(ROOMS);
  const url = new URL('away-clients.mjs', import.meta.url);
  const clients = startProcess(url, [JSON.stringify({ ports, speaks, rooms, count: CLIENTS })]);
  try {
    await messageFrom(clients, 'ready', 30_000);
    const result = messageFrom(clients, 'result', 120_000);
    const seconds = cuts * CYCLE_SECONDS + 1;
    clients.send({ type: 'begin', cuts, events: RATE * seconds });
    for (const [index, app] of apps.entries()) {
      // Each process publishes to all rooms.
      const plan = {
        from: 1 + index,
        step: PROCESSES,
        rate: RATE / PROCESSES,
        count: (RATE * seconds) / PROCESSES,
        rooms,
      };
      app.send({ type: 'publish', begun: performance.timeOrigin + performance.now(), ...plan });
    }
    return { ...(await result), perRoom: RATE / ROOMS, clients: CLIENTS };
  } finally {
    for (const child of [...apps, clients]) child.kill('SIGKILL');
    await redis.close();
  }
}
