/** Owns what a user holds: the client's state, the views of its rooms, the handles. Refuses sockets and protocol. */
import type { Driver, Unsubscribe } from '@guildkit/core';
import type { CommandInput, CommandOptions, CommandQueue, CommandResult } from './commands.js';
import type { RealtimeError, RealtimeErrorCode } from './errors.js';
import { badOption, type RealtimeClientOptions, resolveClientOptions } from './options.js';
import type { ConnectionInput, ConnectionState } from './protocol/connection-state.js';
import { NEVER } from './protocol/room.js';
import { CHANGE, createRoom, type Handle, type Room } from './room.js';
import { createShell } from './shell.js';
import { createTopics } from './topics.js';
import { type ConnectionView, IDLE_CONNECTION, LOADING_ROOM, type RoomView, sameOr } from './views.js';

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
  private readonly handles = new Set<Handle>();
  private readonly listeners = createTopics();
  private readonly errors: Partial<Record<RealtimeErrorCode, number>> = {};
  private readonly commands: CommandQueue | undefined;
  private current = IDLE_CONNECTION;

  /** @throws TypeError naming an option that is unknown or out of range. */
  constructor(options: RealtimeClientOptions) {
    const resolved = resolveClientOptions(options);
    const { clock } = resolved;
    this.commands = resolved.commands;
    this.driver = createShell(resolved, {
      follow: (from, to) => {
        for (const [name, { view }] of to.rooms) if (view !== from.rooms.get(name)?.view) this.tell(name, CHANGE);
        const { phase, attempt, degraded, dueAt, wasOpen, problem: lastError } = to;
        const isStart = phase === 'greeted' || (phase === 'recovering' && !wasOpen);
        const status = isStart ? 'connecting' : phase;
        const isPlanned = phase === 'waiting' && dueAt < NEVER;
        const nextAttemptAt = isPlanned ? Math.round(clock.wallTime() + dueAt - clock.now()) : undefined;
        const next = sameOr(this.current, { status, attempt, nextAttemptAt, lastError, degraded });
        if (next === this.current) return;
        this.current = next;
        this.listeners.tell('state');
      },
      deliver: ({ room, frame }) => {
        for (const topic of [frame.event, '*']) this.tell(room, topic, frame.payload, frame);
      },
      report: ({ error }) => {
        this.errors[error.code] = (this.errors[error.code] ?? 0) + 1;
        this.listeners.tell('error', error);
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
    return this.listeners.on('state', listener);
  }

  /** Calls back with every error, those that the client mends by itself included. */
  onError(listener: (error: RealtimeError) => void): Unsubscribe {
    return this.listeners.on('error', listener);
  }

  /**
   * Takes hold of a room: `guild:<id>`, `channel:<id>`, `user:<id>`. Close the handle to let go.
   * What is no room's name the hub refuses: the room is `denied`.
   */
  room(name: string): Room {
    const handle = { ...createTopics(), name };
    this.handles.add(handle);
    this.driver.dispatch({ type: 'want', room: name });
    return createRoom(
      handle,
      () => this.roomView(name),
      () => {
        const isLast = this.handles.delete(handle) && ![...this.handles].some((each) => each.name === name);
        if (isLast) this.driver.dispatch({ type: 'release', room: name });
      },
    );
  }

  /** A room as it is now, without taking hold of it. */
  roomView(name: string): RoomView {
    return this.driver.state.rooms.get(name)?.view ?? LOADING_ROOM;
  }

  /**
   * Sends a command, as soon as there is a connection, and again with the same id after a reconnect.
   *
   * @returns what the server gives.
   * @throws CommandError with any code of {@link CommandErrorCode}.
   * @throws TypeError when the client was made without the option `commands`.
   */
  async command<N extends string>(
    name: N,
    input: CommandInput<N>,
    options?: CommandOptions,
  ): Promise<CommandResult<N>> {
    return (this.commands ?? badOption('commands')).send(name, input, options);
  }

  /** Counters. */
  stats(): RealtimeClientStats {
    return { errors: { ...this.errors } };
  }

  private tell(room: string, topic: string, ...args: unknown[]): void {
    for (const handle of [...this.handles]) if (handle.name === room) handle.tell(topic, ...args);
  }
}
