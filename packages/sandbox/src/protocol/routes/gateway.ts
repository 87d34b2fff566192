/** Owns the routes by which clients find the gateway. */
import { ok } from '../rest/reply.js';
import type { Route } from '../rest/router.js';

/** Identifies a day for a bot in few guilds (Discord docs, Gateway: Session Start Limit). */
const IDENTIFIES_A_DAY = 1000;

export const gatewayRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/gateway',
    summary: 'Gateway URL',
    auth: 'none',
    limit: { limit: 10, windowMs: 1000 },
    handle: ({ gatewayUrl }) => ok({ url: gatewayUrl }),
  },
  {
    method: 'GET',
    path: '/gateway/bot',
    summary: 'Gateway URL, recommended shards and the session start limit',
    auth: 'bot',
    limit: { limit: 5, windowMs: 1000 },
    handle: ({ gatewayUrl, shards, bot }) =>
      ok({
        url: gatewayUrl,
        shards,
        session_start_limit: {
          total: IDENTIFIES_A_DAY,
          remaining: Math.max(0, IDENTIFIES_A_DAY - bot.identifies),
          reset_after: 86_400_000,
          max_concurrency: 1,
        },
      }),
  },
];
