/** Owns what happens with one of Discord's events, whichever way it came: every part that follows Discord hears of it once. */
import type { DomainEvent } from '@guildkit/core';
import type { RealtimeHub } from '@guildkit/server-kit/hub';
import type { Metrics } from '@guildkit/server-kit/observability';
import type { RoomService } from '@guildkit/server-kit/rooms';
import type { Chat } from './chat.js';
import type { People } from './people.js';
import type { RoomDirectory } from './room-directory.js';

export interface EventSinkOptions {
  readonly guildId: string;
  readonly directory: Pick<RoomDirectory, 'apply'>;
  readonly people: Pick<People, 'apply'>;
  readonly rooms: Pick<RoomService, 'applyEvent'>;
  readonly metrics: Pick<Metrics, 'countDomainEvent'>;
  readonly chat: Pick<Chat, 'incoming'>;
  readonly hub: Pick<RealtimeHub, 'publishDiscordEvent'>;
  /** Pages have been told the whole of the guild. */
  readonly onWhole: () => void;
}

/** Takes an event. `'failed'` asks for it, or for a snapshot, once more. */
export type EventSink = (event: DomainEvent) => Promise<string>;

/** A worker that was killed tells again what it had not noted as told: seconds, or what its queue held. */
const MAX_SEEN = 20_000;

export function createEventSink(options: EventSinkOptions): EventSink {
  const { guildId, directory, people, rooms, metrics, chat, hub, onWhole } = options;
  const seen = new Set<string>();
  return async (event) => {
    if (seen.has(event.id)) return 'known';
    seen.add(event.id);
    const [oldest] = seen;
    if (seen.size > MAX_SEEN && oldest !== undefined) seen.delete(oldest);
    // The directory first: whoever hears of a room from the hub may subscribe to it at once.
    directory.apply(event);
    people.apply(event);
    rooms.applyEvent(event);
    metrics.countDomainEvent(event);
    const outcome = await hub.publishDiscordEvent(chat.incoming(event));
    // It may come again under its id.
    if (outcome === 'failed') seen.delete(event.id);
    // Not at READY: what a new session does not know of the guild comes behind it, and pages look again when told this.
    else if (event.event === 'voice.snapshot' && event.payload.guildId === guildId) onWhole();
    return outcome;
  };
}
