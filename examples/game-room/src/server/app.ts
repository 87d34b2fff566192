/**
 * Owns the app's parts and how they are wired: sandbox (when it stands in for Discord), gateway, REST, login, rooms, chat,
 * commands, hub, metrics. One call makes one app; nothing lives in a module, so two apps in one process do not meet.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type Logger, messageOf } from '@guildkit/core';
import { parseRoom } from '@guildkit/core/wire';
import { DiscordRestClient } from '@guildkit/rest';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { RealtimeHub } from '@guildkit/server-kit/hub';
import { createInvites, type Invites } from '@guildkit/server-kit/invites';
import { createJwtIssuer, createJwtVerifier } from '@guildkit/server-kit/jwt';
import { createMetrics, type Metrics } from '@guildkit/server-kit/observability';
import { RoomService } from '@guildkit/server-kit/rooms';
import { type Chat, type ChatMessage, createChat } from './chat.js';
import { createCommands } from './commands.js';
import { createDiscordFeed, type DiscordFeed } from './discord-feed.js';
import { createEventSink } from './event-sink.js';
import { createLogin, type Login } from './login.js';
import { isAllowedOrigin, sameOrigin } from './origins.js';
import { createPeople, type People } from './people.js';
import { createRoomDirectory, type RoomDirectory } from './room-directory.js';
import { createSeats, type Seats } from './seats.js';
import type { Settings } from './settings.js';
import { createSimulation, type Simulation } from './simulation.js';

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
  readonly status: 'ok' | 'degraded';
  readonly discord: {
    readonly simulated: boolean;
    readonly topology: Settings['topology']['kind'];
    readonly state: string;
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

export async function createApp({ settings, logger, origin }: AppOptions): Promise<App> {
  const startedAt = performance.now();
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

  const rest = new DiscordRestClient({ ...connection, logger });
  const metrics = createMetrics();
  const directory = createRoomDirectory(guildId);
  const people = createPeople();
  const login = createLogin({ clientId, clientSecret, apiBase, secrets: settings.sessionSecrets, origin, logger });
  const chat = createChat(people, () => feed.botUserId() ?? botUserId);
  const invites = createInvites({ secrets: settings.inviteSecrets, logger });
  let { id: botUserId } = await rest.getCurrentUser().catch(() => ({ id: undefined }));
  const rooms = new RoomService({
    guildId,
    rest,
    invites,
    botUserId,
    maxUserLimit: SEATS,
    // The bots that speak for players: Move Members brings them in beside the people that a room takes.
    staffRoleIds: settings.seats.roleId === undefined ? [] : [settings.seats.roleId],
    viewersOf: async (channelId) => (await hub.viewers(`channel:${channelId}`)).length,
    publish: (room, event, payload) => hub.publish(room, event, payload),
    logger,
  });

  const isIn = async (userId: string, channelId: string): Promise<boolean> => {
    const room = await rooms.get(channelId);
    return room !== undefined && (room.creatorId === userId || room.holders.includes(userId));
  };
  const maySee = async (userId: string, channelId: string): Promise<boolean> =>
    (await rooms.get(channelId)) === undefined ? directory.knows(channelId) : isIn(userId, channelId);

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
      if (name?.kind === 'channel') return maySee(userId, name.id);
      if (name?.kind === 'guild') return name.id === guildId;
      return name?.id === userId;
    },
    onCommand: (command) => bus.handle(command),
    maxReconnectAttempts: settings.maxReconnectAttempts,
    // The page of all rooms listens to each of them. Discord allows 500 channels in a server.
    maxSubscriptions: 500,
    logger,
  });
  const seats = createSeats({
    guildId,
    apiBase,
    tokens: settings.seats.tokens.map((token) => token.reveal()),
    sandbox,
    people,
    origins: (from, request) => from !== undefined && allowsOrigin(from, request.headers),
    authenticate: ({ headers }) => login.sessions.read({ headers }),
    allows: maySee,
    onSeats: (channelId) =>
      void hub
        .publish(`channel:${channelId}`, 'table.seats', { channelId, seats: seats.presence.seatsIn(channelId) })
        .catch((error: unknown) => logger.warn({ channelId, reason: messageOf(error) }, 'seats were not told of')),
    logger,
  });
  /** Pages are told of players, not of their seats. */
  const pages: Pick<RealtimeHub, 'publishDiscordEvent'> = {
    async publishDiscordEvent(event) {
      const outcomes = seats.presence.shown(event).map((shown) => hub.publishDiscordEvent(shown));
      moderation.apply(event);
      const all = await Promise.all(outcomes);
      return all.find((outcome) => outcome === 'failed') ?? all.at(-1) ?? 'ignored';
    },
  };
  const isBack = (): void => hub.setDegraded(false, 'Discord is connected');
  const sink = createEventSink({ guildId, directory, people, rooms, metrics, chat, hub: pages, onWhole: isBack, logger });
  const feed: DiscordFeed = createDiscordFeed({
    topology: settings.topology,
    connection,
    sink,
    onAway: (reason) => hub.setDegraded(true, reason),
    onBack: isBack,
    logger,
  });
  const { bus, moderation } = createCommands({ rest, rooms, chat, isIn, maySee, seats, link: feed.link, logger });
  metrics.onCollect(() => {
    metrics.set('connections', { transport: 'ws' }, hub.stats().connections);
  });

  // A seat that is given or taken changes what somebody may see.
  rooms.on('joined', ({ userId }) => hub.revalidate(userId));
  rooms.on('left', ({ room, userId }) => seats.end(userId, room.channelId));
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
  const ready = feed.start().then(takeStock, (error: unknown) => {
    logger.error({ reason: messageOf(error) }, 'Discord cannot be reached');
    hub.setDegraded(true, 'Discord cannot be reached');
  });
  await withPatience(ready, CONNECT_PATIENCE_MS, () => hub.setDegraded(true, 'Discord has not answered yet'));

  let closing: Promise<void> | undefined;
  const close = async () => {
    await Promise.all([hub.close({ drainMs: DRAIN_MS }), seats.close()]);
    bus.close();
    await rooms.close();
    await feed.close();
    await rest.close();
    await sandbox?.close();
  };

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
    health() {
      const state = feed.state();
      return {
        status: state === 'ready' ? 'ok' : 'degraded',
        discord: { simulated: sandbox !== undefined, topology: settings.topology.kind, state },
        rooms: directory.list().length,
        connections: hub.stats().connections,
        uptimeSeconds: Math.round((performance.now() - startedAt) / 1000),
      };
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Where Discord is, and the application that people log in to. */
function discordOf({ discord }: Settings, sandbox: Sandbox | undefined) {
  if (discord === undefined) {
    const { connection, oauth } = sandbox as Sandbox;
    return { connection, clientId: oauth.clientId, clientSecret: oauth.clientSecret };
  }
  const { token, guildId, apiBase, clientId, clientSecret } = discord;
  return { connection: { token: token.reveal(), guildId, apiBase }, clientId, clientSecret };
}

/** A server with an open table, and people to log in as. */
async function createSandboxWithTables(): Promise<Sandbox> {
  // Ids that carry the time, as Discord's: pages read from them when something was said.
  const sandbox = await createSandbox({ ids: 'clock' });
  await sandbox.channels.create({ name: 'Lounge' });
  for (const name of ['Anna', 'Björn', 'Chloe', 'Dev']) await sandbox.people.create({ name });
  return sandbox;
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
