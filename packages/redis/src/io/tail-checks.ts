/**
 * Owns when the rooms that this process listens to are compared with their logs: every few seconds, many in one step, and
 * whenever the connection is back. Refuses to read: a room that is not as it was known does that by itself.
 */
import type { Clock } from '@guildkit/core';
import type { Position } from '@guildkit/core/wire';
import { TAILS } from './engine-scripts.js';
import type { ManyRooms } from './many-rooms.js';
import type { RoomFeed } from './room-feed.js';
import type { ScriptRunner } from './scripts.js';

/** A room that is listened to, and the keys of its `meta` and `log`. */
export interface OpenRoom {
  readonly feed: RoomFeed;
  readonly keys: readonly string[];
}

/** What the checks need of their engine. */
export interface TailChecksHost {
  readonly clock: Clock;
  readonly runner: ScriptRunner;
  readonly manyRooms: ManyRooms;
  /** How often rooms are compared. */
  readonly everyMs: number;
  /** How soon after a failure. */
  readonly retryMs: number;
  /** Events older than this need not be kept in the process. */
  readonly maxAgeMs: number;
  rooms(): Iterable<OpenRoom>;
}

/** Compares rooms with their logs. */
export class TailChecks {
  private readonly host: TailChecksHost;
  private timer: unknown;
  private running: Promise<void> | undefined;
  private isDue = false;
  private isClosed = false;
  /** Checks since old events were forgotten. */
  private turns = 0;
  /** How often the connection was cut: what was compared before says nothing after. */
  private cuts = 0;

  constructor(host: TailChecksHost) {
    this.host = host;
  }

  /** From now on, every so often. */
  start(): void {
    this.arm(this.host.everyMs);
  }

  /** The connection was cut: no room is sure until it was compared again. */
  doubt(): void {
    this.cuts += 1;
    for (const { feed } of this.host.rooms()) feed.doubt();
  }

  /** Compares all rooms that are open now. */
  check(): void {
    this.isDue = true;
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  close(): void {
    this.isClosed = true;
    this.host.clock.clearTimer(this.timer);
  }

  private arm(ms: number): void {
    if (this.isClosed) return;
    const { clock, everyMs } = this.host;
    clock.clearTimer(this.timer);
    this.timer = clock.setTimer(() => {
      this.check();
      this.forgetOld();
      this.arm(everyMs);
    }, ms);
  }

  private forgetOld(): void {
    this.turns += 1;
    if (this.turns * this.host.everyMs < this.host.maxAgeMs) return;
    this.turns = 0;
    for (const { feed } of this.host.rooms()) feed.forgetOld();
  }

  private async run(): Promise<void> {
    while (this.isDue && !this.isClosed) {
      this.isDue = false;
      const rooms = [...this.host.rooms()].filter(({ feed }) => feed.position !== undefined);
      try {
        await this.host.manyRooms.run(rooms, (some) => this.compare(some));
      } catch {
        // All of them again: a Redis that does not answer for one room does not for the others.
        for (const { feed } of rooms) feed.doubt();
        this.arm(this.host.retryMs);
        return;
      }
    }
  }

  private async compare(rooms: readonly OpenRoom[]): Promise<void> {
    const { cuts } = this;
    const keys = rooms.flatMap((room) => room.keys);
    // Checked by the caller: a room has a position from its first read on.
    const asked = rooms.map(({ feed }) => feed.position as Position);
    const args = asked.flatMap(({ epoch, seq }) => [epoch, seq]);
    const others = new Set((await this.host.runner.run(TAILS, keys, args)) as number[]);
    if (cuts !== this.cuts) return;
    for (const [index, { feed }] of rooms.entries()) {
      feed.onCompared(asked[index] as Position, !others.has(index + 1));
    }
  }
}
