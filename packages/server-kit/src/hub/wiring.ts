/** Owns how the parts of a hub are put together: what connections and the sink of Discord's events are given of it. */
import { messageOf, toLogText } from '@guildkit/core';
import { HubError } from '../errors.js';
import type { CommandAnswer } from '../shared/command.js';
import type { Access } from './access.js';
import type { HubEngine } from './engine.js';
import type { RealtimeHubEvents } from './hub-shapes.js';
import type { CommandRequest, ConnectionHost } from './io/connection-host.js';
import { DiscordSink } from './io/discord-sink.js';
import type { RoomFeeds } from './io/room-feeds.js';
import type { HubSettings } from './options.js';
import { createSessionReducer } from './protocol/session.js';
import type { Roster } from './roster.js';
import type { HubCounters } from './stats.js';
import type { Viewers } from './viewers.js';

/** The parts of one hub. */
export interface HubParts {
  readonly settings: HubSettings;
  readonly engine: HubEngine;
  readonly counters: HubCounters;
  readonly access: Access;
  readonly feeds: RoomFeeds;
  readonly viewing: Viewers;
  readonly roster: Roster;
  readonly bootId: string;
  command(request: CommandRequest): Promise<CommandAnswer>;
  /** Tells the app. */
  emit<Name extends keyof RealtimeHubEvents>(event: Name, payload: RealtimeHubEvents[Name]): void;
}

/** What every connection of a hub is given. */
export function connectionHost(parts: HubParts): ConnectionHost {
  const { settings, engine, feeds, counters, bootId, access, command, viewing, roster, emit } = parts;
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
    authorize: (principal, room) => access.authorize(principal, room),
    command: (request) => command(request),
    enter: (room, userId) => viewing.enter(room, userId),
    exit: (room, userId) => viewing.exit(room, userId),
    admit: (connection, userId) => roster.admit(connection, userId),
    admitted: (connection) => {
      roster.greet(connection);
      emit('connected', { connectionId: connection.id, userId: connection.userId ?? '' });
    },
    answered: ({ id: connectionId }, ms) => emit('roundTrip', { connectionId, ms }),
    release: (connection) => {
      const userId = roster.release(connection);
      if (userId !== undefined) emit('disconnected', { connectionId: connection.id, userId });
    },
    closed: (connection) => roster.remove(connection),
  };
}

/** Where Discord's events go in. */
export function discordSink({ settings, engine, counters, emit }: HubParts): DiscordSink {
  const { logger } = settings;
  return new DiscordSink(engine, {
    published: ({ room, event }, { id, traceId }) => {
      counters.published += 1;
      // Chat and typing are noise beside who comes and goes.
      const level = /^(?:message|reaction|typing)\./.test(event) ? 'debug' : 'info';
      logger[level]({ room, event, id, traceId }, 'hub published a Discord event');
    },
    invalid: (problem) => {
      counters.error('ERR_HUB_EVENT_INVALID');
      logger.warn({ problem: toLogText(problem) }, 'hub refuses a Discord event');
      emit('error', { error: new HubError('ERR_HUB_EVENT_INVALID', { detail: `Field: ${problem}.` }) });
    },
    failed: (cause, { event, id, traceId }) => {
      counters.error('ERR_HUB_PUBLISH_FAILED');
      logger.warn({ event, id, traceId, error: toLogText(messageOf(cause)) }, 'hub cannot publish a Discord event');
      emit('error', { error: new HubError('ERR_HUB_PUBLISH_FAILED', { cause, retryable: true }) });
    },
  });
}
