/**
 * Owns what happens with one of Discord's events, whichever way it came: every part that follows Discord hears of it once. The
 * hub hears of it again when it comes again: only its rooms know what they have, and a Redis may have lost it.
 */
import { type DomainEvent, type Logger, messageOf } from '@guildkit/core';
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
  /** What has to be done before pages may hear of an event; when it fails the event has. */
  readonly before?: ((event: DomainEvent) => Promise<void>) | undefined;
  readonly hub: Pick<RealtimeHub, 'publishDiscordEvent'>;
  /** Pages have been told the whole of the guild. */
  readonly onWhole: () => void;
  /** One line for each event: of voice and channels at INFO, of chat at DEBUG. */
  readonly logger: Pick<Logger, 'info' | 'debug' | 'warn'>;
}

/** Takes an event. `'failed'` asks for it, or for a snapshot, once more. */
export type EventSink = (event: DomainEvent) => Promise<string>;

/** A worker that was killed tells again what it had not noted as told: seconds, or what its queue held. */
const MAX_SEEN = 20_000;

export function createEventSink(options: EventSinkOptions): EventSink {
  const { guildId, directory, people, rooms, metrics, chat, before, hub, onWhole, logger } = options;
  const seen = new Set<string>();
  /** None overtakes another on its way to the hub. */
  let tail: Promise<unknown> = Promise.resolve();

  async function publish(event: DomainEvent): Promise<string> {
    try {
      await before?.(event);
    } catch (error) {
      logger.warn({ ...factsOf(event), reason: messageOf(error) }, 'an event waits');
      return 'failed';
    }
    return hub.publishDiscordEvent(chat.incoming(event));
  }

  return async (event) => {
    if (!seen.has(event.id)) {
      seen.add(event.id);
      const [oldest] = seen;
      if (seen.size > MAX_SEEN && oldest !== undefined) seen.delete(oldest);
      // The directory first: whoever hears of a room from the hub may subscribe to it at once.
      directory.apply(event);
      people.apply(event);
      rooms.applyEvent(event);
      metrics.countDomainEvent(event);
    }
    // At once where nothing has to be done before: the hub keeps the order itself.
    const turn = before === undefined ? publish(event) : tail.then(() => publish(event));
    tail = turn;
    const outcome = await turn;
    logger[isOfVoice(event) ? 'info' : 'debug']({ ...factsOf(event), outcome }, 'event of Discord');
    // It may come again under its id.
    if (outcome === 'failed') seen.delete(event.id);
    // Not at READY: what a new session does not know of the guild comes behind it, and pages look again when told this.
    else if (event.event === 'voice.snapshot' && event.payload.guildId === guildId) onWhole();
    return outcome;
  };
}

function isOfVoice({ event }: DomainEvent): boolean {
  return event.startsWith('voice.') || event.startsWith('channel.');
}

/** Ids alone: what people wrote, and what they are called, has no place in a log. */
function factsOf({ event, id, traceId, payload }: DomainEvent): object {
  if ('members' in payload) {
    return { event, eventId: id, traceId, guildId: payload.guildId, members: payload.members.length };
  }
  return {
    event,
    eventId: id,
    traceId,
    guildId: payload.guildId,
    channelId: payload.channelId,
    ...('userId' in payload && { userId: payload.userId }),
  };
}
