/**
 * Owns the app's parts and how they are wired: stores, gateway, REST, login, rooms, chat, commands, hub, metrics. One call
 * makes one app; nothing lives in a module, so two apps in one process do not meet.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type DomainEvent, type Logger, messageOf } from '@guildkit/core';
import { parseRoom } from '@guildkit/core/wire';
import { DiscordRestClient } from '@guildkit/rest';
import type { Sandbox } from '@guildkit/sandbox';
import { RealtimeHub } from '@guildkit/server-kit/hub';
import { createInvites, type Invites } from '@guildkit/server-kit/invites';
import { createJwtIssuer, createJwtVerifier } from '@guildkit/server-kit/jwt';
import { createMetrics, type Metrics } from '@guildkit/server-kit/observability';
import { RoomService } from '@guildkit/server-kit/rooms';
import { createAccess } from './access.js';
import { measureApp, timeCommands } from './app-metrics.js';
import { type ApiMessage, type Chat, type ChatMessage, createChat } from './chat.js';
import { createCommands } from './commands.js';
import { createSandboxWithTables, discordOf } from './discord.js';
import { createDiscordFeed } from './discord-feed.js';
import { createEventSink } from './event-sink.js';
import type { DiscordFeed } from './feed.js';
import { createLogin, type Login } from './login.js';
import { createOps, type Ops } from './ops.js';
import { createOpsLog } from './ops-log.js';
import { isAllowedOrigin, sameOrigin } from './origins.js';
import { createPeople, type People } from './people.js';
import { aloneInTheWorld, createProcesses, type Deed, type Processes } from './processes.js';
import { createRoomDirectory, type RoomDirectory } from './room-directory.js';
import { createSeatLeases, type SeatedBot } from './seat-leases.js';
import { createSeats, type Seats } from './seats.js';
import type { Settings } from './settings.js';
import { createSimulation, type Simulation } from './simulation.js';
import { openStores } from './stores.js';
import { createTroubles } from './troubles.js';

/** How long a browser's token is good for. The hub asks for a new one before. */
const TOKEN_SECONDS = 10 * 60;
/** How many people a room takes. */
const SEATS = 4;
/** How long the start waits for Discord before it goes on without. */
const CONNECT_PATIENCE_MS = 3_000;
/** How long open sockets have to go when the app stops. */
const DRAIN_MS = 2000;
/** Messages of a room that a page begins with. */
const HISTORY = 50;

/** What `/health` says. */
interface AppHealth {
  /** `stopping`: a load balancer sends nobody here any more. */
  readonly status: 'ok' | 'degraded' | 'stopping';
  readonly discord: {
    readonly simulated: boolean;
    readonly topology: Settings['topology']['kind'];
    readonly state: string;
    /** Of several processes: whether this one is connected to Discord, or ready to be. */
    readonly role: 'owner' | 'standby' | undefined;
  };
  readonly rooms: number;
  readonly connections: number;
  readonly uptimeSeconds: number;
}

/** Everything that routes and server functions may use. They get it as `context.app`. */
export interface App {
  readonly guildId: string;
  readonly login: Login;
  /** The guild's voice channels, rooms of this app and others. */
  readonly directory: RoomDirectory;
  readonly rooms: RoomService;
  readonly invites: Invites;
  readonly people: People;
  readonly chat: Chat;
  readonly hub: RealtimeHub;
  /** Voice and video of pages. */
  readonly seats: Seats;
  readonly metrics: Metrics;
  /** How this process is, for operators. */
  readonly ops: Ops;
  readonly logger: Logger;
  /** Present only when the sandbox stands in for Discord. */
  readonly simulation: Simulation | undefined;
  /** For tests and tools; the same as `simulation`, unwrapped. */
  readonly sandbox: Sandbox | undefined;
  /** A short-lived token with which a player's browser opens the hub. */
  issueToken(userId: string, roles: readonly string[]): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** Answers `/.well-known/jwks.json`. */
  jwks(request: Request): Promise<Response>;
  /** Whether somebody may see a channel: an open one, or a room in which they have a seat. */
  maySee(userId: string, channelId: string): Promise<boolean>;
  /** The last messages of a channel, oldest first. */
  messages(channelId: string): Promise<readonly ChatMessage[]>;
  deleteChannel(channelId: string): Promise<void>;
  /** Answers `/api/internal/events`; `undefined` unless a worker sends webhooks. */
  readonly receiveEvent: ((request: Request) => Promise<Response>) | undefined;
  allowsOrigin(origin: string, headers: IncomingHttpHeaders | Headers): boolean;
  health(): AppHealth;
  /** Drains the hub, ends the gateway connection and the sandbox. Safe to call twice. */
  close(): Promise<void>;
}

