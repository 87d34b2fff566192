/** Owns the routes by which clients find the gateway. */
import { ok } from '../rest/reply.js';
import type { Route } from '../rest/router.js';

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
    handle: ({ gatewayUrl, shards, bot, services }) =>
      ok({ url: gatewayUrl, shards, session_start_limit: services.startLimit(bot.id) }),
  },
];
