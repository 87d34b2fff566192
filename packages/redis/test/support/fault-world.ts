/**
 * Two hubs on a Redis to which something happens, clients by socket and by stream on each, and publishers that ask again
 * with the same id until they are told that it is done. What all of them were told is held against the log.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GuildkitError } from '@guildkit/core';
import { type RedisClient, redisEngine } from '@guildkit/redis';
import { applyRoomEvent, type HubEngine, initialRoomState, RealtimeHub } from '@guildkit/server-kit/hub';
import { LogClient } from './log-client.js';
import { pause, until } from './process-run.js';
import { doubles, falseSuccesses, misfit, type Resolved, readRoomLog } from './room-log.js';

const ROOM = 'channel:10';

/** How a world is made. */
export interface FaultWorldOptions {
  /** Makes the client of each hub. */
  readonly connect: (n: number) => Promise<{ readonly client: RedisClient; destroy(): unknown }>;
  readonly commandTimeoutMs?: number | undefined;
  readonly tailCheckMs?: number | undefined;
  /** Text in each event, so that they are of some size. */
  readonly padding?: string | undefined;
  /** Between two events of one publisher, in ms. */
  readonly gapMs?: number | undefined;
}

/** What came of it. */
export interface FaultOutcome {
  readonly resolved: number;
  /** Publishes that were rejected, by the code of the reason. */
  readonly rejected: Readonly<Record<string, number>>;
  /** How often clients were told to start over. */
  readonly snapshots: number;
  /** Connections that clients lost. */
  readonly lost: number;
  readonly problems: readonly string[];
}

interface Member {
  readonly engine: HubEngine;
  readonly hub: RealtimeHub;
  readonly server: Server;
  readonly port: number;
  destroy(): unknown;
}

export class FaultWorld {
  readonly resolved: Resolved[] = [];
  readonly rejected: Record<string, number> = {};
  private readonly members: Member[] = [];
  private readonly clients: LogClient[] = [];
  private readonly options: FaultWorldOptions;
  private publishing: Promise<unknown> | undefined;
  private isOver = false;
  private count = 0;

  private constructor(options: FaultWorldOptions) {
    this.options = options;
  }

  static async create(options: FaultWorldOptions): Promise<FaultWorld> {
    const world = new FaultWorld(options);
    for (let n = 0; n < 2; n += 1) world.members.push(await world.member(n));
    for (let n = 0; n < 4; n += 1) world.join(n);
    await until(() => world.clients.every(({ isOpen }) => isOpen), 15_000, 'every client is there');
    return world;
  }

  /** One more client, of the hub and kind that follow. */
  join(n = this.clients.length): LogClient {
    const member = this.members[n % 2] as Member;
    const kind = n < 2 ? 'socket' : 'stream';
    const client = new LogClient({ kind, user: `user-${n}`, rooms: [ROOM], pick: () => member });
    this.clients.push(client);
    client.connect();
    return client;
  }

  /** Both hubs publish, until {@link outcome}. */
  start(): void {
    this.publishing = Promise.all(this.members.map((member) => this.publishAll(member)));
  }

  /** One event of a hub, once. */
  async publish(n = 0, id = this.nextId()): Promise<void> {
    const { hub } = this.members[n] as Member;
    const payload = { id, padding: this.options.padding ?? '' };
    try {
      const done = (await (hub.publish as (...args: unknown[]) => Promise<unknown>).call(
        hub,
        ROOM,
        'game.scored',
        payload,
        {
          id,
        },
      )) as Resolved;
      this.resolved.push({ room: ROOM, id, epoch: done.epoch, seq: done.seq });
    } catch (error) {
      const cause = GuildkitError.is(error) ? error.cause : undefined;
      const code = GuildkitError.is(cause) ? String(cause.code) : String(error);
      this.rejected[code] = (this.rejected[code] ?? 0) + 1;
      throw error;
    }
  }

  /** Waits for so many more publishes that work. */
  async more(count: number, ms = 30_000): Promise<void> {
    const to = this.resolved.length + count;
    await until(() => this.resolved.length >= to, ms, `${count} more events`);
  }

