/** Owns the way from a dispatch to domain event listeners. Refuses sockets and sessions. */
import type { Clock, DomainEvent, DomainEventName, Logger, Unsubscribe } from '@guildkit/core';
import type { DispatchSink } from './dispatch-router.js';
import type { DispatchMeta } from './events.js';
import { ListenerTable } from './listeners.js';
import { eventIdOf } from './protocol/trace.js';
import { eventOf, keepsState, type TranslatedEvent, type Translation, translate } from './protocol/translate.js';
import { VoiceMap } from './protocol/voice-map.js';
import { readVoiceRecord, recordVoice, type StoredVoice } from './protocol/voice-record.js';

/** What a feed needs of its client. */
export interface DomainFeedOptions {
  readonly enabled: boolean;
  readonly guildIds: ReadonlySet<string> | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  onListenerError(error: unknown, name: string): void;
  /** Other dispatches are wanted than before. */
  onChange(): void;
  /** A body was not as documented. `what` holds nothing of its content. */
  onMalformed(what: string, shardId: number): void;
}

/** Turns dispatches into domain events. */
export class DomainFeed implements DispatchSink {
  private readonly voice = new VoiceMap();
  private readonly listeners: ListenerTable<DomainEvent>;

  constructor(private readonly options: DomainFeedOptions) {
    this.listeners = new ListenerTable(
      (error, name) => options.onListenerError(error, name),
      () => options.onChange(),
    );
  }

  on(name: DomainEventName | '*', listener: (event: DomainEvent) => void): Unsubscribe {
    if (!this.options.enabled) throw new TypeError('DiscordGatewayClient: option "domainEvents" is false');
    return this.listeners.add(name, listener);
  }

  /** Voice and channels always, to know the state when someone begins to listen; the rest when someone does. */
  wants(dispatch: string): boolean {
    if (!this.options.enabled) return false;
    if (keepsState(dispatch)) return true;
    const event = eventOf(dispatch);
    return event !== undefined && (this.listeners.has('*') || this.listeners.has(event));
  }

  push(dispatch: string, data: unknown, { shardId, traceId }: DispatchMeta): void {
    const ts = this.options.clock.wallTime();
    const { events, problem } = this.translate(dispatch, data, ts);
    this.tell(events, traceId, ts);
    if (problem !== undefined) this.options.onMalformed(problem, shardId);
  }

  /** What is known, for the next process; `undefined` when nothing is kept. @param belongs Guilds to write down. */
  record(belongs: (guildId: string) => boolean): StoredVoice | undefined {
    return this.options.enabled ? recordVoice(this.voice, belongs) : undefined;
  }

  /** Takes over what an earlier process knew. Nothing has happened by that: no event comes of it. */
  restore(record: unknown): void {
    const { enabled, guildIds } = this.options;
    if (!enabled) return;
    for (const { guildId, members, channels } of readVoiceRecord(record)) {
      if (guildIds?.has(guildId) ?? true) this.voice.replace(guildId, members, channels);
    }
  }

  /** Tells the whole of each guild, as a GUILD_CREATE would, where none came. */
  tellSnapshots(belongs: (guildId: string) => boolean, traceId: string): void {
    const { voice } = this;
    const ts = this.options.clock.wallTime();
    const events = voice
      .completeGuilds()
      .filter(belongs)
      .map((guildId): TranslatedEvent => {
        const [members, channels] = [voice.members(guildId), voice.channels(guildId)];
        return { event: 'voice.snapshot', payload: { guildId, members, channels, timestamp: ts } };
      });
    this.tell(events, traceId, ts);
  }

  /** Forgets guilds that a new session does not have any more. @param belongs Guilds that it would have. */
  retain(guildIds: readonly string[], belongs: (guildId: string) => boolean, traceId: string): void {
    const ts = this.options.clock.wallTime();
    const present = new Set(guildIds);
    const gone = this.voice.guildIds().filter((guildId) => belongs(guildId) && !present.has(guildId));
    const events = gone.flatMap((id) => this.translate('GUILD_DELETE', { id }, ts).events);
    this.tell(events, traceId, ts);
  }

  private translate(dispatch: string, data: unknown, now: number): Translation {
    return translate(dispatch, data, { voice: this.voice, now, guildIds: this.options.guildIds });
  }

  private tell(events: readonly TranslatedEvent[], traceId: string, ts: number): void {
    events.forEach((translated, index) => {
      const event = { ...translated, id: eventIdOf(traceId, index), traceId, ts } as DomainEvent;
      if (event.event.startsWith('voice.')) this.options.logger.info({ event: event.event, traceId }, 'voice event');
      this.listeners.call(event.event, event);
      this.listeners.call('*', event);
    });
  }
}
