/**
 * Owns where Discord's events come from, and whether they come: a gateway in this process (A), or a worker that sends
 * webhooks (B) or is dialled (C). Refuses to know what is done with them.
 */
import type { Logger } from '@guildkit/core';
import { DiscordGatewayClient, type GatewayIntentName } from '@guildkit/gateway';
import { createWebhookReceiver } from '@guildkit/server-kit/hmac';
import { LinkClient } from '@guildkit/server-kit/link';
import type { EventSink } from './event-sink.js';
import type { Topology } from './settings.js';

/** What rooms, presence and chat need to hear of. */
const INTENTS: readonly GatewayIntentName[] = [
  'Guilds',
  'GuildVoiceStates',
  'GuildMessages',
  'MessageContent',
  'GuildMessageReactions',
  'GuildMessageTyping',
];

/** How long a worker may be away before pages are told: a restart is none of their business. */
const WORKER_PATIENCE_MS = 10_000;

/** Where events come from. */
export interface DiscordFeed {
  /** Resolves when events can come; rejects when no retry can help. */
  start(): Promise<void>;
  /** `ready` while events come. */
  state(): string;
  /** The bot's id, where the feed is told it. */
  botUserId(): string | undefined;
  /** Takes a worker's webhook. */
  readonly receive: ((request: Request) => Promise<Response>) | undefined;
  /** Carries commands to the worker. */
  readonly link: LinkClient | undefined;
  close(): Promise<void>;
}

export interface DiscordFeedOptions {
  readonly topology: Topology;
  readonly connection: { readonly token: string; readonly guildId: string; readonly apiBase: string | undefined };
  readonly sink: EventSink;
  /** What is shown may be old. */
  readonly onAway: (reason: string) => void;
  /** Nothing was missed, or it follows. */
  readonly onBack: () => void;
  readonly logger: Logger;
}

export function createDiscordFeed(options: DiscordFeedOptions): DiscordFeed {
  const { topology } = options;
  switch (topology.kind) {
    case 'inline':
      return inlineFeed(options);
    case 'webhook':
      return webhookFeed(topology, options);
    case 'link':
      return linkFeed(topology, options);
  }
}

function inlineFeed({ connection, sink, onAway, onBack, logger }: DiscordFeedOptions): DiscordFeed {
  const gateway = new DiscordGatewayClient({ ...connection, intents: INTENTS, logger });
  gateway.onEvent('*', (event) => void sink(event));
  gateway.on('resumed', onBack);
  gateway.on('degraded', () => onAway('Discord has been away for long'));
  return {
    start: () => gateway.connect(),
    state: () => gateway.health().state,
    botUserId: () => gateway.signalling.userId,
    receive: undefined,
    link: undefined,
    close: () => gateway.close(),
  };
}

function webhookFeed({ secrets }: Extract<Topology, { kind: 'webhook' }>, options: DiscordFeedOptions): DiscordFeed {
  const { sink, logger } = options;
  const receiver = createWebhookReceiver({ secrets, onEvent: sink, logger });
  const watch = watchWorker(options);
  return {
    async start() {
      // The worker comes by itself, and asks each second who is here: a new process gets a snapshot.
      watch.gone(0);
    },
    state: () => (watch.isHere() ? 'ready' : 'connecting'),
    botUserId: () => undefined,
    async receive(request) {
      const answer = await receiver.handler(request);
      if (answer.ok) {
        watch.here();
        watch.gone(WORKER_PATIENCE_MS);
      }
      return answer;
    },
    link: undefined,
    async close() {
      watch.stop();
    },
  };
}

function linkFeed({ url, token }: Extract<Topology, { kind: 'link' }>, options: DiscordFeedOptions): DiscordFeed {
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
    botUserId: () => undefined,
    receive: undefined,
    link,
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
