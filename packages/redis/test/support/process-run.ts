/**
 * Processes of one app that are killed at random and replaced in rolling restarts, by seed, while events come and clients
 * listen. What the clients were told is held against the log in Redis.
 */
import { AppFleet } from './app-fleet.js';
import { LogClient } from './log-client.js';
import { connectTo, TestRedis } from './redis-server.js';
import { doubles, falseSuccesses, misfit, type Resolved, readRoomLog } from './room-log.js';

export interface ProcessRun {
  readonly processes: number;
  readonly sockets: number;
  readonly seconds: number;
  readonly seed: number;
  /** Events that are published in a second, over all rooms. */
  readonly eventsPerSecond: number;
  /** Between one thing that happens to the processes and the next, in ms. */
  readonly everyMs: number;
  readonly drainMs: number;
  /** Told about once a second how it goes. */
  readonly progress?: ((line: string) => void) | undefined;
}

/** In ms. */
export interface Quantiles {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

export interface ProcessRunResult {
  readonly events: number;
  readonly deliveries: number;
  readonly kills: number;
  readonly rolls: number;
  readonly processes: number;
  /** Publishes that had to be asked for again, with the same id. */
  readonly retries: number;
  /** From losing a connection to being whole again, by how the process before it ended. */
  readonly recoveries: Readonly<Record<'killed' | 'drained', Quantiles>>;
  readonly snapshots: number;
  readonly problems: readonly string[];
}

const GUILD = 'guild:1';
/** Clients that share a channel. */
const CROWD = 50;

export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0);
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), max: at(1) };
}

/** Polls until it is so; what it was not after that time. */
export async function until(done: () => boolean | Promise<boolean>, ms: number, what: string): Promise<void> {
  const by = performance.now() + ms;
  while (!(await done())) {
    if (performance.now() > by) throw new Error(`not after ${ms} ms: ${what}`);
    await pause(25);
  }
}

