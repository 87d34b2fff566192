/**
 * Owns the app's parts and how they are wired: sandbox (when it stands in for Discord), gateway, REST, hub, tokens.
 * One call makes one app; nothing lives in a module, so two apps in one process do not meet.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type Logger, messageOf } from '@guildkit/core';
import { parseRoom } from '@guildkit/core/wire';
import { DiscordGatewayClient } from '@guildkit/gateway';
import { DiscordRestClient } from '@guildkit/rest';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { RealtimeHub } from '@guildkit/server-kit/hub';
import { createJwtIssuer, createJwtVerifier } from '@guildkit/server-kit/jwt';
import { createGuests, type Guests } from './guests.js';
import { isAllowedOrigin } from './origins.js';
import { createRoomDirectory, type Room, type RoomDirectory } from './room-directory.js';
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

/** What `/health` says. */
interface AppHealth {
  readonly status: 'ok' | 'degraded';
  readonly discord: { readonly simulated: boolean; readonly state: string };
  readonly rooms: number;
  readonly connections: number;
  readonly uptimeSeconds: number;
}

/** Everything that routes and server functions may use. They get it as `context.app`. */
export interface App {
  readonly guildId: string;
  readonly guests: Guests;
  readonly rooms: RoomDirectory;
  readonly hub: RealtimeHub;
  readonly logger: Logger;
  /** Present only when the sandbox stands in for Discord. */
  readonly simulation: Simulation | undefined;
  /** For tests and tools; the same as `simulation`, unwrapped. */
  readonly sandbox: Sandbox | undefined;
  /** A short-lived token with which a guest's browser opens the hub. */
  issueToken(userId: string): Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** Answers `/.well-known/jwks.json`. */
  jwks(request: Request): Promise<Response>;
  /** Makes a voice channel. Two calls of one guest at the same time make one room. */
  createRoom(userId: string, name: string): Promise<Room>;
  deleteRoom(channelId: string): Promise<void>;
  allowsOrigin(origin: string, headers: IncomingHttpHeaders | Headers): boolean;
  health(): AppHealth;
  /** Drains the hub, ends the gateway connection and the sandbox. Safe to call twice. */
  close(): Promise<void>;
}

export async function createApp({ settings, logger }: { settings: Settings; logger: Logger }): Promise<App> {
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
  const connection =
    settings.discord === undefined
      ? (sandbox as Sandbox).connection
      : {
          token: settings.discord.token.reveal(),
          guildId: settings.discord.guildId,
          apiBase: settings.discord.apiBase,
        };
  const { guildId } = connection;

  const rest = new DiscordRestClient({ ...connection, logger });
  const gateway = new DiscordGatewayClient({ ...connection, intents: ['Guilds', 'GuildVoiceStates'], logger });
  const rooms = createRoomDirectory(guildId);
  const guests = createGuests(settings.sessionSecrets, settings.baseUrl?.protocol === 'https:');

  const allowsOrigin: App['allowsOrigin'] = (origin, headers) =>
    isAllowedOrigin(
      settings.baseUrl,
      origin,
      headers instanceof Headers ? (headers.get('host') ?? undefined) : headers.host,
    );
  const hub = new RealtimeHub({
    // Pages alone connect here, and a page always says where it is from.
    origins: (origin, request) => origin !== undefined && allowsOrigin(origin, request.headers),
    authenticate: async ({ token }) => (token === undefined ? null : verifier.verify(token)),
    authorize: ({ userId }, room) => {
      const name = parseRoom(room);
      if (name?.kind === 'channel') return rooms.knows(name.id);
      if (name?.kind === 'guild') return name.id === guildId;
      return name?.id === userId;
    },
    maxReconnectAttempts: settings.maxReconnectAttempts,
    // The page of all rooms listens to each of them. Discord allows 500 channels in a server.
    maxSubscriptions: 500,
    logger,
  });

  // The directory first: whoever hears of a room from the hub may subscribe to it at once.
  gateway.onEvent('*', (event) => {
    rooms.apply(event);
    const published = hub.publishDiscordEvent(event);
    // Not at READY: what a new session does not know of the guild comes behind it, and pages look again when told this.
    if (event.event === 'voice.snapshot' && event.payload.guildId === guildId) void published.then(isBack);
  });

  const isBack = (): void => hub.setDegraded(false, 'Discord is connected');
  gateway.on('resumed', isBack);
  gateway.on('degraded', () => hub.setDegraded(true, 'Discord has been away for long'));

  const ready = gateway.connect().then(
    () => {},
    (error: unknown) => {
      logger.error({ reason: messageOf(error) }, 'Discord cannot be reached');
      hub.setDegraded(true, 'Discord cannot be reached');
    },
  );
  await withPatience(ready, CONNECT_PATIENCE_MS, () => hub.setDegraded(true, 'Discord has not answered yet'));

  const creating = new Map<string, Promise<Room>>();
  const createRoom = async (userId: string, name: string): Promise<Room> => {
    const channel = await rest.createVoiceChannel({ name, userLimit: SEATS }, { reason: `game room for ${userId}` });
    const room = { channelId: channel.id, name: channel.name ?? name };
    // Its page opens at once, and may be faster than the gateway.
    rooms.add(room);
    logger.info({ channelId: room.channelId, userId }, 'room created');
    return room;
  };

  let closing: Promise<void> | undefined;
  const close = async () => {
    await hub.close({ drainMs: DRAIN_MS });
    await gateway.close();
    await rest.close();
    await sandbox?.close();
  };

  return {
    guildId,
    guests,
    rooms,
    hub,
    logger,
    sandbox,
    simulation: sandbox === undefined ? undefined : createSimulation(sandbox),
    issueToken: (userId) => issuer.sign({ userId }),
    jwks: (request) => issuer.handler(request),
    createRoom(userId, name) {
      const running = creating.get(userId);
      if (running !== undefined) return running;
      const made = createRoom(userId, name).finally(() => creating.delete(userId));
      creating.set(userId, made);
      return made;
    },
    async deleteRoom(channelId) {
      await rest.deleteChannel(channelId);
      logger.info({ channelId }, 'room deleted');
    },
    allowsOrigin,
    health() {
      const { state } = gateway.health();
      return {
        status: state === 'ready' ? 'ok' : 'degraded',
        discord: { simulated: sandbox !== undefined, state },
        rooms: rooms.list().length,
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

/** A server with a few rooms to choose from. */
async function createSandboxWithTables(): Promise<Sandbox> {
  const sandbox = await createSandbox();
  for (const name of ['Table 1', 'Table 2']) await sandbox.channels.create({ name, userLimit: SEATS });
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
