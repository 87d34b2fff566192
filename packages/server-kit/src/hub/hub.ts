/** Owns the public class: who is connected, what is published, when it ends. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  check,
  type DomainEvent,
  GuildkitError,
  messageOf,
  resolveOptions,
  TypedEmitter,
  toLogText,
  type Unsubscribe,
} from '@guildkit/core';
import { guildRoom, parseRoom, type RoomEvents, userRoom } from '@guildkit/core/wire';
import type { WebSocketServer } from 'ws';
import { HubError } from '../errors.js';
import type { Principal } from '../principal.js';
import type { HubEngine } from './engine.js';
import { type AuthOutcome, Connection, type ConnectionHost } from './io/connection.js';
import { type DiscordOutcome, DiscordSink } from './io/discord-sink.js';
import { memoryEngine } from './io/memory-engine.js';
import { RoomFeeds } from './io/room-feeds.js';
import { bearerOf, claimUpgrade, headersOf, pathOf, refuseUpgrade } from './io/upgrade.js';
import { acceptUpgrade, createUpgrader } from './io/ws-transport.js';
import { type HubSettings, originCheck, type RealtimeHubOptions, resolveHubOptions } from './options.js';
import type { Published } from './protocol/records.js';
import { HubCounters, type HubStats } from './stats.js';

/** What the hub tells of. */
export interface RealtimeHubEvents {
  /** A connection has become someone's. */
  connected: { readonly connectionId: string; readonly userId: string };
  /** Such a connection is gone. */
  disconnected: { readonly connectionId: string; readonly userId: string };
  /** A Discord event could not be published. */
  error: { readonly error: HubError };
}

/** Settings of one publish. */
export interface PublishOptions {
  /**
   * The event's own id: publishing it again appends nothing.
   * @defaultValue a random one
   */
  readonly id?: string | undefined;
  readonly traceId?: string | undefined;
}

/** Settings of {@link RealtimeHub.close}. */
export interface HubCloseOptions {
  /**
   * Time between telling clients that the server goes away and closing their sockets, in ms.
   * @defaultValue 1000
   */
  readonly drainMs?: number | undefined;
}

/** Name of an event of a room's log. */
export type RoomEventName = keyof RoomEvents & string;

const CLOSE_DEFAULTS: { readonly drainMs: number } = { drainMs: 1_000 };

/** Sockets whose close nobody answered are ended after this long. */
const CLOSE_GRACE_MS = 2_000;

/** Longest name or id of an event, in UTF-16 units; those derived from Discord's events are far shorter. */
const MAX_ID_LENGTH = 256;

/**
 * Rooms with logs, and the connections that listen to them.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { RealtimeHub } from '@guildkit/server-kit/hub';
 *
 * const hub = new RealtimeHub({
 *   origins: ['https://app.example'],
 *   authenticate: ({ token }) => (token === 'secret' ? { userId: '1', roles: [], expiresAt: Infinity } : null),
 *   authorize: (principal, room) => room !== 'user:2' || principal.userId === '2',
 * });
 * const server = createServer();
 * hub.attach(server, { ws: '/api/ws' });
 * server.listen(3000);
 * ```
 */
export class RealtimeHub extends TypedEmitter<RealtimeHubEvents> {
  /**
   * Takes a Discord event: the sink for gateway, webhook receiver and link client. Bound, so that it can be handed
   * over bare. Never rejects; the outcome tells a webhook receiver what to answer.
   */
  readonly publishDiscordEvent: (event: DomainEvent) => Promise<DiscordOutcome>;

  private readonly settings: HubSettings;
  private readonly engine: HubEngine;
  private readonly counters = new HubCounters();
  private readonly feeds: RoomFeeds;
  private readonly host: ConnectionHost;
  private readonly upgrader: WebSocketServer;
  private readonly isOriginAllowed: ReturnType<typeof originCheck>;
  private readonly connections = new Set<Connection>();
  private readonly users = new Map<string, Set<Connection>>();
  private readonly detachers = new Set<Unsubscribe>();
  /** Ends each wait for an answer of `authorize`. */
  private readonly questions = new Set<() => void>();
  private readonly bootId = randomUUID();
  private degraded: string | undefined;
  private closing: Promise<void> | undefined;
  private onEmpty: (() => void) | undefined;

