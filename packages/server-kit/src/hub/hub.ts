/** Owns the public class: who is connected, what is published, when it ends. */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { check, type DomainEvent, resolveOptions, TypedEmitter, toLogText, type Unsubscribe } from '@guildkit/core';
import { guildRoom, type RoomEvents, userRoom } from '@guildkit/core/wire';
import type { WebSocketServer } from 'ws';
import { HubError } from '../errors.js';
import { bearerOf, type OriginRequest } from '../shared/upgrade.js';
import { Access } from './access.js';
import { envelopeMessage } from './codec/message.js';
import { commandRunner } from './command-runner.js';
import type { HubEngine } from './engine.js';
import type { HubCloseOptions, HubPaths, RealtimeHubEvents, RoomEventName } from './hub-shapes.js';
import { type AttachmentHost, attachPaths } from './io/attachment.js';
import { CommandEndpoint } from './io/command-endpoint.js';
import { Connection } from './io/connection.js';
import type { AuthOutcome, Carriage, ConnectionHost } from './io/connection-host.js';
import { type CrosswsHooks, crosswsHooks } from './io/crossws.js';
import type { DiscordOutcome } from './io/discord-sink.js';
import { HttpGate } from './io/http-gate.js';
import { memoryEngine } from './io/memory-engine.js';
import { Batcher } from './io/outbox.js';
import { RoomFeeds } from './io/room-feeds.js';
import { type StreamHost, serveStream } from './io/stream-endpoint.js';
import type { Transport, TransportListener } from './io/transport.js';
import { webAnswer, webReply, webRequest } from './io/web-http.js';
import { createUpgrader } from './io/ws-transport.js';
import { type HubSettings, type RealtimeHubOptions, resolveHubOptions } from './options.js';
import type { Published } from './protocol/records.js';
import { Publisher, type PublishOptions } from './publisher.js';
import { Roster } from './roster.js';
import { HubCounters, type HubStats } from './stats.js';
import { Viewers } from './viewers.js';
import { connectionHost, discordSink, type HubParts } from './wiring.js';

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
    this.batcher = new Batcher(clock, (ms) => this.emitEvent('streamsFlushed', { ms }));
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
    const command = commandRunner(settings);
    const parts: HubParts = {
      settings,
      engine: this.engine,
      counters,
      access: this.access,
      feeds: this.feeds,
      viewing: this.viewing,
      roster: this.roster,
      bootId: this.bootId,
      command,
      emit: (event, payload) => this.emitEvent(event, payload),
    };
    this.host = connectionHost(parts);
    const gate = new HttpGate(settings, counters, this.access, () => this.closing !== undefined);
    this.streamHost = {
      settings,
      batcher: this.batcher,
      gate,
      isFull: () => this.roster.size >= settings.maxConnections,
      open: (request, bind, carriage) => this.open(bind, request, carriage),
    };
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
      command,
      find: (connectionId) => this.roster.get(connectionId),
    });
    const sink = discordSink(parts);
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
    const undo = attachPaths(this.attachmentHost(), server, paths ?? {});
    const detach = (): void => {
      undo();
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

  private attachmentHost(): AttachmentHost {
    const { upgrader, access, counters, streamHost, commandEndpoint } = this;
    return {
      upgrader,
      access,
      counters,
      streamHost,
      commandEndpoint,
      isClosing: () => this.closing !== undefined,
      open: (bind, request) => this.open(bind, request),
    };
  }

  private open(bind: (listener: TransportListener) => Transport, request: OriginRequest, carriage?: Carriage): void {
    this.counters.opened += 1;
    const authenticate = (token: string | undefined): Promise<AuthOutcome> => {
      const { headers, url } = request;
      return this.access.authenticate({ token: token ?? bearerOf(headers), headers, url });
    };
    this.roster.add(new Connection(randomUUID(), this.host, bind, authenticate, carriage));
  }
}