  /** Waits until every client has what was published so far. */
  async heard(ms = 30_000): Promise<void> {
    const seq = this.resolved.at(-1)?.seq ?? 0;
    const isThere = (client: LogClient) => (client.position(ROOM)?.seq ?? 0) >= seq;
    await until(() => this.clients.every(isThere), ms, 'every client has heard');
  }

  /** Waits for so many more publishes that fail. */
  async failures(count: number, ms = 30_000): Promise<void> {
    const sum = () => Object.values(this.rejected).reduce((all, each) => all + each, 0);
    const to = sum() + count;
    await until(() => sum() >= to, ms, `${count} more rejections`);
  }

  /** Ends the publishing, waits until all is quiet, and compares. */
  async outcome(admin: Parameters<typeof readRoomLog>[0], { isEvicted = false } = {}): Promise<FaultOutcome> {
    this.isOver = true;
    await this.publishing;
    // Clients of an epoch that ended while nobody published are told by the tail check.
    let log = await readRoomLog(admin, ROOM);
    const problems: string[] = [];
    const isAtEnd = async () => {
      log = await readRoomLog(admin, ROOM);
      return this.clients.every((client) => {
        const at = client.position(ROOM);
        return client.isOpen && at?.epoch === log.epoch && at.seq === log.seq;
      });
    };
    await until(isAtEnd, 30_000, 'every client is at the end').catch((error: unknown) => problems.push(String(error)));
    problems.push(...falseSuccesses(log, this.resolved, isEvicted));
    if (!isEvicted) problems.push(...doubles(log));
    let snapshots = 0;
    let lost = 0;
    for (const [n, client] of this.clients.entries()) {
      const told = client.told.get(ROOM) ?? [];
      const what = client.broken ?? misfit(log, told, this.resolved, isEvicted);
      if (what !== undefined) problems.push(`client ${n}: ${what}`);
      snapshots += told.length - 1;
      lost += client.recoveries.length;
    }
    return { resolved: this.resolved.length, rejected: this.rejected, snapshots, lost, problems };
  }

  async close(): Promise<void> {
    this.isOver = true;
    for (const client of this.clients) client.close();
    for (const { hub, server, engine, destroy } of this.members) {
      // A server that does not answer must not hold up the end: leases of viewers are given back to it.
      await Promise.race([hub.close({ drainMs: 0 }), pause(3_000)]);
      server.closeAllConnections();
      server.close();
      await engine.close();
      await destroy();
    }
    await this.publishing;
  }

  private nextId(): string {
    this.count += 1;
    return `event ${this.count}`;
  }

  private async publishAll(member: Member): Promise<void> {
    const n = this.members.indexOf(member);
    while (!this.isOver) {
      const id = this.nextId();
      while (!this.isOver) {
        try {
          await this.publish(n, id);
          break;
        } catch {
          await pause(25);
        }
      }
      await pause(this.options.gapMs ?? 10);
    }
  }

  private async member(n: number): Promise<Member> {
    const { client, destroy } = await this.options.connect(n);
    const engine = redisEngine({
      client,
      applyRoomEvent,
      initialRoomState,
      commandTimeoutMs: this.options.commandTimeoutMs ?? 500,
      tailCheckMs: this.options.tailCheckMs ?? 100,
      maxEvents: 1_000_000,
      maxIds: 1_000_000,
      maxAgeMs: 86_400_000,
    });
    const hub = new RealtimeHub({
      origins: [],
      authenticate: ({ token }) =>
        token === undefined ? null : { userId: token, roles: [], expiresAt: Number.POSITIVE_INFINITY },
      authorize: () => true,
      engine,
      reconnectBaseMs: 50,
      reconnectCapMs: 500,
    });
    const server = createServer();
    hub.attach(server, { ws: '/api/ws', sse: '/api/stream' });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { engine, hub, server, port: (server.address() as AddressInfo).port, destroy };
  }
}