  /** @throws TypeError on options that are unknown, missing or out of range. */
  constructor(options: RealtimeHubOptions) {
    super();
    this.settings = resolveHubOptions(options);
    const { clock, engine, maxFrameBytes, origins } = this.settings;
    this.engine = engine ?? memoryEngine({ clock });
    this.isOriginAllowed = originCheck(origins);
    this.upgrader = createUpgrader(maxFrameBytes);
    this.feeds = new RoomFeeds(this.engine, ({ event, room }) => {
      // A room that has ended may be open to others than before.
      if (event === 'room.deleted') for (const connection of this.connections) connection.revalidate(room);
    });
    this.host = this.createHost();
    const sink = this.createSink();
    this.publishDiscordEvent = (event) => (this.closing === undefined ? sink.accept(event) : Promise.resolve('failed'));
  }

  /**
   * Serves a path of a server. Upgrades to other paths are left alone: they belong to other listeners. When a path is
   * attached twice, by one hub or by two, the first serves it until it is detached.
   *
   * @returns Stops serving; open connections stay.
   * @throws `HubError` with `ERR_HUB_CLOSED`.
   */
  attach(server: Server, paths: { readonly ws: string }): Unsubscribe {
    if (this.closing !== undefined) throw new HubError('ERR_HUB_CLOSED');
    if (typeof paths?.ws !== 'string' || !paths.ws.startsWith('/')) {
      throw new TypeError('RealtimeHub.attach: "ws" must be a path that starts with "/"');
    }
    const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      if (pathOf(request) === paths.ws && claimUpgrade(socket)) this.onUpgrade(request, socket, head);
    };
    server.on('upgrade', onUpgrade);
    const detach = (): void => {
      server.off('upgrade', onUpgrade);
      this.detachers.delete(detach);
    };
    this.detachers.add(detach);
    return detach;
  }

  /**
   * Appends an event to a room's log and sends it to everyone who listens.
   *
   * @throws `HubError`: `ERR_HUB_ROOM_INVALID`, `ERR_HUB_EVENT_INVALID`, `ERR_HUB_EVENT_TOO_LARGE`, `ERR_HUB_CLOSED`,
   * or `ERR_HUB_PUBLISH_FAILED` when the engine fails.
   */
  async publish<Name extends RoomEventName>(
    room: string,
    event: Name,
    payload: RoomEvents[Name],
    options: PublishOptions = {},
  ): Promise<Published> {
    if (this.closing !== undefined) throw new HubError('ERR_HUB_CLOSED');
    if (parseRoom(room) === undefined) throw new HubError('ERR_HUB_ROOM_INVALID', { detail: toLogText(String(room)) });
    const { id = randomUUID(), traceId } = options;
    this.checkEvent(event, payload, id, traceId);
    const ts = this.settings.clock.wallTime();
    try {
      const published = await this.engine.publish(room, { event, payload, id, ts, traceId });
      if (!published.duplicate) this.counters.published += 1;
      return published;
    } catch (cause) {
      this.counters.error('ERR_HUB_PUBLISH_FAILED');
      throw new HubError('ERR_HUB_PUBLISH_FAILED', { cause, retryable: true });
    }
  }

  /** Publishes to `guild:<guildId>`. @throws As {@link publish}. */
  broadcastToGuild<Name extends RoomEventName>(
    guildId: string,
    event: Name,
    payload: RoomEvents[Name],
    options?: PublishOptions,
  ): Promise<Published> {
    return this.publish(guildRoom(guildId), event, payload, options);
  }

  /** Publishes to a room by its full name. @throws As {@link publish}. */
  broadcastToRoom<Name extends RoomEventName>(
    room: string,
    event: Name,
    payload: RoomEvents[Name],
    options?: PublishOptions,
  ): Promise<Published> {
    return this.publish(room, event, payload, options);
  }

  /** Publishes to `user:<userId>`: all tabs and devices of one user. @throws As {@link publish}. */
  sendToUser<Name extends RoomEventName>(
    userId: string,
    event: Name,
    payload: RoomEvents[Name],
    options?: PublishOptions,
  ): Promise<Published> {
    return this.publish(userRoom(userId), event, payload, options);
  }

  /** Asks `authorize` again for every subscription, of one user or of all: call it when permissions have changed. */
  revalidate(userId?: string): void {
    const affected = userId === undefined ? this.connections : (this.users.get(userId) ?? []);
    for (const connection of [...affected]) connection.revalidate();
  }

  /** Tells every client that what it is shown may be old, or is current again. New clients are told too. */
  setDegraded(degraded: boolean, reason = ''): void {
    const next = degraded ? reason : undefined;
    if (next === this.degraded) return;
    this.degraded = next;
    this.settings.logger.warn({ degraded, reason: toLogText(reason) }, 'hub view of Discord changed');
    for (const connections of this.users.values()) {
      for (const connection of connections) connection.control('sys.degraded', { degraded, reason });
    }
  }

  /** The hub in numbers. */
  stats(): HubStats {
    const { counters } = this;
    let subscriptions = 0;
    for (const connection of this.connections) subscriptions += connection.subscriptions;
    return {
      connections: this.connections.size,
      users: this.users.size,
      rooms: this.feeds.size,
      subscriptions,
      opened: counters.opened,
      framesIn: counters.framesIn,
      framesOut: counters.framesOut,
      published: counters.published,
      closes: { ...counters.closes },
      errors: { ...counters.errors },
    };
  }

  /**
   * Refuses new connections, tells the clients to reconnect at times spread over `drainSpreadMs`, closes every socket
   * with 4503 after `drainMs`. Idempotent; resolves when no socket and no timer is left.
   *
   * @throws TypeError on options that are unknown or out of range.
   */
  close(options: HubCloseOptions = {}): Promise<void> {
    const { drainMs } = resolveOptions('RealtimeHub.close', CLOSE_DEFAULTS, options, {
      drainMs: check.integer(0, 600_000),
    });
    // A turn later: a `disconnected` listener that closes the hub too must find this close, and not begin its own.
    this.closing ??= Promise.resolve().then(() => this.drain(drainMs));
    return this.closing;
  }

  /** As {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async drain(drainMs: number): Promise<void> {
    const { clock, random, drainSpreadMs, logger } = this.settings;
    logger.info({ connections: this.connections.size, drainMs }, 'hub drains');
    // The listeners stay until the end: an upgrade that nobody answers would hang.
    for (const connection of [...this.connections]) {
      connection.drain(Math.floor(random() * drainSpreadMs), drainMs);
    }
    if (this.connections.size > 0) {
      const empty = new Promise<void>((resolve) => {
        this.onEmpty = resolve;
      });
      const timer = clock.setTimer(() => {
        for (const connection of [...this.connections]) connection.terminate();
      }, drainMs + CLOSE_GRACE_MS);
      await empty;
      clock.clearTimer(timer);
    }
    for (const detach of [...this.detachers]) detach();
    for (const giveUp of this.questions) giveUp();
    this.upgrader.close();
    if (this.settings.engine === undefined) await this.engine.close();
    logger.info({}, 'hub closed');
  }

  private onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { logger, maxConnections } = this.settings;
    const requestId = randomUUID();
    const { origin } = request.headers;
    if (!this.allowsOrigin(origin, request)) {
      this.counters.error('ERR_HUB_ORIGIN_FORBIDDEN');
      logger.warn({ requestId, origin: toLogText(origin ?? '') }, 'hub refuses an origin');
      refuseUpgrade(socket, 403, 'ERR_HUB_ORIGIN_FORBIDDEN', requestId);
      return;
    }
    if (this.closing !== undefined) {
      this.counters.error('ERR_HUB_DRAINING');
      refuseUpgrade(socket, 503, 'ERR_HUB_DRAINING', requestId, 1);
      return;
    }
    if (this.connections.size >= maxConnections) {
      this.counters.error('ERR_HUB_CONNECTION_LIMIT');
      logger.warn({ requestId, maxConnections }, 'hub is full');
      refuseUpgrade(socket, 503, 'ERR_HUB_CONNECTION_LIMIT', requestId, 5);
      return;
    }
    acceptUpgrade(this.upgrader, request, socket, head, (bind) => {
      this.counters.opened += 1;
      const headers = headersOf(request);
      const url = request.url ?? '';
      const authenticate = (token: string | undefined): Promise<AuthOutcome> =>
        this.authenticate({ token: token ?? bearerOf(headers), headers, url });
      this.connections.add(new Connection(randomUUID(), this.host, bind, authenticate));
    });
  }

  private allowsOrigin(origin: string | undefined, request: IncomingMessage): boolean {
    try {
      // Only `true` is a yes: what an async function gives is not.
      return this.isOriginAllowed(origin, request) === true;
    } catch (error) {
      // `Origin` is the caller's text, and what is thrown in an upgrade listener would end the process.
      this.settings.logger.warn({ error: toLogText(messageOf(error)) }, 'hub origins failed');
      return false;
    }
  }

  private async authenticate(context: Parameters<HubSettings['authenticate']>[0]): Promise<AuthOutcome> {
    const { authenticate, logger } = this.settings;
    try {
      const principal = await authenticate(context);
      if (principal === null) return { unavailable: false };
      if (isPrincipal(principal)) return { principal };
      logger.error({}, 'hub authenticate gave neither a principal nor null');
      return { unavailable: true };
    } catch (error) {
      const refused = GuildkitError.is(error) && !error.retryable;
      const fields = { error: toLogText(messageOf(error)), ...(GuildkitError.is(error) ? { code: error.code } : {}) };
      if (refused) logger.debug(fields, 'hub authenticate refuses');
      else logger.warn(fields, 'hub authenticate failed');
      return { unavailable: !refused };
    }
  }

  private async authorize(principal: Principal, room: string): Promise<'allowed' | 'denied' | 'failed'> {
    const { authorize, logger } = this.settings;
    try {
      const answer = authorize(principal, room);
      // Only `true` is a yes: a forgotten await or a truthy object is not.
      return (typeof answer === 'boolean' ? answer : await this.inTime(answer)) === true ? 'allowed' : 'denied';
    } catch (error) {
      logger.warn({ room: toLogText(room), error: toLogText(messageOf(error)) }, 'hub authorize failed');
      return 'failed';
    }
  }

  /** Rejects when there is no answer in time: someone whose access is asked again would go on hearing the room. */
  private async inTime<T>(answer: Promise<T>): Promise<T> {
    const { clock, authTimeoutMs } = this.settings;
    let giveUp = (): void => {};
    const late = new Promise<never>((_, reject) => {
      giveUp = () => reject(new Error('no answer in time'));
    });
    const timer = clock.setTimer(giveUp, authTimeoutMs);
    this.questions.add(giveUp);
    try {
      return await Promise.race([answer, late]);
    } finally {
      clock.clearTimer(timer);
      this.questions.delete(giveUp);
    }
  }

  private createHost(): ConnectionHost {
    const { settings, engine, feeds, counters, bootId } = this;
    const { logger, clock, random, maxFrameBytes, maxSubscriptions, maxFramesPerSecond } = settings;
    return {
      limits: settings,
      engine,
      feeds,
      counters,
      logger,
      clock,
      random,
      welcome: (connectionId, authTimeoutMs) => ({
        connectionId,
        bootId,
        heartbeatMs: settings.heartbeatMs,
        authTimeoutMs,
        limits: { maxFrameBytes, maxSubscriptions, maxFramesPerSecond },
        retry: {
          maxAttempts: settings.maxReconnectAttempts,
          baseMs: settings.reconnectBaseMs,
          capMs: settings.reconnectCapMs,
        },
      }),
      authorize: (principal, room) => this.authorize(principal, room),
      admit: (connection, userId) => {
        const mine = this.users.get(userId) ?? new Set();
        if (mine.size >= settings.maxConnectionsPerUser) return false;
        this.users.set(userId, mine.add(connection));
        return true;
      },
      admitted: (connection) => {
        if (this.degraded !== undefined) {
          connection.control('sys.degraded', { degraded: true, reason: this.degraded });
        }
        this.emitEvent('connected', { connectionId: connection.id, userId: connection.userId as string });
      },
      release: (connection) => this.release(connection),
      closed: (connection) => {
        this.connections.delete(connection);
        if (this.connections.size === 0) this.onEmpty?.();
      },
    };
  }

  private release(connection: Connection): void {
    const { userId, id: connectionId } = connection;
    const mine = userId === undefined ? undefined : this.users.get(userId);
    if (userId === undefined || !mine?.delete(connection)) return;
    if (mine.size === 0) this.users.delete(userId);
    this.emitEvent('disconnected', { connectionId, userId });
  }

  private createSink(): DiscordSink {
    const { logger } = this.settings;
    return new DiscordSink(this.engine, {
      published: ({ room, event }, { id, traceId }) => {
        this.counters.published += 1;
        logger.info({ room, event, id, traceId }, 'hub published a Discord event');
      },
      invalid: (problem) => {
        this.counters.error('ERR_HUB_EVENT_INVALID');
        logger.warn({ problem: toLogText(problem) }, 'hub refuses a Discord event');
        this.emitEvent('error', { error: new HubError('ERR_HUB_EVENT_INVALID', { detail: `Field: ${problem}.` }) });
      },
      failed: (cause, { event, id, traceId }) => {
        this.counters.error('ERR_HUB_PUBLISH_FAILED');
        logger.warn({ event, id, traceId, error: toLogText(messageOf(cause)) }, 'hub cannot publish a Discord event');
        this.emitEvent('error', { error: new HubError('ERR_HUB_PUBLISH_FAILED', { cause, retryable: true }) });
      },
    });
  }

  private checkEvent(event: string, payload: unknown, id: unknown, traceId: unknown): void {
    if (!isShortText(event) || event.startsWith('sys.')) {
      throw new HubError('ERR_HUB_EVENT_INVALID', { detail: toLogText(String(event)) });
    }
    if (!isShortText(id)) throw new HubError('ERR_HUB_EVENT_INVALID', { detail: 'Option: id.' });
    if (traceId !== undefined && !isShortText(traceId)) {
      throw new HubError('ERR_HUB_EVENT_INVALID', { detail: 'Option: traceId.' });
    }
    let json: string | undefined;
    try {
      json = JSON.stringify(payload);
    } catch (cause) {
      throw new HubError('ERR_HUB_EVENT_INVALID', { cause });
    }
    // A function, a symbol: JSON has no word for it, and the frame would be none.
    if (json === undefined && payload !== undefined)
      throw new HubError('ERR_HUB_EVENT_INVALID', { detail: 'Payload.' });
    if (Buffer.byteLength(json ?? '') > this.settings.maxEventBytes) throw new HubError('ERR_HUB_EVENT_TOO_LARGE');
  }
}

/** A name or an id: it stands in every frame beside the payload, whose size is bounded by itself. */
function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_LENGTH;
}

/** `authenticate` is the app's code: what it gives is looked at before it is trusted. */
function isPrincipal(value: unknown): value is Principal {
  const { userId, roles, expiresAt } = (value ?? {}) as Partial<Principal>;
  return (
    typeof userId === 'string' &&
    userId.length > 0 &&
    Array.isArray(roles) &&
    typeof expiresAt === 'number' &&
    !Number.isNaN(expiresAt)
  );
}
