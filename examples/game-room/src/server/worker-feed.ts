/** Owns topologies B and C: a worker is connected to Discord, and sends webhooks or is dialled; and whether it is there. */
import { guildRoom } from '@guildkit/core/wire';
import { createWebhookReceiver, type WebhookReceiver } from '@guildkit/server-kit/hmac';
import { LinkClient } from '@guildkit/server-kit/link';
import type { DiscordFeed, DiscordFeedOptions } from './feed.js';
import type { Topology } from './settings.js';

/** How long a worker may be away before pages are told: a restart is none of their business. */
const WORKER_PATIENCE_MS = 10_000;

export function webhookFeed(
  { secrets }: Extract<Topology, { kind: 'webhook' }>,
  options: DiscordFeedOptions,
): DiscordFeed {
  const { sink, stores, logger } = options;
  const { shared } = stores;
  const room = guildRoom(options.connection.guildId);
  let known: { readonly bootId: string | undefined; readonly receiver: WebhookReceiver } | undefined;
  /**
   * To the worker, processes that share what they know are one app: it tells the whole anew when Redis has lost it, not
   * whenever another process answers.
   */
  async function current(): Promise<WebhookReceiver> {
    const bootId = shared === undefined ? undefined : (await shared.engine.read(room)).epoch;
    if (known === undefined || known.bootId !== bootId) {
      const receiver = createWebhookReceiver({ secrets, onEvent: sink, replayStore: stores.replay, bootId, logger });
      known = { bootId, receiver };
    }
    return known.receiver;
  }
  const watch = watchWorker(options);
  return {
    async start() {
      // The worker comes by itself, and asks each second who is here: a new process gets a snapshot.
      watch.gone(0);
    },
    state: () => (watch.isHere() ? 'ready' : 'connecting'),
    role: () => undefined,
    botUserId: () => undefined,
    async receive(request) {
      let receiver: WebhookReceiver;
      try {
        receiver = await current();
      } catch {
        // Without Redis nothing can be taken: the worker comes again.
        return new Response(null, { status: 503, headers: { 'retry-after': '1' } });
      }
      const answer = await receiver.handler(request);
      if (answer.ok) {
        watch.here();
        watch.gone(WORKER_PATIENCE_MS);
      }
      return answer;
    },
    link: undefined,
    release: async () => {},
    async close() {
      watch.stop();
    },
  };
}

export function linkFeed(
  { url, token }: Extract<Topology, { kind: 'link' }>,
  options: DiscordFeedOptions,
): DiscordFeed {
  const { sink, onAway, logger } = options;
  const link = new LinkClient({ url, token, onEvent: sink, logger });
  const watch = watchWorker(options);
  link.on('stateChange', ({ to }) => (to === 'open' ? watch.here() : watch.gone(WORKER_PATIENCE_MS)));
  link.on('error', ({ error }) => {
    if (error.remoteCode === 'ERR_GATEWAY_DEGRADED') onAway('Discord has been away for long');
  });
  link.on('rateLimited', ({ retryAfterMs }) => logger.warn({ retryAfterMs }, 'the worker hit a rate limit of Discord'));
  return {
    async start() {
      const open = new Promise<void>((resolve) => {
        const off = link.onUp(() => {
          off();
          resolve();
        });
      });
      link.start();
      await open;
    },
    state: () => (link.isOpen ? 'ready' : 'connecting'),
    role: () => undefined,
    botUserId: () => undefined,
    receive: undefined,
    link,
    release: async () => {},
    async close() {
      watch.stop();
      await link.close();
    },
  };
}

/** Tells when the worker has been away for some time, and when it is back. */
function watchWorker({ onAway, onBack }: Pick<DiscordFeedOptions, 'onAway' | 'onBack'>) {
  let timer: NodeJS.Timeout | undefined;
  let state: 'unheard' | 'here' | 'away' = 'unheard';
  let isStopped = false;
  const clear = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    isHere: () => state === 'here',
    here(): void {
      clear();
      const before = state;
      state = 'here';
      if (before !== 'here') onBack();
    },
    gone(afterMs: number): void {
      if (timer !== undefined || isStopped) return;
      timer = setTimeout(() => {
        timer = undefined;
        state = 'away';
        onAway('The connection to Discord is being restored');
      }, afterMs);
    },
    stop(): void {
      isStopped = true;
      clear();
    },
  };
}
