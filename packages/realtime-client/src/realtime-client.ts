/** Owns what a user holds: the client's state, the views of its rooms, the handles. Refuses sockets and protocol. */
import type { Driver, Unsubscribe } from '@guildkit/core';
import { RealtimeError, type RealtimeErrorCode } from './errors.js';
import { type RealtimeClientOptions, resolveClientOptions } from './options.js';
import type { ConnectionInput, ConnectionState } from './protocol/connection.js';
import { isDeleted, NEVER, type RoomState } from './protocol/room.js';
import { callAll, Room } from './room.js';
import { createShell } from './shell.js';
import { type ConnectionView, EMPTY, IDLE_CONNECTION, LOADING_ROOM, type RoomView } from './views.js';

/** Counters since the client was made. */
export interface RealtimeClientStats {
  /** Reported errors by code. */
  readonly errors: Readonly<Partial<Record<RealtimeErrorCode, number>>>;
}

/**
 * One connection to a hub, for all rooms of a page. Comes back by itself, and brings every room to the hub's
 * state without a gap and without a double.
 *
 * @example
 * ```ts
 * import { RealtimeClient } from '@guildkit/realtime-client';
 *
 * const client = new RealtimeClient({ url: '/api/ws', getToken: async () => (await fetch('/api/token')).text() });
 * const room = client.room('channel:123');
 * room.on('voice.joined', ({ username }) => console.log(`${username} is here`));
 * room.subscribe(() => console.log(room.status, room.members));
 * client.connect();
 * ```
 */
export class RealtimeClient {
  private readonly driver: Driver<ConnectionState, ConnectionInput>;
  private readonly rooms = new Map<string, Set<Room>>();
  private readonly views = new Map<string, RoomView>();
  private readonly stateListeners = new Set<() => void>();
  private readonly errorListeners = new Set<(error: RealtimeError) => void>();
  private readonly errors: Partial<Record<RealtimeErrorCode, number>> = {};
  private current = IDLE_CONNECTION;

  /** @throws TypeError naming an option that is out of range. */
  constructor(options: RealtimeClientOptions) {
    const resolved = resolveClientOptions(options);
    const { clock } = resolved;
    this.driver = createShell(resolved, {
      follow: (from, to) => {
        for (const name of from.rooms.keys()) if (!to.rooms.has(name)) this.views.delete(name);
        for (const [name, room] of to.rooms) if (room !== from.rooms.get(name)) this.show(name, room);
        let { nextAttemptAt, lastError } = this.current;
        if (to.problem !== from.problem) lastError = to.problem && new RealtimeError(to.problem);
        if (to.retryAt !== from.retryAt) {
          nextAttemptAt = to.retryAt < NEVER ? Math.round(clock.wallTime() + to.retryAt - clock.now()) : undefined;
        }
        const { phase, attempt, degraded } = to;
        const isStart = phase === 'authenticating' || (phase === 'recovering' && !to.wasOpen);
        const next = { status: isStart ? 'connecting' : phase, attempt, nextAttemptAt, lastError, degraded } as const;
        if (isSame(next, this.current)) return;
        this.current = next;
        callAll(this.stateListeners);
      },
      deliver: (name, frame) => {
        for (const room of [...(this.rooms.get(name) ?? [])]) room.deliver(frame);
      },
      report: (problem, cause) => {
        this.errors[problem.code] = (this.errors[problem.code] ?? 0) + 1;
        callAll(this.errorListeners, new RealtimeError({ ...problem, cause }));
      },
    });
  }

  /** The connection as it is now: the same object until something changes. */
  get state(): ConnectionView {
    return this.current;
  }

  /** Starts, unless it is under way. Starts again after `manual` and `closed`. */
  connect(): void {
    this.driver.dispatch({ type: 'connect' });
  }

  /** Tries now instead of waiting, with the tries counted anew. Does nothing while connected or connecting. */
  reconnect(): void {
    this.driver.dispatch({ type: 'reconnect' });
  }

  /** Ends the connection. No socket, timer or listener of the page is left. Handles stay, for a later `connect()`. */
  close(): void {
    this.driver.dispatch({ type: 'close' });
  }

  /** As {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Calls back after each change of {@link state}. */
  subscribeState(listener: () => void): Unsubscribe {
    this.stateListeners.add(listener);
    return () => void this.stateListeners.delete(listener);
  }

  /** Calls back with every error, those that the client mends by itself included. */
  onError(listener: (error: RealtimeError) => void): Unsubscribe {
    this.errorListeners.add(listener);
    return () => void this.errorListeners.delete(listener);
  }

  /**
   * Takes hold of a room: `guild:<id>`, `channel:<id>`, `user:<id>`. Close the handle to let go.
   * What is no room's name the hub refuses: the room is `denied`.
   */
  room(name: string): Room {
    const holders = this.rooms.get(name) ?? new Set();
    const room = new Room(name, this, () => {
      if (!holders.delete(room) || holders.size > 0) return;
      this.rooms.delete(name);
      this.driver.dispatch({ type: 'release', room: name });
    });
    this.rooms.set(name, holders.add(room));
    if (holders.size === 1) this.driver.dispatch({ type: 'want', room: name });
    return room;
  }

  /** A room as it is now, without taking hold of it. */
  roomView(name: string): RoomView {
    return this.views.get(name) ?? LOADING_ROOM;
  }

  /** Counters. */
  stats(): RealtimeClientStats {
    return { errors: { ...this.errors } };
  }

  private show(name: string, room: RoomState): void {
    const { phase, snapshot, reason } = room;
    const settled = phase === 'denied' || phase === 'live' ? phase : snapshot === undefined ? 'loading' : 'recovering';
    const view: RoomView = {
      status: isDeleted(room) ? 'deleted' : settled,
      snapshot,
      members: snapshot?.kind === 'voice' ? snapshot.members : EMPTY,
      reason,
    };
    if (isSame(view, this.roomView(name))) return;
    this.views.set(name, view);
    for (const holder of [...(this.rooms.get(name) ?? [])]) holder.changed();
  }
}

function isSame<T extends object>(a: T, b: T): boolean {
  return Object.keys(a).every((key) => a[key as keyof T] === b[key as keyof T]);
}
