/** Owns what the app wants of a way to Discord's events, whichever it is. */
import type { Logger } from '@guildkit/core';
import type { GatewayIntentName } from '@guildkit/gateway';
import type { LinkClient } from '@guildkit/server-kit/link';
import type { EventSink } from './event-sink.js';
import type { Topology } from './settings.js';
import type { Stores } from './stores.js';

/** What rooms, presence and chat need to hear of. */
export const INTENTS: readonly GatewayIntentName[] = [
  'Guilds',
  'GuildVoiceStates',
  'GuildMessages',
  'MessageContent',
  'GuildMessageReactions',
  'GuildMessageTyping',
];

/** Where events come from. */
export interface DiscordFeed {
  /** Resolves when events can come; rejects when no retry can help. */
  start(): Promise<void>;
  /** `ready` while events come. */
  state(): string;
  /** Of several processes that elect one: whether this one is connected to Discord. */
  role(): 'owner' | 'standby' | undefined;
  /** The bot's id, where the feed is told it. */
  botUserId(): string | undefined;
  /** Takes a worker's webhook. */
  readonly receive: ((request: Request) => Promise<Response>) | undefined;
  /** Carries commands to the worker. */
  readonly link: LinkClient | undefined;
  /** The first step of a stop: what Discord says from here on is for the next process, or for another one at once. */
  release(): Promise<void>;
  /** The last step: nothing is carried to the worker any more. */
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
  /** How long Discord took to answer a heartbeat of this process, ms. */
  readonly onRoundTrip?: ((ms: number) => void) | undefined;
  readonly stores: Stores;
  /** Where the place in the event stream is kept for the next process; `undefined`: nowhere. */
  readonly stateDirectory: string | undefined;
  /** Whether another process is connected, where this one is not. */
  readonly isHeard: () => boolean;
  readonly logger: Logger;
}
