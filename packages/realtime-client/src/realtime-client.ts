/** Owns the client a user holds: the reducer's driver, the socket, the token, the handles. */
import { createDriver, type Driver, Redacted, type Unsubscribe } from '@guildkit/core';
import type { Envelope } from '@guildkit/core/wire';
import { RealtimeError, type RealtimeErrorCode } from './errors.js';
import type { EnvironmentSignal } from './io/environment.js';
import type { Transport, TransportConnection } from './io/transport.js';
import { webSocketTransport } from './io/web-socket-transport.js';
import { type RealtimeClientOptions, type ResolvedOptions, resolveClientOptions } from './options.js';
import {
  type ConnectionEffect,
  type ConnectionInput,
  type ConnectionState,
  createStep,
  deadline,
  INITIAL,
  type Problem,
} from './protocol/connection.js';
import { parseFrame } from './protocol/frame.js';
import { isDeleted, NEVER, type RoomState } from './protocol/room.js';
import { callAll, Room, type RoomOwner } from './room.js';
import {
  type ConnectionStatus,
  type ConnectionView,
  EMPTY,
  IDLE_CONNECTION,
  LOADING_ROOM,
  type RoomStatus,
  type RoomView,
} from './views.js';

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
  private readonly options: ResolvedOptions;
  private readonly transport: Transport;
  private readonly driver: Driver<ConnectionState, ConnectionInput>;
  private readonly handles = new Map<string, Set<Room>>();
  private readonly views = new Map<string, RoomView>();
  private readonly stateListeners = new Set<() => void>();
  private readonly errorListeners = new Set<(error: RealtimeError) => void>();
  private readonly owner: RoomOwner;
  private readonly errorCounts: Partial<Record<RealtimeErrorCode, number>> = {};
  private connection: TransportConnection | undefined;
  private token: Redacted | undefined;
  private tokenCall: { readonly refused: boolean; readonly at: number; readonly result: Promise<Redacted> } | undefined;
  private unwatch: Unsubscribe | undefined;
  private current = IDLE_CONNECTION;

  /** @throws TypeError naming an option that is unknown or out of range. */
  constructor(options: RealtimeClientOptions) {
    this.options = resolveClientOptions(options);
    const { url, WebSocket, transport, clock, random } = this.options;
    this.transport = transport ?? webSocketTransport({ url, WebSocket });
    this.owner = { view: (name) => this.roomView(name), release: (handle) => this.release(handle) };
    const settings = { ...this.options, hasToken: this.options.getToken !== undefined };
    this.driver = createDriver<ConnectionState, ConnectionInput, ConnectionEffect>({
      reducer: { step: createStep(settings), deadline },
      initial: INITIAL,
      clock,
      random,
      run: (effect) => this.run(effect),
      onEffectError: (error) => this.report(toError({ code: 'ERR_REALTIME_CONNECTION_LOST' }, error)),
      onTransition: (from, to) => this.follow(from, to),
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

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
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
    const room = new Room(name, this.owner);
    const handles = this.handles.get(name) ?? new Set();
    this.handles.set(name, handles.add(room));
    if (handles.size === 1) this.driver.dispatch({ type: 'want', room: name });
    return room;
  }

  /** A room as it is now, without taking hold of it. */
  roomView(name: string): RoomView {
    return this.views.get(name) ?? LOADING_ROOM;
  }

  /** Counters. */
  stats(): RealtimeClientStats {
    return { errors: { ...this.errorCounts } };
  }

  private release(handle: Room): void {
    const { name } = handle;
    const handles = this.handles.get(name);
    if (handles?.delete(handle) !== true || handles.size > 0) return;
    this.handles.delete(name);
    this.driver.dispatch({ type: 'release', room: name });
  }

  private run(effect: ConnectionEffect): void {
    switch (effect.type) {
      case 'dial':
        this.dial(effect.gen);
        return;
      case 'hangUp': {
        const { connection } = this;
        this.connection = undefined;
        connection?.close(effect.code, effect.reason);
        return;
      }
      case 'fetchToken':
        this.fetchToken(effect.gen, effect.refused);
        return;
      case 'sendAuth': {
        const token = this.token?.reveal() ?? '';
        this.token = undefined;
        this.connection?.send(JSON.stringify({ v: 1, type: 'auth', id: effect.id, payload: { token } }));
        return;
      }
      case 'send':
        this.connection?.send(JSON.stringify(effect.frame));
        return;
      case 'deliver':
        for (const handle of [...(this.handles.get(effect.room) ?? [])]) handle.deliver(effect.frame);
        return;
      case 'report':
        this.report(toError(effect.problem));
        return;
    }
  }

  private dial(gen: number): void {
    const { driver } = this;
    try {
      this.connection = this.transport.connect({
        onMessage: (data) => this.take(gen, data),
        onClose: ({ code, reason }) => {
          // An older socket may end after a newer one was dialled.
          if (driver.state.gen === gen) this.connection = undefined;
          driver.dispatch({ type: 'lost', gen, code, reason });
        },
      });
    } catch (error) {
      driver.dispatch({ type: 'undialable', gen, reason: error instanceof Error ? error.message : '' });
    }
  }

  private take(gen: number, data: unknown): void {
    const frame = parseFrame(data);
    if (frame === undefined) {
      this.driver.dispatch({ type: 'garbage', gen });
      return;
    }
    this.driver.dispatch({ type: 'frame', gen, frame, valid: this.isValid(frame) });
  }

  private isValid({ type, event, payload }: Envelope): boolean {
    const { validate } = this.options;
    if (type !== 'event' || validate === undefined || !Object.hasOwn(validate, event)) return true;
    return validate[event]?.safeParse(payload).success !== false;
  }

  /**
   * One call at a time: what is under way serves a later try too, unless its token was refused meanwhile or it
   * hangs.
   */
  private fetchToken(gen: number, refused: boolean): void {
    const { getToken, clock, connectTimeoutMs } = this.options;
    if (getToken === undefined) return;
    const at = clock.now();
    let call = this.tokenCall;
    if (call === undefined || (refused && !call.refused) || at - call.at >= connectTimeoutMs) {
      call = { refused, at, result: Promise.resolve({ refused }).then(getToken).then(toSecret) };
      this.tokenCall = call;
    }
    const done = (token?: Redacted): void => {
      if (this.tokenCall === call) this.tokenCall = undefined;
      if (this.driver.state.gen !== gen) return;
      this.token = token;
      this.driver.dispatch({ type: 'token', gen, ok: token !== undefined });
    };
    call.result.then(done, () => done());
  }

  private follow(from: ConnectionState, to: ConnectionState): void {
    const active = to.phase !== 'idle' && to.phase !== 'closed';
    if (active) {
      this.unwatch ??= this.options.environment.watch((type: EnvironmentSignal) => this.driver.dispatch({ type }));
    } else {
      this.unwatch?.();
      this.unwatch = undefined;
      this.token = undefined;
    }
    if (from.rooms !== to.rooms) this.followRooms(from.rooms, to.rooms);
    const { phase, attempt, degraded } = to;
    let { nextAttemptAt, lastError } = this.current;
    if (to.problem !== from.problem) lastError = to.problem && toError(to.problem);
    if (to.retryAt !== from.retryAt) nextAttemptAt = this.toUnixMs(to.retryAt);
    const isStart = phase === 'authenticating' || (phase === 'recovering' && !to.wasOpen);
    const status = isStart ? 'connecting' : (phase as ConnectionStatus);
    const next: ConnectionView = { status, attempt, nextAttemptAt, lastError, degraded };
    if (isSame(next, this.current)) return;
    this.current = next;
    callAll(this.stateListeners);
  }

  private toUnixMs(at: number): number | undefined {
    const { clock } = this.options;
    return at === NEVER ? undefined : Math.round(clock.wallTime() + at - clock.now());
  }

  private followRooms(from: ConnectionState['rooms'], to: ConnectionState['rooms']): void {
    for (const name of from.keys()) if (!to.has(name)) this.views.delete(name);
    for (const [name, room] of to) {
      if (room === from.get(name)) continue;
      const before = this.roomView(name);
      const view = viewOfRoom(name, room, before);
      if (isSame(view, before)) continue;
      this.views.set(name, view);
      for (const handle of [...(this.handles.get(name) ?? [])]) handle.changed();
    }
  }

  private report(error: RealtimeError): void {
    this.errorCounts[error.code] = (this.errorCounts[error.code] ?? 0) + 1;
    callAll(this.errorListeners, error);
  }
}

function viewOfRoom(name: string, room: RoomState, before: RoomView): RoomView {
  const { snapshot, reason } = room;
  return {
    status: statusOf(room),
    snapshot,
    members: snapshot?.kind === 'voice' ? snapshot.members : EMPTY,
    error:
      room.phase !== 'denied'
        ? undefined
        : (before.error ?? toError({ code: 'ERR_REALTIME_ROOM_DENIED', detail: reason, room: name })),
  };
}

function statusOf(room: RoomState): RoomStatus {
  if (isDeleted(room)) return 'deleted';
  if (room.phase === 'denied' || room.phase === 'live') return room.phase;
  return room.snapshot === undefined ? 'loading' : 'recovering';
}

function toError(problem: Problem, cause?: unknown): RealtimeError {
  return new RealtimeError({ ...problem, cause });
}

function toSecret(token: unknown): Redacted {
  if (typeof token !== 'string' || token === '') throw new TypeError('getToken must give a non-empty string');
  return new Redacted(token);
}

function isSame<T extends object>(a: T, b: T): boolean {
  return (Object.keys(a) as (keyof T)[]).every((key) => a[key] === b[key]);
}
