/**
 * Owns the worker's parts and how they are wired: gateway, session store, the way to the app, health. One call makes one
 * worker; nothing lives in a module.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type DomainEvent, type Logger, messageOf } from '@guildkit/core';
import { DiscordGatewayClient, fileSessionStore, type GatewayHealth, guardedSessionStore } from '@guildkit/gateway';
import { DiscordRestClient } from '@guildkit/rest';
import { createMetrics } from '@guildkit/server-kit/observability';
import { createCommands } from './commands.js';
import type { Delivery } from './delivery.js';
import { createHealthServer, type WorkerHealth } from './health-server.js';
import { createLinkDelivery, LINK_PATH } from './link-delivery.js';
import type { Settings } from './settings.js';
import { createWebhookDelivery } from './webhook-delivery.js';

/** What rooms, presence and chat need to hear of. */
const INTENTS = [
  'Guilds',
  'GuildVoiceStates',
  'GuildMessages',
  'MessageContent',
  'GuildMessageReactions',
  'GuildMessageTyping',
] as const;

/** How long what is under way has to arrive when the worker stops. Below the time that a supervisor waits. */
const DRAIN_MS = 5_000;

/** A running worker. */
export interface Worker {
  readonly healthUrl: string;
  /** Where the app dials; `undefined` in topology webhook. */
  readonly linkUrl: string | undefined;
  health(): WorkerHealth;
  /** Rejects when no retry can help: a wrong token, intents that the bot does not have. Else it never settles. */
  readonly failed: Promise<never>;
  /** Keeps the session for the next process, sends what waits, ends. Safe to call twice. */
  close(): Promise<void>;
}

/** Listens and connects. Resolves when it listens: Discord is tried until it answers. */
export async function startWorker(settings: Settings, logger: Logger): Promise<Worker> {
  const startedAt = performance.now();
  const { topology, guildId, apiBase, host } = settings;
  const connection = { token: settings.token.reveal(), guildId, apiBase };
  const sessions = guardedSessionStore({
    store: fileSessionStore({ directory: settings.stateDirectory }),
    onError: (error) => logger.error({ reason: messageOf(error) }, 'the session could not be stored'),
  });
  const gateway = new DiscordGatewayClient({ ...connection, intents: INTENTS, sessionStore: sessions, logger });
  const rest = new DiscordRestClient({ ...connection, maxRetries: settings.maxRetries, logger });
  const commands = createCommands(rest, logger);
  const metrics = createMetrics();

  const linkServer =
    topology.kind === 'link' ? createServer((_, response) => response.writeHead(404).end()) : undefined;
  const delivery: Delivery =
    topology.kind === 'webhook'
      ? createWebhookDelivery(topology, sessions, logger)
      : createLinkDelivery({
          topology,
          server: linkServer as Server,
          onCommand: (command) => commands.run(command),
          listener: sessions,
          logger,
        });

  let closing: Promise<void> | undefined;
  const health = (): WorkerHealth => {
    const { state, since, shards } = gateway.health();
    const last = (of: (shard: GatewayHealth['shards'][number]) => number | undefined): number | undefined =>
      shards.reduce<number | undefined>((most, shard) => {
        const value = of(shard);
        return value === undefined ? most : Math.max(most ?? value, value);
      }, undefined);
    const sessionSince = last(({ sessionSince: began }) => began);
    return {
      status: closing !== undefined ? 'stopping' : state === 'ready' ? 'ok' : 'degraded',
      discord: {
        state,
        since,
        // The worst of the shards is what a supervisor wants to see.
        phase: (shards.find(({ phase }) => phase !== 'ready') ?? shards[0])?.phase,
        sessionAgeSeconds: sessionSince === undefined ? undefined : Math.round((Date.now() - sessionSince) / 1_000),
        heartbeatLatencyMs: last(({ latencyMs }) => latencyMs),
        lastEventAt: last(({ lastEventAt }) => lastEventAt),
        reconnects: shards.reduce((sum, { reconnects }) => sum + reconnects, 0),
      },
      delivery: delivery.health(),
      uptimeSeconds: Math.round((performance.now() - startedAt) / 1_000),
    };
  };
  metrics.onCollect(() => {
    for (const { shardId, phase } of gateway.health().shards)
      metrics.set('gateway_connected', { shard: String(shardId) }, phase === 'ready' ? 1 : 0);
    metrics.set('queue_depth', { queue: topology.kind }, delivery.health().queued);
  });

  gateway.onEvent('*', (event) => {
    metrics.countDomainEvent(event);
    if (event.event.startsWith('voice.')) logger.info(fieldsOf(event), 'voice event');
    delivery.deliver(event);
  });
  gateway.on('degraded', ({ outageMs }) =>
    delivery.tell({ code: 'ERR_GATEWAY_DEGRADED', message: `Discord has been away for ${outageMs} ms.` }),
  );
  rest.on('rateLimited', ({ retryAfterMs }) => {
    metrics.count('rate_limits_total', { source: 'discord' });
    delivery.tell({ retryAfterMs });
  });

  const healthServer = createHealthServer(health, metrics);
  const servers = [healthServer, ...(linkServer === undefined ? [] : [linkServer])];
  const close = async (): Promise<void> => {
    // First: what comes from here on belongs to the next process.
    await gateway.detach();
    await delivery.close(DRAIN_MS);
    await sessions.flush();
    commands.close();
    await rest.close();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    logger.info({}, 'worker stopped');
  };
  const stop = (): Promise<void> => {
    closing ??= close();
    return closing;
  };

  try {
    await listen(healthServer, settings.healthPort, host, 'HEALTH_CHECK_PORT');
    if (linkServer !== undefined && topology.kind === 'link') await listen(linkServer, topology.port, host, 'PORT');
  } catch (error) {
    await stop();
    throw error;
  }
  const failed = new Promise<never>((_, reject) => {
    gateway.on('closed', ({ reason, error }) => reason === 'fatal' && reject(error));
    // Ended by stop() it rejects too: that is no failure.
    gateway.connect().catch((error: unknown) => closing === undefined && reject(error));
  });
  failed.catch(() => {});

  const healthUrl = `http://${addressOf(healthServer)}/health`;
  const linkUrl = linkServer === undefined ? undefined : `ws://${addressOf(linkServer)}${LINK_PATH}`;
  logger.info({ topology: topology.kind, healthUrl, linkUrl }, 'worker started');
  return { healthUrl, linkUrl, health, failed, close: stop };
}

function fieldsOf({ event, id, traceId, payload }: DomainEvent): Readonly<Record<string, unknown>> {
  const { userId, channelId, guildId } = payload as { userId?: string; channelId?: string; guildId?: string };
  return { event, id, traceId, guildId, channelId, userId };
}

function addressOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo;
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

function listen(server: Server, port: number, host: string, setting: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(taken ? new Error(`port ${port} is taken. Set ${setting} to another, or to 0 for any free one.`) : error);
    });
    server.listen(port, host, resolve);
  });
}