export async function processRun(run: ProcessRun): Promise<ProcessRunResult> {
  const random = randomFrom(run.seed);
  const below = (n: number) => Math.floor(random() * n);
  const channels = Array.from({ length: Math.max(2, Math.ceil(run.sockets / CROWD)) }, (_, n) => `channel:${n + 1}`);
  const rooms = [GUILD, ...channels];
  const server = await TestRedis.start();
  const admin = await connectTo(server.path);
  const fleet = await AppFleet.start(run.processes, {
    socket: server.path,
    // Nothing is trimmed, so that all that was told can be compared at the end.
    maxEvents: 1_000_000,
    maxAgeMs: 86_400_000,
    tailCheckMs: 7_000,
    drainMs: run.drainMs,
  });
  const clients = Array.from(
    { length: run.sockets },
    (_, n) =>
      new LogClient({
        kind: n % 2 === 0 ? 'socket' : 'stream',
        user: `user-${n}`,
        rooms: [GUILD, channels[n % channels.length] as string],
        pick: () => fleet.pick(Math.random),
      }),
  );
  const problems: string[] = [];
  try {
    for (const [n, client] of clients.entries()) {
      client.connect();
      if (n % 100 === 99) await pause(100);
    }
    const missing = () => clients.filter(({ isOpen }) => !isOpen).length;
    await until(() => missing() === 0, 120_000, 'every client is there');

    const resolved: Resolved[] = [];
    let retries = 0;
    let isOver = false;
    let number = 0;
    /** One of each room at a time, so that the order in the log is known, too. */
    const publisher = async (own: readonly string[], gapMs: number) => {
      while (!isOver) {
        await pause(gapMs * (0.5 + Math.random()));
        const room = own[Math.floor(Math.random() * own.length)] as string;
        number += 1;
        const id = `event ${number}`;
        const giveUpAt = performance.now() + 60_000;
        for (;;) {
          try {
            const at = await (fleet.pick(Math.random) ?? Promise.reject(new Error('nobody is there')));
            resolved.push({ room, id, ...(await at.publish(room, id)) });
            break;
          } catch {
            if (performance.now() > giveUpAt) {
              problems.push(`${room}: ${id} cannot be published`);
              return;
            }
            retries += 1;
            await pause(20);
          }
        }
      }
    };
    const lanes = Math.min(8, rooms.length);
    const publishing = Array.from({ length: lanes }, (_, lane) =>
      publisher(
        rooms.filter((_, n) => n % lanes === lane),
        (lanes * 1_000) / run.eventsPerSecond,
      ),
    );

    let kills = 0;
    let rolls = 0;
    const ongoing = new Set<Promise<void>>();
    const background = (work: Promise<void>) => {
      const tracked = work
        .catch((error: unknown) => void problems.push(String(error)))
        .finally(() => ongoing.delete(tracked));
      ongoing.add(tracked);
    };
    const killOne = async () => {
      const process = fleet.pick(random);
      if (process === undefined) return;
      kills += 1;
      const goneMs = run.everyMs * 0.5 * random();
      await fleet.kill(process);
      await pause(goneMs);
      await fleet.add();
    };
    const by = performance.now() + run.seconds * 1_000;
    let toldAt = performance.now();
    for (let turn = 0; performance.now() < by; turn += 1) {
      // The first two are fixed, so that the shortest run has both.
      const kind = turn === 0 ? 0 : turn === 1 ? 9 : below(10);
      if (kind === 9) {
        rolls += 1;
        await fleet.roll();
      } else {
        // Sometimes two at once; one always stays.
        if (fleet.running.size > 1) background(killOne());
        if (kind > 6 && fleet.running.size > 2) background(killOne());
      }
      await pause(run.everyMs * (0.5 + random()));
      if (performance.now() - toldAt > 10_000) {
        toldAt = performance.now();
        const left = Math.max(0, Math.round((by - toldAt) / 1_000));
        run.progress?.(
          `${left} s left: ${number} events, ${kills} kills, ${rolls} rolling restarts, ${missing()} clients away`,
        );
      }
    }
    isOver = true;
    await Promise.all([...publishing, ...ongoing]);

    const logs = new Map(await Promise.all(rooms.map(async (room) => [room, await readRoomLog(admin, room)] as const)));
    const isBehind = (client: LogClient) =>
      [...client.told.keys()].some((room) => client.position(room)?.seq !== logs.get(room)?.seq);
    await until(
      () => !clients.some((client) => !client.isOpen || isBehind(client)),
      60_000,
      'every client is at the end',
    ).catch((error: unknown) => problems.push(String(error)));

    const complain = (what: string) => {
      if (problems.length < 20) problems.push(what);
    };
    for (const { isCrashed } of fleet.all) if (isCrashed) complain('a process ended by itself');
    let snapshots = 0;
    for (const [room, log] of logs) {
      const own = resolved.filter((each) => each.room === room);
      if (log.seq !== own.length) complain(`${room}: ${log.seq} events of ${own.length} that were published`);
      for (const what of [...falseSuccesses(log, own), ...doubles(log)]) complain(`${room}: ${what}`);
      for (const [n, client] of clients.entries()) {
        const told = client.told.get(room);
        if (told === undefined) continue;
        snapshots += told.length - 1;
        const what = misfit(log, told, own) ?? (told.length > 1 ? 'it was told to start over' : undefined);
        if (what !== undefined) complain(`client ${n}, ${room}: ${what}`);
      }
    }
    for (const [n, { broken }] of clients.entries()) if (broken !== undefined) complain(`client ${n}: ${broken}`);
    const recoveries = clients.flatMap((client) => client.recoveries);
    const of = (cause: string) => quantiles(recoveries.filter((each) => each.cause === cause).map(({ ms }) => ms));
    return {
      events: number,
      deliveries: clients.reduce(
        (sum, { told }) => sum + [...told.values()].flat().reduce((all, { ids }) => all + ids.length, 0),
        0,
      ),
      kills,
      rolls,
      processes: fleet.all.length,
      retries,
      recoveries: { killed: of('killed'), drained: of('drained') },
      snapshots,
      problems,
    };
  } finally {
    for (const client of clients) client.close();
    await fleet.close();
    await admin.close();
    await server.close();
  }
}
