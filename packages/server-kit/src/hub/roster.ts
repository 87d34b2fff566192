/** Owns who is connected: every connection, the places of users, and what all of them are told. Refuses to know what carries them. */
import type { Clock } from '@guildkit/core';
import { parseRoom } from '@guildkit/core/wire';
import type { Message } from './codec/message.js';
import type { HubConnection } from './io/connection-host.js';

/** How connections are told that the server goes away. */
export interface DrainPlan {
  readonly clock: Clock;
  readonly random: () => number;
  readonly drainMs: number;
  readonly drainSpreadMs: number;
}

/** Connections whose end nobody answered are ended after this long. */
const CLOSE_GRACE_MS = 2_000;

/** The connections of one hub. */
export class Roster {
  private readonly maxPerUser: number;
  private readonly connections = new Map<string, HubConnection>();
  private readonly byUser = new Map<string, Set<HubConnection>>();
  private degraded: string | undefined;
  private onEmpty: (() => void) | undefined;

  constructor(maxPerUser: number) {
    this.maxPerUser = maxPerUser;
  }

  get size(): number {
    return this.connections.size;
  }

  get users(): number {
    return this.byUser.size;
  }

  get subscriptions(): number {
    let sum = 0;
    for (const connection of this.connections.values()) sum += connection.subscriptions;
    return sum;
  }

  get(connectionId: string): HubConnection | undefined {
    return this.connections.get(connectionId);
  }

  add(connection: HubConnection): void {
    this.connections.set(connection.id, connection);
  }

  remove(connection: HubConnection): void {
    this.connections.delete(connection.id);
    if (this.connections.size === 0) this.onEmpty?.();
  }

  /** Takes one of a user's places; `false` when there is none. */
  admit(connection: HubConnection, userId: string): boolean {
    const mine = this.byUser.get(userId) ?? new Set<HubConnection>();
    if (mine.size >= this.maxPerUser) return false;
    this.byUser.set(userId, mine.add(connection));
    return true;
  }

  /** Tells a connection that has become someone's what it has missed. */
  greet(connection: HubConnection): void {
    if (this.degraded === undefined) return;
    connection.control('sys.degraded', { degraded: true, reason: this.degraded });
  }

  /** Gives back a place; the user whose it was. */
  release(connection: HubConnection): string | undefined {
    const { userId } = connection;
    const mine = userId === undefined ? undefined : this.byUser.get(userId);
    if (userId === undefined || !mine?.delete(connection)) return undefined;
    if (mine.size === 0) this.byUser.delete(userId);
    return userId;
  }

  /** Asks for permissions again: of a room, of a user, of all. */
  revalidate(target: string | undefined): void {
    const room = target !== undefined && parseRoom(target) !== undefined ? target : undefined;
    const affected =
      target === undefined || room !== undefined ? this.connections.values() : (this.byUser.get(target) ?? []);
    for (const connection of [...affected]) connection.revalidate(room);
  }

  /** Sends a message to everyone who hears a room. */
  tell(room: string, message: Message): void {
    for (const connection of this.connections.values()) if (connection.hears(room)) connection.send(message);
  }

  /** Tells everyone known that what they see may be old, or is current again; `false` when they know. */
  setDegraded(reason: string | undefined): boolean {
    if (reason === this.degraded) return false;
    this.degraded = reason;
    const payload = { degraded: reason !== undefined, reason: reason ?? '' };
    for (const connections of this.byUser.values()) {
      for (const connection of connections) connection.control('sys.degraded', payload);
    }
    return true;
  }

  /** Sends everyone away, at times spread over a span. Resolves when nobody is left. */
  async drain({ clock, random, drainMs, drainSpreadMs }: DrainPlan): Promise<void> {
    for (const connection of [...this.connections.values()]) {
      connection.drain(Math.floor(random() * drainSpreadMs), drainMs);
    }
    if (this.connections.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.onEmpty = resolve;
    });
    const timer = clock.setTimer(() => {
      for (const connection of [...this.connections.values()]) connection.terminate();
    }, drainMs + CLOSE_GRACE_MS);
    await empty;
    clock.clearTimer(timer);
  }
}
