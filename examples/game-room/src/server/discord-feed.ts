/**
 * Owns which way Discord's events come: a gateway in this process (A), one that several processes elect an owner of, or a
 * worker that sends webhooks (B) or is dialled (C). Refuses to know what is done with them.
 */
import type { DiscordFeed, DiscordFeedOptions } from './feed.js';
import { ownedFeed } from './gateway-owner.js';
import { inlineFeed } from './inline-feed.js';
import { linkFeed, webhookFeed } from './worker-feed.js';

export function createDiscordFeed(options: DiscordFeedOptions): DiscordFeed {
  const { topology, stores } = options;
  switch (topology.kind) {
    case 'inline':
      return stores.shared === undefined ? inlineFeed(options) : ownedFeed(options, stores.shared);
    case 'webhook':
      return webhookFeed(topology, options);
    case 'link':
      return linkFeed(topology, options);
  }
}
