/** Owns the way from a dispatch to domain event listeners, and to a voice connection. Refuses sockets and sessions. */
import type {
  DomainEvent,
  DomainEventName,
  Logger,
  Unsubscribe,
  VoiceServerSignal,
  VoiceSignalling,
  VoiceStateRequest,
  VoiceStateSignal,
} from '@guildkit/core';
import { ListenerTable } from './listeners.js';
import { fields, text } from './protocol/fields.js';
import { eventIdOf } from './protocol/trace.js';
import { eventOf, keepsState, type TranslatedEvent, type Translation, translate } from './protocol/translate.js';
import { VoiceMap } from './protocol/voice-map.js';
import { readVoiceRecord, recordVoice, type StoredVoice } from './protocol/voice-record.js';

/** What a feed needs of its client. */
export interface DomainFeedOptions {
  readonly enabled: boolean;
  readonly guildIds: ReadonlySet<string> | undefined;
  readonly logger: Logger;
  onListenerError(error: unknown, name: string): void;
}

/** Turns dispatches into domain events. */
export class DomainFeed {
  private readonly voice = new VoiceMap();
  private readonly listeners: ListenerTable<[event: DomainEvent]>;

  constructor(private readonly options: DomainFeedOptions) {
    this.listeners = new ListenerTable((error, name) => options.onListenerError(error, name));
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

  /** @returns What was wrong with the body, if it was not as documented. */
  push(dispatch: string, data: unknown, traceId: string, ts: number): string | undefined {
    const { events, problem } = this.translate(dispatch, data, ts);
    this.tell(events, traceId, ts);
    return problem;
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
  tellSnapshots(belongs: (guildId: string) => boolean, traceId: string, ts: number): void {
    const { voice } = this;
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
  retain(guildIds: readonly string[], belongs: (guildId: string) => boolean, traceId: string, ts: number): void {
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

/** The gateway's side of a voice connection. */
export class VoiceSignals implements VoiceSignalling {
  userId: string | undefined;
  private readonly states: ListenerTable<[state: VoiceStateSignal]>;
  private readonly servers: ListenerTable<[server: VoiceServerSignal]>;

  constructor(
    private readonly send: (request: VoiceStateRequest) => Promise<void>,
    onListenerError: (error: unknown, name: string) => void,
  ) {
    this.states = new ListenerTable(onListenerError);
    this.servers = new ListenerTable(onListenerError);
  }

  sendVoiceState(request: VoiceStateRequest): Promise<void> {
    return this.send(request);
  }

  onVoiceState(listener: (state: VoiceStateSignal) => void): Unsubscribe {
    return this.states.add('VOICE_STATE_UPDATE', listener);
  }

  onVoiceServer(listener: (server: VoiceServerSignal) => void): Unsubscribe {
    return this.servers.add('VOICE_SERVER_UPDATE', listener);
  }

  wants(dispatch: string): boolean {
    return this.states.has(dispatch) || this.servers.has(dispatch);
  }

  push(dispatch: string, data: unknown): void {
    const body = fields(data);
    const guildId = text(body, 'guild_id');
    if (guildId === undefined) return;
    const channelId = text(body, 'channel_id') ?? null;
    const [userId, sessionId] = [text(body, 'user_id'), text(body, 'session_id')];
    if (userId !== undefined && sessionId !== undefined) {
      this.states.call(dispatch, { guildId, userId, channelId, sessionId });
    }
    const token = text(body, 'token');
    if (token !== undefined) this.servers.call(dispatch, { guildId, token, endpoint: text(body, 'endpoint') ?? null });
  }
}
