/**
 * Owns who has which room open: counted by user, told to the engine as leases, told to the room at most once a second.
 * Refuses to be exact across processes: a process that died is forgotten when its leases end.
 */
import { type Clock, type Logger, messageOf, toLogText } from '@guildkit/core';
import type { ViewersPayload } from '@guildkit/core/wire';
import type { HubEngine } from './engine.js';

/** What the hub gives. */
export interface ViewersHost {
  readonly engine: HubEngine;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Names this process to the engine. */
  readonly node: string;
  /** Calls `onChange` for rooms that were entered or left. */
  readonly announce: boolean;
  onChange(payload: ViewersPayload): void;
}

/** How long a lease lives, and how often it is renewed, in ms. */
const LEASE_MS = 45_000;
const RENEW_MS = 15_000;
/** Changes are told to the engine this long after the first of them: a crowd that comes at once is one lease. */
const GATHER_MS = 200;
/** A room is announced this long after a change: all that changes meanwhile is told at once. */
const ANNOUNCE_MS = 1_000;
/** Users named in one announcement. */
const MAX_NAMED = 50;

/** Viewers of this process, and through the engine of all. */
export class Viewers {
  private readonly host: ViewersHost;
  /** Room → user → connections. */
  private readonly rooms = new Map<string, Map<string, number>>();
  private readonly changed = new Set<string>();
  /** Rooms whose lease is not what is known here. */
  private readonly stale = new Set<string>();
  private leaseTimer: unknown;
  private announceTimer: unknown;
  private renewTimer: unknown;
  private isClosed = false;

  constructor(host: ViewersHost) {
    this.host = host;
  }

  /** One more connection of a user has a room open. */
  enter(room: string, userId: string): void {
    const users = this.rooms.get(room) ?? new Map<string, number>();
    this.rooms.set(room, users);
    const before = users.get(userId) ?? 0;
    users.set(userId, before + 1);
    if (before === 0) this.onChange(room);
  }

  /** One fewer. */
  exit(room: string, userId: string): void {
    const users = this.rooms.get(room);
    const left = (users?.get(userId) ?? 0) - 1;
    if (users === undefined || left < 0) return;
    if (left > 0) {
      users.set(userId, left);
      return;
    }
    users.delete(userId);
    if (users.size === 0) this.rooms.delete(room);
    this.onChange(room);
  }

  /** Users who have a room open, in every process that shares the engine. */
  async list(room: string): Promise<readonly string[]> {
    const here = this.rooms.get(room)?.keys() ?? [];
    const { engine } = this.host;
    if (engine.viewers === undefined) return [...here];
    // Our own lease may still name who has left.
    if (this.stale.has(room)) await this.lease(room);
    return [...new Set([...here, ...(await engine.viewers(room))])];
  }

  /** Gives back the timers and the leases. */
  async close(): Promise<void> {
    this.isClosed = true;
    const { clock } = this.host;
    for (const timer of [this.announceTimer, this.renewTimer, this.leaseTimer]) clock.clearTimer(timer);
    const rooms = new Set([...this.rooms.keys(), ...this.stale]);
    this.rooms.clear();
    await Promise.all([...rooms].map((room) => this.lease(room)));
  }

  private onChange(room: string): void {
    if (this.isClosed) return;
    const { clock, announce, engine } = this.host;
    if (engine.setViewers !== undefined) {
      this.stale.add(room);
      this.leaseTimer ??= clock.setTimer(() => this.leaseStale(), GATHER_MS);
      if (this.rooms.size === 0) {
        clock.clearTimer(this.renewTimer);
        this.renewTimer = undefined;
      } else this.renewTimer ??= clock.setTimer(() => this.renew(), RENEW_MS);
    }
    if (!announce) return;
    this.changed.add(room);
    this.announceTimer ??= clock.setTimer(() => void this.announceAll(), ANNOUNCE_MS);
  }

  private renew(): void {
    this.renewTimer = this.host.clock.setTimer(() => this.renew(), RENEW_MS);
    for (const room of this.rooms.keys()) void this.lease(room);
  }

  private leaseStale(): void {
    this.leaseTimer = undefined;
    for (const room of this.stale) void this.lease(room);
  }

  private async lease(room: string): Promise<void> {
    const { engine, node, logger } = this.host;
    this.stale.delete(room);
    try {
      await engine.setViewers?.(room, node, [...(this.rooms.get(room)?.keys() ?? [])], LEASE_MS);
    } catch (error) {
      // Renewed with the next one.
      logger.warn({ room, error: toLogText(messageOf(error)) }, 'hub cannot tell who views a room');
    }
  }

  private async announceAll(): Promise<void> {
    this.announceTimer = undefined;
    const rooms = [...this.changed];
    this.changed.clear();
    for (const room of rooms) {
      // Nobody here to be told.
      if (!this.rooms.has(room)) continue;
      const users = await this.list(room).catch(() => [...(this.rooms.get(room)?.keys() ?? [])]);
      if (this.isClosed) return;
      this.host.onChange({ room, count: users.length, userIds: users.slice(0, MAX_NAMED) });
    }
  }
}
