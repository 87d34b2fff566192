/**
 * Owns what the processes of one app tell each other: Discord's events, and what one of them has done that the others have
 * to follow. It goes through a room of the hub's engine that has no name a page could ask for, so that each of them hears it
 * once and in order. Refuses to know what follows.
 */
import type { DomainEvent } from '@guildkit/core';
import type { HubEngine } from '@guildkit/server-kit/hub';
import type { SeatedBot } from './seat-leases.js';

/** What is told. */
export type Notice =
  /** Whoever is connected to Discord has heard this; and for whom the bots in it speak. */
  | { readonly kind: 'event'; readonly event: DomainEvent; readonly seated: readonly SeatedBot[] }
  /** Somebody was given a seat, or lost it. */
  | { readonly kind: 'seated' | 'unseated'; readonly userId: string; readonly channelId: string }
  /** A player keeps a room that is empty. */
  | { readonly kind: 'kept'; readonly channelId: string }
  /** A player speaks from another process now. */
  | { readonly kind: 'speaks'; readonly userId: string; readonly channelId: string }
  /** A process has come and asks for the whole. */
  | { readonly kind: 'ask' }
  /** What is shown of Discord may be old, and why; `null`: it is current. */
  | { readonly kind: 'away'; readonly reason: string | null };

export interface SharedFeedOptions {
  readonly engine: Pick<HubEngine, 'publish' | 'watch'>;
  /** Names this process: what it tells it has done already. */
  readonly processId: string;
  readonly onNotice: (notice: Notice) => void;
  /** Notices are lost: Redis was emptied, or another one took its place. */
  readonly onGap: () => void;
}

export interface SharedFeed {
  /** Resolves when the others will hear. */
  start(): Promise<void>;
  /** @throws what the engine throws: the others have not heard then. */
  tell(notice: Notice): Promise<void>;
  close(): void;
}

/** No room of a hub is called so: pages are refused it. */
export const FEED_ROOM = 'processes';

interface Told {
  readonly from: string;
  readonly notice: Notice;
}

export function createSharedFeed({ engine, processId, onNotice, onGap }: SharedFeedOptions): SharedFeed {
  let stop: (() => void) | undefined;
  let isClosed = false;
  return {
    async start() {
      stop = await engine.watch(FEED_ROOM, ({ seq, payload }) => {
        // A record without a number: what came before it may be missing.
        if (seq === 0) {
          onGap();
          return;
        }
        const { from, notice } = JSON.parse(payload) as Told;
        if (from !== processId) onNotice(notice);
      });
      if (isClosed) stop();
    },
    async tell(notice) {
      const told: Told = { from: processId, notice };
      // An event that is told again, by this process or the next, has the same id: the others hear it once.
      const id = notice.kind === 'event' ? notice.event.id : crypto.randomUUID();
      await engine.publish(FEED_ROOM, { event: notice.kind, payload: told, id, ts: Date.now() });
    },
    close() {
      isClosed = true;
      stop?.();
    },
  };
}
