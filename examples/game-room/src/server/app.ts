/**
 * Owns the app's parts and how they are wired: stores, gateway, REST, login, rooms, chat, commands, hub, metrics. One call
 * makes one app; nothing lives in a module, so two apps in one process do not meet.
 */
import { messageOf } from '@guildkit/core';
import { DiscordRestClient } from '@guildkit/rest';
import type { RealtimeHub } from '@guildkit/server-kit/hub';
import { createInvites } from '@guildkit/server-kit/invites';
import { createJwtIssuer, createJwtVerifier } from '@guildkit/server-kit/jwt';
import { createMetrics } from '@guildkit/server-kit/observability';
import { RoomService } from '@guildkit/server-kit/rooms';
import { createAccess } from './access.js';
import { createAppHub } from './app-hub.js';
import { measureApp, timeCommands } from './app-metrics.js';
import type { App, AppHealth, AppOptions } from './app-shape.js';
import { type ApiMessage, createChat } from './chat.js';
import { createCommands } from './commands.js';
import { createSandboxWithTables, discordOf } from './discord.js';
import { createDiscordEvents } from './discord-events.js';
import { createLogin } from './login.js';
import { createOps } from './ops.js';
import { createOpsLog } from './ops-log.js';
import { isAllowedOrigin } from './origins.js';
import { createPeople } from './people.js';
import { createRoomDirectory } from './room-directory.js';
import { createSeatLeases } from './seat-leases.js';
import { sweepSeats } from './seat-sweeper.js';
import { createSeats } from './seats.js';
import { createSimulation } from './simulation.js';
import { openStores } from './stores.js';

export type { App } from './app-shape.js';

/** How long a browser's token is good for. The hub asks for a new one before. */
const TOKEN_SECONDS = 10 * 60;
/** How many people a room takes. */
const SEATS = 4;
/** How long the start waits for Discord before it goes on without. */
const CONNECT_PATIENCE_MS = 3_000;
/** From one look at Discord's rooms that failed to the next. */
const STOCK_RETRY_MS = 5_000;
/** How long open sockets have to go when the app stops. */
const DRAIN_MS = 2000;
/** Messages of a room that a page begins with. */
const HISTORY = 50;

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
  const chat = createChat(people, () => events.feed.botUserId() ?? botUserId, stores.notes);
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
  /** Discord has been asked which of its channels are rooms. */
  let knowsRooms = false;
  const access = createAccess(rooms, directory, () => knowsRooms);
  const { isIn, maySee } = access;

  const allowsOrigin: App['allowsOrigin'] = (from, headers) =>
    isAllowedOrigin(
      settings.baseUrl,
      from,
      headers instanceof Headers ? (headers.get('host') ?? undefined) : headers.host,
    );
  const hub: RealtimeHub = createAppHub({
    settings,
    guildId,
    login,
    verifier,
    access,
    allowsOrigin,
    onCommand: timeCommands(metrics, (command) => bus.handle(command)),
    engine: shared?.engine,
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
      if (events.isFollowing) return;
      hub
        .publish(`channel:${channelId}`, 'table.seats', { channelId, seats: seats.presence.seatsIn(channelId) })
        .catch((error: unknown) => logger.warn({ channelId, reason: messageOf(error) }, 'seats were not told of'));
    },
    onTaken: (userId, channelId) => events.processes.tell({ kind: 'speaks', userId, channelId }),
    logger,
  });

  const events = createDiscordEvents({
    topology: settings.topology,
    connection,
    // A sandbox of one's own ends with the app: there is no session to come back to.
    stateDirectory: sandbox === undefined ? settings.stateDirectory : undefined,
    stores,
    directory,
    people,
    rooms,
    metrics,
    chat,
    hub,
    seats,
    leases,
    moderation: () => moderation,
    logger,
  });
  const { feed, processes, setAway } = events;

  const stopSweeping = leases
    ? sweepSeats({
        leases,
        isOwner: () => feed.role() === 'owner',
        isInVoice: (seatUserId) => seats.presence.waysOf(seatUserId).length > 0,
        disconnect: (userId) => rest.disconnectMember({ userId }, { reason: 'its player is gone' }),
        logger,
      })
    : undefined;
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
      knowsRooms = true;
      logger.info({ adopted, removed }, 'rooms compared with Discord');
    } catch (error) {
      if (closing !== undefined) return;
      logger.warn({ reason: messageOf(error), retryInMs: STOCK_RETRY_MS }, 'rooms not compared with Discord yet');
      stockTimer = setTimeout(() => void takeStock(), STOCK_RETRY_MS);
    }
  };
  let stockTimer: NodeJS.Timeout | undefined;
  let closing: Promise<void> | undefined;
  const health = (): AppHealth => {
    const state = feed.state();
    const redis = shared && (shared.isThere ? 'ready' : 'away');
    return {
      status: closing !== undefined ? 'stopping' : state === 'ready' && redis !== 'away' ? 'ok' : 'degraded',
      discord: { simulated: sandbox !== undefined, topology: settings.topology.kind, state, role: feed.role() },
      redis,
      rooms: directory.list().length,
      connections: hub.stats().connections,
      uptimeSeconds: Math.round((performance.now() - startedAt) / 1000),
    };
  };
  const { operators } = settings;
  const ops = createOps({ log: opsLog, metrics, hub, directory, seats, health, operators });
  const close = async () => {
    clearTimeout(stockTimer);
    ops.close();
    stopSweeping?.();
    await shared?.giveUpIfGone();
    await feed.release();
    await Promise.all([hub.close({ drainMs: DRAIN_MS }), seats.close()]);
    bus.close();
    await rooms.close();
    await feed.close();
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
    openChannels: access.openChannels,
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
    moderation,
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
