/** Owns topology A in a process that is alone: the gateway is here, and its session is kept for the next process. */
import { messageOf } from '@guildkit/core';
import { DiscordGatewayClient, fileSessionStore, guardedSessionStore } from '@guildkit/gateway';
import { createEventQueue } from './event-queue.js';
import { type DiscordFeed, type DiscordFeedOptions, INTENTS } from './feed.js';

/** How long events that are here have to be taken when the app stops; Discord tells the others again. */
const DRAIN_MS = 5_000;

export function inlineFeed({
  connection,
  sink,
  onAway,
  onBack,
  onRoundTrip,
  stateDirectory,
  logger,
}: DiscordFeedOptions): DiscordFeed {
  const sessions =
    stateDirectory === undefined
      ? undefined
      : guardedSessionStore({
          store: fileSessionStore({ directory: stateDirectory }),
          onError: (error) =>
            logger.error({ reason: messageOf(error) }, 'the place in Discord’s events was not stored'),
        });
  const gateway = new DiscordGatewayClient({ ...connection, intents: INTENTS, sessionStore: sessions, logger });
  const queue = createEventQueue({ take: sink, onSent: sessions?.sent, onTaken: sessions?.taken });
  gateway.onEvent('*', (event) => queue.push(event));
  gateway.on('resumed', onBack);
  gateway.on('heartbeat', ({ latencyMs }) => onRoundTrip?.(latencyMs));
  gateway.on('degraded', () => onAway('Discord has been away for long'));
  return {
    start: () => gateway.connect(),
    state: () => gateway.health().state,
    role: () => undefined,
    botUserId: () => gateway.signalling.userId,
    receive: undefined,
    link: undefined,
    async release() {
      // Kept for the next process, where one is expected.
      await (sessions === undefined ? gateway.close() : gateway.detach());
      await queue.drain(DRAIN_MS);
      queue.close();
      await sessions?.flush();
    },
    close: async () => {},
  };
}
