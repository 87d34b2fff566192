/** Owns the public class: who is connected, what is published, when it ends. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  check,
  type DomainEvent,
  messageOf,
  resolveOptions,
  TypedEmitter,
  toLogText,
  type Unsubscribe,
} from '@guildkit/core';
import { guildRoom, type RoomEvents, userRoom } from '@guildkit/core/wire';
import type { WebSocketServer } from 'ws';
import { HUB_ERRORS, HubError, type HubErrorCode } from '../errors.js';
import type { CommandAnswer } from '../shared/command.js';
import { bearerOf, claimUpgrade, pathOf, refuseUpgrade, requestFacts } from '../shared/upgrade.js';
import { Access } from './access.js';
import { envelopeMessage } from './codec/message.js';
import type { HubEngine } from './engine.js';
import { CommandEndpoint } from './io/command-endpoint.js';
import { type AuthOutcome, type CommandRequest, Connection, type ConnectionHost } from './io/connection.js';
import { type CrosswsHooks, crosswsHooks } from './io/crossws.js';
import { type DiscordOutcome, DiscordSink } from './io/discord-sink.js';
import { HttpGate } from './io/http-gate.js';
import { memoryEngine } from './io/memory-engine.js';
import { nodeReply, nodeRequest, routeRequests, sendAnswer } from './io/node-http.js';
import { Batcher } from './io/outbox.js';
import { RoomFeeds } from './io/room-feeds.js';
import { type StreamHost, serveStream } from './io/stream-endpoint.js';
import { webAnswer, webReply, webRequest } from './io/web-http.js';
import { acceptUpgrade, createUpgrader } from './io/ws-transport.js';
import { type HubSettings, type RealtimeHubOptions, resolveHubOptions } from './options.js';
import type { Published } from './protocol/records.js';
import { createSessionReducer } from './protocol/session.js';
import { Publisher, type PublishOptions } from './publisher.js';
import { Roster } from './roster.js';
import { HubCounters, type HubStats } from './stats.js';
import { Viewers } from './viewers.js';

/** What the hub tells of. */
export interface RealtimeHubEvents {
  /** A connection has become someone's. */
  connected: { readonly connectionId: string; readonly userId: string };
  /** Such a connection is gone. */
  disconnected: { readonly connectionId: string; readonly userId: string };
  /** A Discord event could not be published. */
  error: { readonly error: HubError };
}

