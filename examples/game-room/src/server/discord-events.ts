/**
 * Owns what Discord's events do in this process, whether it hears them itself or another process tells: every part follows,
 * and who has heard an event itself tells the other processes, then the pages. Refuses to know how events come.
 */
import type { DomainEvent, Logger } from '@guildkit/core';
import type { RealtimeHub } from '@guildkit/server-kit/hub';
import type { Metrics } from '@guildkit/server-kit/observability';
import type { RoomService } from '@guildkit/server-kit/rooms';
import type { Chat } from './chat.js';
import { createDiscordFeed } from './discord-feed.js';
import { createEventSink } from './event-sink.js';
import type { DiscordFeed, DiscordFeedOptions } from './feed.js';
import type { Moderation } from './moderation.js';
import type { People } from './people.js';
import { aloneInTheWorld, createProcesses, type Deed, type Processes } from './processes.js';
import type { RoomDirectory } from './room-directory.js';
import type { SeatedBot, SeatLeases } from './seat-leases.js';
import type { Seats } from './seats.js';
import type { Stores } from './stores.js';
import { createTroubles } from './troubles.js';

export interface DiscordEventsOptions
  extends Pick<DiscordFeedOptions, 'topology' | 'connection' | 'stateDirectory' | 'logger'> {
  readonly stores: Stores;
  readonly directory: RoomDirectory;
  readonly people: People;
  readonly rooms: RoomService;
  readonly metrics: Metrics;
  readonly chat: Chat;
  readonly hub: RealtimeHub;
  readonly seats: Seats;
  readonly leases: SeatLeases | undefined;
  /** Known later: it carries out what it is asked for by the feed's link. */
  readonly moderation: () => Pick<Moderation, 'apply'>;
  readonly logger: Logger;
}

export interface DiscordEvents {
  readonly feed: DiscordFeed;
  readonly processes: Processes;
  /** An event of another process is being followed: that one tells the pages. */
  readonly isFollowing: boolean;
  /** Pages are told that what they show may be old, and why; `undefined`: it is not. */
  setAway(reason: string | undefined): void;
}

export function createDiscordEvents(options: DiscordEventsOptions): DiscordEvents {
  const { stores, directory, people, rooms, metrics, chat, hub, seats, leases, moderation, logger } = options;
  const { shared } = stores;
  const { guildId } = options.connection;
  let isFollowing = false;

  const troubles = createTroubles((reason) => hub.setDegraded(reason !== undefined, reason));
  const setAway = (reason: string | undefined): void => {
    if (feed.role() === 'owner') processes.tellAway(reason);
    else troubles.set('discord', reason);
  };

  /** What another process has heard of Discord. */
  function follow(event: DomainEvent, seated: readonly SeatedBot[]): void {
    isFollowing = true;
    leases?.learn(seated);
    directory.apply(event);
    people.apply(event);
    rooms.applyEvent(event);
    seats.presence.shown(event);
    moderation().apply(event);
    isFollowing = false;
  }

  /** What another process has done. */
  function onDeed(deed: Deed): void {
    if (deed.kind === 'kept') {
      void rooms.keepOpen(deed.channelId).catch(() => {});
      return;
    }
    if (deed.kind !== 'seated') seats.end(deed.userId, deed.channelId);
    if (deed.kind !== 'speaks') hub.revalidate(deed.userId);
  }

  /** The other processes first: whoever hears of a room from the hub may ask any of them for it. */
  async function before(event: DomainEvent): Promise<void> {
    await Promise.all([chat.prepare(event), event.event.startsWith('voice.') ? leases?.refresh() : undefined]);
    await processes.tellEvent(event);
  }

  /** Pages are told of players, not of their seats. */
  const publishDiscordEvent: RealtimeHub['publishDiscordEvent'] = async (event) => {
    const outcomes = seats.presence.shown(event).map((shown) => hub.publishDiscordEvent(shown));
    moderation().apply(event);
    const all = await Promise.all(outcomes);
    return all.find((outcome) => outcome === 'failed') ?? all.at(-1) ?? 'ignored';
  };

  const processes: Processes =
    shared === undefined
      ? aloneInTheWorld
      : createProcesses({
          shared,
          guildId,
          follow,
          seatedIn: seats.seatedIn,
          onDeed,
          hears: () => feed.role() !== 'standby',
          troubles,
          logger,
        });
  const feed: DiscordFeed = createDiscordFeed({
    ...options,
    sink: createEventSink({
      guildId,
      directory,
      people,
      rooms,
      metrics,
      chat,
      before: shared && before,
      hub: { publishDiscordEvent },
      onWhole: () => setAway(undefined),
      logger,
    }),
    onAway: setAway,
    onBack: () => setAway(undefined),
    onRoundTrip: (ms) => metrics.observe('socket_round_trip_seconds', { transport: 'gateway' }, ms / 1_000),
    isHeard: processes.isHeard,
  });

  return {
    feed,
    processes,
    get isFollowing() {
      return isFollowing;
    },
    setAway,
  };
}
