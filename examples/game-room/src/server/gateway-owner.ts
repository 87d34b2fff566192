/**
 * Owns the gateway of an app of several processes: one of them is elected and connected to Discord, the others stand ready
 * and hear through Redis. Whoever is elected next resumes where the last one stopped.
 */
import { messageOf } from '@guildkit/core';
import { DiscordGatewayClient } from '@guildkit/gateway';
import { createShardOwner, runOwnedGateway, type ShardOwner } from '@guildkit/redis';
import { type DiscordFeed, type DiscordFeedOptions, INTENTS } from './feed.js';
import type { SharedRedis } from './stores.js';

/**
 * A process that died is replaced after this and half a second more. Longer than Redis and this process may stand still
 * together without anything being wrong.
 */
const LEASE_MS = 5_000;

export function ownedFeed(options: DiscordFeedOptions, { client, engine, prefix }: SharedRedis): DiscordFeed {
  const { connection, sink, onAway, onBack, onRoundTrip, isHeard, stores, logger } = options;
  let owner: ShardOwner | undefined;
  let gateway: DiscordGatewayClient | undefined;
  let botUserId: string | undefined;
  return {
    async start() {
      owner = createShardOwner({
        client,
        prefix,
        leaseMs: LEASE_MS,
        logger,
        run: (ownership) =>
          runOwnedGateway(ownership, {
            client,
            prefix,
            engine,
            gateway(sessionStore) {
              const { identifyQueue } = stores;
              gateway = new DiscordGatewayClient({
                ...connection,
                intents: INTENTS,
                sessionStore,
                identifyQueue,
                logger,
              });
              gateway.on('ready', ({ userId }) => {
                botUserId = userId;
              });
              gateway.on('resumed', onBack);
              gateway.on('heartbeat', ({ latencyMs }) => onRoundTrip?.(latencyMs));
              gateway.on('degraded', () => onAway('Discord has been away for long'));
              return gateway;
            },
            publish: sink,
          }),
      });
      owner.on('elected', ({ term }) => logger.info({ term }, 'this process owns the connection to Discord'));
      owner.on('deposed', ({ term, reason }) => {
        const level = reason === 'closed' || reason === 'resigned' ? 'info' : 'warn';
        logger[level]({ term, reason }, 'another process owns the connection to Discord from now on');
      });
      owner.on('error', ({ error }) =>
        logger.warn({ reason: messageOf(error) }, 'the election of the gateway’s owner'),
      );
    },
    state: () =>
      owner?.isOwner === true ? (gateway?.health().state ?? 'connecting') : isHeard() ? 'ready' : 'connecting',
    role: () => (owner?.isOwner === true ? 'owner' : 'standby'),
    botUserId: () => botUserId,
    receive: undefined,
    link: undefined,
    release: async () => owner?.close(),
    close: async () => {},
  };
}