export interface AppOptions {
  readonly settings: Settings;
  readonly logger: Logger;
  /** Where people reach the app. Asked when somebody logs in, not before. */
  readonly origin: () => string;
}

export async function createApp({ settings, logger: written, origin }: AppOptions): Promise<App> {
  const startedAt = performance.now();
  const opsLog = createOpsLog(settings);
  const logger = opsLog.follow(written);
  // First, because a key that cannot be used ends the start: nothing is open yet that would keep the process alive.
  const { issuer: issuerName, audience, privateJwk } = settings.jwt;
  const issuer = await createJwtIssuer({
    issuer: issuerName,
    audience,
    privateJwk: privateJwk?.reveal(),
    expiresInSeconds: TOKEN_SECONDS,
  });
  const verifier = createJwtVerifier({ issuer: issuerName, audience, jwks: issuer.jwks() });

  const sandbox = settings.discord === undefined ? await createSandboxWithTables() : undefined;
  const { connection, clientId, clientSecret } = discordOf(settings, sandbox);
  const { guildId, apiBase } = connection;
  const stores = await openStores(settings.redisUrl, guildId, logger);
  const { shared } = stores;

  const rest = new DiscordRestClient({ ...connection, rateLimitStore: stores.rateLimitStore, logger });
  const metrics = createMetrics();
  const directory = createRoomDirectory(guildId);
  const people = createPeople(stores.notes);
  const login = createLogin({
    clientId,
    clientSecret,
    apiBase,
    secrets: settings.sessionSecrets,
    origin,
    store: stores.successors,
    logger,
  });
  const chat = createChat(people, () => feed.botUserId() ?? botUserId, stores.notes);
  const invites = createInvites({ secrets: settings.inviteSecrets, store: stores.invites, logger });
  let { id: botUserId } = await rest.getCurrentUser().catch(() => ({ id: undefined }));
  const rooms = new RoomService({
    guildId,
    rest,
    invites,
    store: stores.rooms,
    botUserId,
    maxUserLimit: SEATS,
    // The bots that speak for players: Move Members brings them in beside the people that a room takes.
    staffRoleIds: settings.seats.roleId === undefined ? [] : [settings.seats.roleId],
    viewersOf: async (channelId) => (await hub.viewers(`channel:${channelId}`)).length,
    publish: (room, event, payload) => hub.publish(room, event, payload),
    logger,
  });
  const { isIn, maySee, mayListen } = createAccess(rooms, directory);

  const allowsOrigin: App['allowsOrigin'] = (from, headers) =>
    isAllowedOrigin(
      settings.baseUrl,
      from,
      headers instanceof Headers ? (headers.get('host') ?? undefined) : headers.host,
    );
  const hub: RealtimeHub = new RealtimeHub({
    // Pages alone connect here, and a page always says where it is from.
    origins: (origin, { headers }) => {
      const from = origin ?? sameOrigin(settings.baseUrl, headers);
      return from !== undefined && allowsOrigin(from, headers);
    },
    authenticate: ({ token, headers }) =>
      token === undefined ? login.sessions.read({ headers }) : verifier.verify(token),
    authorize: ({ userId }, room) => {
      const name = parseRoom(room);
      if (name?.kind === 'channel') return mayListen(userId, name.id);
      if (name?.kind === 'guild') return name.id === guildId;
      return name?.id === userId;
    },
    onCommand: timeCommands(metrics, (command) => bus.handle(command)),
    engine: shared?.engine,
    maxReconnectAttempts: settings.maxReconnectAttempts,
    // The page of all rooms listens to each of them. Discord allows 500 channels in a server.
    maxSubscriptions: 500,
    logger,
  });
  const seatTokens = settings.seats.tokens.map((token) => token.reveal());
  const leases = shared && createSeatLeases({ ...shared, size: seatTokens.length, logger });
  const seats = createSeats({
    guildId,
    apiBase,
    tokens: seatTokens,
    leases,
    sandbox,
    people,
    origins: (from, request) => from !== undefined && allowsOrigin(from, request.headers),
    authenticate: ({ headers }) => login.sessions.read({ headers }),
    allows: maySee,
    onSeats(channelId) {
      // Every process knows; the one that has heard the event itself tells.
      if (isFollowing) return;
      hub
        .publish(`channel:${channelId}`, 'table.seats', { channelId, seats: seats.presence.seatsIn(channelId) })
        .catch((error: unknown) => logger.warn({ channelId, reason: messageOf(error) }, 'seats were not told of'));
    },
    onTaken: (userId, channelId) => processes.tell({ kind: 'speaks', userId, channelId }),
    logger,
  });

  const troubles = createTroubles((reason) => hub.setDegraded(reason !== undefined, reason));
  const setAway = (reason: string | undefined): void => {
    if (feed.role() === 'owner') processes.tellAway(reason);
    else troubles.set('discord', reason);
  };
  const isBack = (): void => setAway(undefined);
  let isFollowing = false;
  /** What another process has heard of Discord. */
  const follow = (event: DomainEvent, seated: readonly SeatedBot[]): void => {
    isFollowing = true;
    leases?.learn(seated);
    directory.apply(event);
    people.apply(event);
    rooms.applyEvent(event);
    seats.presence.shown(event);
    moderation.apply(event);
    isFollowing = false;
  };
  /** What another process has done. */
  const onDeed = (deed: Deed): void => {
    if (deed.kind === 'kept') {
      void rooms.keepOpen(deed.channelId).catch(() => {});
      return;
    }
    if (deed.kind !== 'seated') seats.end(deed.userId, deed.channelId);
    if (deed.kind !== 'speaks') hub.revalidate(deed.userId);
  };
  const processes: Processes =
    shared === undefined
      ? aloneInTheWorld
      : createProcesses({
          shared,
          guildId,
          follow,
          seatedIn: seats.seatedIn,
          onDeed,
          hears: () => feed.role() !== 'standby',
          troubles,
          logger,
        });
  /** The other processes first: whoever hears of a room from the hub may ask any of them for it. */
  const before = async (event: DomainEvent): Promise<void> => {
    await Promise.all([chat.prepare(event), event.event.startsWith('voice.') ? leases?.refresh() : undefined]);
    await processes.tellEvent(event);
  };
  /** Pages are told of players, not of their seats. */
  const publishDiscordEvent: RealtimeHub['publishDiscordEvent'] = async (event) => {
    const outcomes = seats.presence.shown(event).map((shown) => hub.publishDiscordEvent(shown));
    moderation.apply(event);
    const all = await Promise.all(outcomes);
    return all.find((outcome) => outcome === 'failed') ?? all.at(-1) ?? 'ignored';
  };
  const sink = createEventSink({
    guildId,
    directory,
    people,
    rooms,
    metrics,
    chat,
    before: shared && before,
    hub: { publishDiscordEvent },
    onWhole: isBack,
    logger,
  });
  const feed: DiscordFeed = createDiscordFeed({
    topology: settings.topology,
    connection,
    sink,
    onAway: setAway,
    onBack: isBack,
    stores,
    // A sandbox of one's own ends with the app: there is no session to come back to.
    stateDirectory: sandbox === undefined ? settings.stateDirectory : undefined,
    isHeard: processes.isHeard,
    logger,
  });

  const endSeat = (userId: string, channelId: string): void => {
    seats.end(userId, channelId);
    processes.tell({ kind: 'unseated', userId, channelId });
  };
  /** What this process does not know of a message, Discord does. */
  const isBy = async (userId: string, { channelId, messageId }: { channelId: string; messageId: string }) => {
    const known = chat.isBy(userId, messageId);
    if (known !== undefined) return known;
    chat.fromApi(await rest.request<ApiMessage>('GET', `/channels/${channelId}/messages/${messageId}`));
    return chat.isBy(userId, messageId) === true;
  };
  const { bus, moderation } = createCommands({
    rest,
    rooms,
    chat,
    isIn,
    isBy,
    maySee,
    seats,
    endSeat,
    onKept: (channelId) => processes.tell({ kind: 'kept', channelId }),
    stores,
    link: feed.link,
    logger,
  });
  measureApp({
    metrics,
    hub,
    rooms,
    rest,
    queued: () => bus.stats().queued,
    isConnected: () => feed.state() === 'ready',
  });

  // A seat that is given or taken changes what somebody may see.
  rooms.on('joined', ({ room, userId }) => {
    hub.revalidate(userId);
    processes.tell({ kind: 'seated', userId, channelId: room.channelId });
  });
  rooms.on('left', ({ room, userId }) => {
    endSeat(userId, room.channelId);
    hub.revalidate(userId);
  });
  rooms.on('ended', ({ room }) => hub.revalidate(`channel:${room.channelId}`));

  /** Rooms of before a restart are found in Discord itself; while it is away, later. */
  const takeStock = async (): Promise<void> => {
    try {
      botUserId ??= (await rest.getCurrentUser()).id;
      const { adopted, removed } = await rooms.start();
      logger.info({ adopted, removed }, 'rooms compared with Discord');
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, 'rooms not compared with Discord yet');
    }
  };
  let closing: Promise<void> | undefined;
  const health = (): AppHealth => {
    const state = feed.state();
    return {
      status: closing !== undefined ? 'stopping' : state === 'ready' ? 'ok' : 'degraded',
      discord: { simulated: sandbox !== undefined, topology: settings.topology.kind, state, role: feed.role() },
      rooms: directory.list().length,
      connections: hub.stats().connections,
      uptimeSeconds: Math.round((performance.now() - startedAt) / 1000),
    };
  };
  const { operators } = settings;
  const ops = createOps({ log: opsLog, metrics, hub, directory, seats, health, operators });
  const close = async () => {
    ops.close();
    // First: what happens from here on is for the next process, or for another one at once.
    await feed.close();
    await Promise.all([hub.close({ drainMs: DRAIN_MS }), seats.close()]);
    bus.close();
    await rooms.close();
    await rest.close();
    processes.close();
    await shared?.close();
    await sandbox?.close();
  };

  try {
    await processes.start();
  } catch (error) {
    await close();
    throw error;
  }
  const ready = Promise.all([feed.start(), processes.known]).then(takeStock, (error: unknown) => {
    logger.error({ reason: messageOf(error) }, 'Discord cannot be reached');
    setAway('Discord cannot be reached');
  });
  await withPatience(ready, CONNECT_PATIENCE_MS, () => setAway('Discord has not answered yet'));

  return {
    guildId,
    login,
    directory,
    rooms,
    invites,
    people,
    chat,
    hub,
    seats,
    metrics,
    logger,
    sandbox,
    simulation: sandbox === undefined ? undefined : createSimulation(sandbox),
    issueToken: (userId, roles) => issuer.sign({ userId, roles }),
    jwks: (request) => issuer.handler(request),
    maySee,
    async messages(channelId) {
      const found = await rest.getChannelMessages(channelId, { limit: HISTORY });
      return found.map((message) => chat.fromApi(message)).reverse();
    },
    async deleteChannel(channelId) {
      await rest.deleteChannel(channelId);
      logger.info({ channelId }, 'channel deleted');
    },
    receiveEvent: feed.receive,
    allowsOrigin,
    health,
    ops,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Waits for a promise, but not longer than so; then says so and lets it run on. */
async function withPatience(work: Promise<void>, ms: number, onLate: () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      onLate();
      resolve();
    }, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
