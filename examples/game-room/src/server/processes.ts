/**
 * Owns that several processes are one app: what one of them hears or does, the others follow. Refuses to know Discord: one of
 * them is connected, see `gateway-owner.ts`.
 */
import { type DomainEvent, type Logger, messageOf } from '@guildkit/core';
import type { SeatedBot } from './seat-leases.js';
import { createSharedFeed, type Notice } from './shared-feed.js';
import type { SharedRedis } from './stores.js';
import type { Troubles } from './troubles.js';
import { createVoiceBook } from './voice-book.js';
import { readWhole } from './whole.js';

export interface ProcessesOptions {
  readonly shared: SharedRedis;
  readonly guildId: string;
  /** Follows an event that another process has heard. The same may come again. */
  readonly follow: (event: DomainEvent, seated: readonly SeatedBot[]) => void;
  /** For whom the bots in an event speak, as this process knows. */
  readonly seatedIn: (event: DomainEvent) => readonly SeatedBot[];
  /** Follows what another process has done. */
  readonly onDeed: (deed: Deed) => void;
  /** Whether this process hears of Discord itself: then it tells the whole to others who ask. */
  readonly hears: () => boolean;
  readonly troubles: Troubles;
  readonly logger: Logger;
}

/** What a process does that the others follow. */
export type Deed = Extract<Notice, { readonly channelId: string }>;

export interface Processes {
  /** Begins to listen. */
  start(): Promise<void>;
  /** Resolves once the guild is known here, from whomever. */
  readonly known: Promise<void>;
  /** Whether another process is connected to Discord, as far as is known. */
  isHeard(): boolean;
  /** Tells the others of an event before pages hear of it. @throws when they have not heard. */
  tellEvent(event: DomainEvent): Promise<void>;
  /** Tells the others what was done here. Never throws: what they miss their next look at Redis repairs. */
  tell(deed: Deed): void;
  /** Discord is away, or back (`undefined`), as the process that is connected sees it. */
  tellAway(reason: string | undefined): void;
  close(): void;
}

/** What pages are told while there is no Redis. */
const REDIS_AWAY = 'Live updates are being restored';

/** Of a process that is alone. */
export const aloneInTheWorld: Processes = {
  start: async () => {},
  known: Promise.resolve(),
  isHeard: () => false,
  tellEvent: async () => {},
  tell: () => {},
  tellAway: () => {},
  close: () => {},
};

export function createProcesses(options: ProcessesOptions): Processes {
  const { shared, guildId, follow, seatedIn, onDeed, hears, troubles, logger } = options;
  const book = createVoiceBook(guildId);
  let away: string | undefined;
  let isHeard = false;
  let isClosed = false;
  let onKnown: () => void = () => {};
  const known = new Promise<void>((resolve) => {
    onKnown = resolve;
  });

  const say = (notice: Notice): void => {
    if (isClosed) return;
    feed.tell(notice).catch((error: unknown) => {
      logger.warn({ kind: notice.kind, reason: messageOf(error) }, 'the other processes were not told');
    });
  };

  /** The book is of what Discord said; what the hub shows is close to it until somebody tells the whole. */
  function hear(event: DomainEvent, seated: readonly SeatedBot[], isOfDiscord = true): void {
    if (isOfDiscord) book.apply(event);
    follow(event, seated);
    if (event.event === 'voice.snapshot' && event.payload.guildId === guildId) onKnown();
  }

  function noteAway(reason: string | undefined): void {
    away = reason;
    isHeard = true;
    troubles.set('discord', reason);
  }

  /** Begins, or begins again, with what is known already. */
  async function lookAround(): Promise<void> {
    const whole = await readWhole(shared.engine, guildId);
    // Whoever is connected knows better.
    if (whole !== undefined && book.whole() === undefined) hear(whole, [], false);
    say({ kind: 'ask' });
  }

  const feed = createSharedFeed({
    engine: shared.engine,
    processId: shared.processId,
    onNotice(notice) {
      switch (notice.kind) {
        case 'event':
          hear(notice.event, notice.seated);
          if (!isHeard) noteAway(undefined);
          return;
        case 'ask': {
          if (!hears()) return;
          const event = book.whole();
          if (event !== undefined) say({ kind: 'event', event, seated: seatedIn(event) });
          say({ kind: 'away', reason: away ?? null });
          return;
        }
        case 'away':
          noteAway(notice.reason ?? undefined);
          return;
        case 'seated':
        case 'unseated':
        case 'kept':
        case 'speaks':
          onDeed(notice);
          return;
        default:
        // Of a later version of the app.
      }
    },
    onGap() {
      lookAround().catch((error: unknown) => logger.warn({ reason: messageOf(error) }, 'what was missed is not known'));
    },
  });

  shared.onChange((isThere) => troubles.set('redis', isThere ? undefined : REDIS_AWAY));

  return {
    async start() {
      await feed.start();
      await lookAround();
    },
    known,
    isHeard: () => isHeard && away === undefined,
    async tellEvent(event) {
      book.apply(event);
      await feed.tell({ kind: 'event', event, seated: seatedIn(event) });
      if (event.event === 'voice.snapshot' && event.payload.guildId === guildId) onKnown();
    },
    tell: say,
    tellAway(reason) {
      noteAway(reason);
      say({ kind: 'away', reason: reason ?? null });
    },
    close() {
      isClosed = true;
      feed.close();
    },
  };
}