/** Where {@link RealtimeHub.attach} serves what. Each path begins with `/`. */
export interface HubPaths {
  /** WebSocket. */
  readonly ws?: string | undefined;
  /** Server-sent events. */
  readonly sse?: string | undefined;
  /**
   * What is posted: commands, and the positions of streams. `false`: nothing.
   * @defaultValue `/api/commands` when `sse` is served
   */
  readonly commands?: string | false | undefined;
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
 * hub.attach(server, { ws: '/api/ws', sse: '/api/stream' });
 * server.listen(3000);
 * ```
 */
export class RealtimeHub extends TypedEmitter<RealtimeHubEvents> {
  /**
   * Takes a Discord event: the sink for gateway, webhook receiver and link client. Bound, so that it can be handed
   * over bare. Never rejects; the outcome tells a webhook receiver what to answer.
   */
  readonly publishDiscordEvent: (event: DomainEvent) => Promise<DiscordOutcome>;
  /**
   * Answers `GET /api/stream?rooms=…` with server-sent events, for frameworks with Web-standard handlers. Bound. Never
   * rejects. {@link attach} serves node:http with less work for each event.
   */
  readonly streamHandler: (request: Request) => Promise<Response>;
  /** Answers `POST /api/commands`, for frameworks with Web-standard handlers. Bound. Never rejects. */
  readonly commandHandler: (request: Request) => Promise<Response>;
  /** For `crossws({ hooks: hub.crosswsHooks })`: WebSocket where there is no node:http server to attach to. */
  readonly crosswsHooks: CrosswsHooks;

  private readonly settings: HubSettings;
  private readonly engine: HubEngine;
  private readonly counters = new HubCounters();
  private readonly access: Access;
  private readonly publisher: Publisher;
  private readonly viewing: Viewers;
  private readonly batcher: Batcher;
  private readonly feeds: RoomFeeds;
  private readonly host: ConnectionHost;
  private readonly streamHost: StreamHost;
  private readonly commandEndpoint: CommandEndpoint;
  private readonly upgrader: WebSocketServer;
  private readonly roster: Roster;
  private readonly detachers = new Set<Unsubscribe>();
  private readonly bootId = randomUUID();
  private closing: Promise<void> | undefined;

  /** @throws TypeError on options that are unknown, missing or out of range. */
  constructor(options: RealtimeHubOptions) {
    super();
    this.settings = resolveHubOptions(options);
    const { settings, counters } = this;
    const { clock, logger, engine, maxFrameBytes, announceViewers } = settings;
    this.engine = engine ?? memoryEngine({ clock });
    this.access = new Access(settings);
    this.roster = new Roster(settings.maxConnectionsPerUser);
    this.publisher = new Publisher(settings, this.engine, counters);
    this.batcher = new Batcher(clock);
    this.viewing = new Viewers({
      engine: this.engine,
      clock,
      logger,
      node: this.bootId,
      announce: announceViewers,
      onChange: (payload) => {
        const message = envelopeMessage({ type: 'event', event: 'sys.viewers', payload, ts: clock.wallTime() });
        this.roster.tell(payload.room, message);
      },
    });
    this.upgrader = createUpgrader(maxFrameBytes);
    this.feeds = new RoomFeeds(
      this.engine,
      ({ event, room }) => {
        // A room that has ended may be open to others than before.
        if (event === 'room.deleted') this.roster.revalidate(room);
      },
      (spread) => this.batcher.gather(spread),
    );
    this.host = this.createHost();
    const gate = new HttpGate(settings, counters, this.access, () => this.closing !== undefined);
    this.streamHost = this.createStreamHost(gate);
    this.crosswsHooks = crosswsHooks({
      gate,
      maxFrameBytes,
      batcher: this.batcher,
      isFull: this.streamHost.isFull,
      open: (request, bind) => this.open(bind, request),
    });
    this.commandEndpoint = new CommandEndpoint({
      settings,
      counters,
      access: this.access,
      gate,
      command: (request) => this.command(request),
      find: (connectionId) => this.roster.get(connectionId),
    });
    const sink = this.createSink();
    this.publishDiscordEvent = (event) => (this.closing === undefined ? sink.accept(event) : Promise.resolve('failed'));
    this.streamHandler = (request) =>
      webReply(request, (reply) => serveStream(this.streamHost, webRequest(request), reply));
    this.commandHandler = async (request) => webAnswer(await this.commandEndpoint.serve(webRequest(request)));
  }

  /**
   * Serves paths of a server. Requests and upgrades to other paths are left alone: they belong to other listeners. When
   * a path is attached twice, by one hub or by two, the first serves it until it is detached.
   *
   * @returns Stops serving; open connections stay.
   * @throws `HubError` with `ERR_HUB_CLOSED`; TypeError on a path that is none.
   */
  attach(server: Server, paths: HubPaths): Unsubscribe {
    if (this.closing !== undefined) throw new HubError('ERR_HUB_CLOSED');
    const { ws, sse, commands = sse === undefined ? false : '/api/commands' } = paths ?? {};
    for (const [name, path] of Object.entries({ ws, sse, commands })) {
      if (path === undefined || path === false || (typeof path === 'string' && path.startsWith('/'))) continue;
      throw new TypeError(`RealtimeHub.attach: "${name}" must be a path that starts with "/"`);
    }
    if (ws === undefined && sse === undefined && commands === false) {
      throw new TypeError('RealtimeHub.attach: "ws", "sse" or "commands" must be given');
    }
    const undo: Unsubscribe[] = [];
    if (ws !== undefined) undo.push(this.attachSocket(server, ws));
    if (sse !== undefined) {
      const { streamHost } = this;
      undo.push(
        routeRequests(server, sse, (request, response) => {
          serveStream(streamHost, nodeRequest(request), nodeReply(request, response));
        }),
      );
    }
    if (commands !== false) {
      const { commandEndpoint } = this;
      undo.push(
        routeRequests(server, commands, (request, response) => {
          void commandEndpoint.serve(nodeRequest(request)).then((answer) => sendAnswer(request, response, answer));
        }),
      );
    }
    const detach = (): void => {
      for (const each of undo) each();
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
    return this.publisher.publish(room, event, payload, options);
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

  /**
   * Asks `authorize` again: call it when permissions have changed.
   *
   * @param target A user's id, or a room such as `channel:1` for everyone in it; without one, all subscriptions.
   */
  revalidate(target?: string): void {
    // What was published before was for those who were allowed then.
    this.batcher.flush();
    this.roster.revalidate(target);
  }

  /**
   * The ids of the users who have a room open now, each once: in this process, and in those that share the engine.
   * A process that died is counted for up to 45 s.
   */
  viewers(room: string): Promise<readonly string[]> {
    return this.viewing.list(room);
  }

  /** Tells every client that what it is shown may be old, or is current again. New clients are told too. */
  setDegraded(degraded: boolean, reason = ''): void {
    if (!this.roster.setDegraded(degraded ? reason : undefined)) return;
    this.settings.logger.warn({ degraded, reason: toLogText(reason) }, 'hub view of Discord changed');
  }

  /** The hub in numbers. */
  stats(): HubStats {
    const { size: connections, users, subscriptions } = this.roster;
    return this.counters.stats({ connections, users, rooms: this.feeds.size, subscriptions });
  }

  /**
   * Refuses new connections, tells the clients to reconnect at times spread over `drainSpreadMs`, closes every one
   * with 4503 after `drainMs`. Idempotent; resolves when no connection and no timer is left.
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
    const { logger } = this.settings;
    logger.info({ connections: this.roster.size, drainMs }, 'hub drains');
    // What was published before is told before.
    this.batcher.flush();
    // The listeners stay until the end: a request that nobody answers would hang.
    await this.roster.drain({ ...this.settings, drainMs });
    for (const detach of [...this.detachers]) detach();
    this.access.close();
    this.batcher.flush();
    await this.viewing.close();
    this.upgrader.close();
    if (this.settings.engine === undefined) await this.engine.close();
    logger.info({}, 'hub closed');
  }

  private attachSocket(server: Server, path: string): Unsubscribe {
    const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      if (pathOf(request) === path && claimUpgrade(socket)) this.onUpgrade(request, socket, head);
    };
    server.on('upgrade', onUpgrade);
    return () => {
      server.off('upgrade', onUpgrade);
    };
  }

  private onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { logger, maxConnections } = this.settings;
    const requestId = randomUUID();
    const { origin } = request.headers;
    const facts = requestFacts(request);
    if (!this.access.allowsOrigin(origin, facts)) {
      this.counters.error('ERR_HUB_ORIGIN_FORBIDDEN');
      logger.warn({ requestId, origin: toLogText(origin ?? '') }, 'hub refuses an origin');
      refuseUpgrade(socket, 403, refusal('ERR_HUB_ORIGIN_FORBIDDEN'), requestId);
      return;
    }
    if (this.closing !== undefined) {
      this.counters.error('ERR_HUB_DRAINING');
      refuseUpgrade(socket, 503, refusal('ERR_HUB_DRAINING'), requestId, 1);
      return;
    }
    if (this.roster.size >= maxConnections) {
      this.counters.error('ERR_HUB_CONNECTION_LIMIT');
      logger.warn({ requestId, maxConnections }, 'hub is full');
      refuseUpgrade(socket, 503, refusal('ERR_HUB_CONNECTION_LIMIT'), requestId, 5);
      return;
    }
    acceptUpgrade(this.upgrader, request, socket, head, this.batcher, (bind) => this.open(bind, facts));
  }

  private open(
    bind: ConstructorParameters<typeof Connection>[2],
    request: { readonly headers: Headers; readonly url: string },
    carriage?: ConstructorParameters<typeof Connection>[4],
  ): void {
    this.counters.opened += 1;
    const authenticate = (token: string | undefined): Promise<AuthOutcome> => {
      const { headers, url } = request;
      return this.access.authenticate({ token: token ?? bearerOf(headers), headers, url });
    };
    this.roster.add(new Connection(randomUUID(), this.host, bind, authenticate, carriage));
  }

  private async command({ principal, id, name, input, connectionId }: CommandRequest): Promise<CommandAnswer> {
    const { onCommand, clock, logger } = this.settings;
    const unable = (code: 'ERR_HUB_COMMAND_UNKNOWN' | 'ERR_HUB_COMMAND_FAILED', status: number): CommandAnswer => ({
      ok: false,
      error: { status, code, message: HUB_ERRORS[code].message },
    });
    if (onCommand === undefined) return unable('ERR_HUB_COMMAND_UNKNOWN', 404);
    const traceId = randomUUID();
    try {
      const sentAt = clock.wallTime();
      const answer = await onCommand({ principal, name, input, requestId: id, sentAt, traceId, connectionId });
      // What JSON cannot hold would break the connection, not only the command.
      JSON.stringify(answer);
      return answer;
    } catch (error) {
      logger.error({ name: toLogText(name), traceId, error: toLogText(messageOf(error)) }, 'hub onCommand failed');
      return unable('ERR_HUB_COMMAND_FAILED', 502);
    }
  }

  private createStreamHost(gate: HttpGate): StreamHost {
    return {
      settings: this.settings,
      batcher: this.batcher,
      gate,
      isFull: () => this.roster.size >= this.settings.maxConnections,
      open: (request, bind, carriage) => this.open(bind, request, carriage),
    };
  }

  private createHost(): ConnectionHost {
    const { settings, engine, feeds, counters, bootId } = this;
    const { logger, clock, random, maxFrameBytes, maxSubscriptions, maxFramesPerSecond } = settings;
    return {
      limits: settings,
      reducers: { socket: createSessionReducer(settings), stream: createSessionReducer(settings, 'stream') },
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
      authorize: (principal, room) => this.access.authorize(principal, room),
      command: (request) => this.command(request),
      enter: (room, userId) => this.viewing.enter(room, userId),
      exit: (room, userId) => this.viewing.exit(room, userId),
      admit: (connection, userId) => this.roster.admit(connection, userId),
      admitted: (connection) => {
        this.roster.greet(connection);
        this.emitEvent('connected', { connectionId: connection.id, userId: connection.userId as string });
      },
      release: (connection) => {
        const userId = this.roster.release(connection);
        if (userId !== undefined) this.emitEvent('disconnected', { connectionId: connection.id, userId });
      },
      closed: (connection) => this.roster.remove(connection),
    };
  }

  private createSink(): DiscordSink {
    const { logger } = this.settings;
    return new DiscordSink(this.engine, {
      published: ({ room, event }, { id, traceId }) => {
        this.counters.published += 1;
        // Chat and typing are noise beside who comes and goes.
        const level = /^(?:message|reaction|typing)\./.test(event) ? 'debug' : 'info';
        logger[level]({ room, event, id, traceId }, 'hub published a Discord event');
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
}

function refusal(code: HubErrorCode): { readonly code: string; readonly message: string } {
  return { code, message: HUB_ERRORS[code].message };
}
