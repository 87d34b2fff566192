/**
 * Owns what the gateway tells the rest of the suite about Discord: the shape that the gateway emits in process
 * and that webhook and link carry. Refuses Discord's raw payloads.
 */

/** Who, as Discord shows them. */
export interface DiscordPerson {
  readonly userId: string;
  /** Server nickname, else display name, else user name. */
  readonly username: string;
  /** Avatar hash, or `null` for the default avatar. */
  readonly avatar: string | null;
}

/** How someone is in voice. `mute` and `deaf` join what they chose and what a moderator set. */
export interface VoiceFlags {
  readonly mute: boolean;
  readonly deaf: boolean;
  readonly video: boolean;
}

/** Someone in a voice channel. */
export interface VoiceEvent extends DiscordPerson, VoiceFlags {
  readonly guildId: string;
  readonly channelId: string;
  /** When it was seen, unix ms. */
  readonly timestamp: number;
}

/** Someone left or was removed: Discord does not say which. */
export interface VoiceLeftEvent extends DiscordPerson {
  readonly guildId: string;
  readonly channelId: string | null;
  readonly timestamp: number;
}

/** Someone changed channels in one step. */
export interface VoiceMovedEvent extends VoiceEvent {
  readonly fromChannelId: string;
}

/** Someone in a snapshot. */
export interface VoiceSnapshotMember extends DiscordPerson, VoiceFlags {
  readonly channelId: string;
}

/** Who is in voice in a whole guild, after the gateway may have missed something. */
export interface VoiceSnapshotEvent {
  readonly guildId: string;
  readonly members: readonly VoiceSnapshotMember[];
  /** The guild's voice channels. */
  readonly channels: readonly { readonly channelId: string; readonly name: string }[];
  readonly timestamp: number;
}

/** A voice channel. */
export interface ChannelCreatedEvent {
  readonly channelId: string;
  readonly guildId: string;
  readonly name: string;
}

/** A voice channel that is gone. */
export interface ChannelDeletedEvent {
  readonly channelId: string;
  readonly guildId: string;
}

/** A chat message. */
export interface MessageEvent extends DiscordPerson {
  readonly guildId: string | null;
  readonly channelId: string;
  readonly messageId: string;
  readonly content: string;
  readonly timestamp: number;
}

/** A chat message that is gone. */
export interface MessageDeletedEvent {
  readonly guildId: string | null;
  readonly channelId: string;
  readonly messageId: string;
}

/** A reaction. */
export interface ReactionEvent {
  readonly guildId: string | null;
  readonly channelId: string;
  readonly messageId: string;
  readonly userId: string;
  /** The emoji itself, or `name:id` of a custom one. */
  readonly emoji: string;
}

/** Someone began to type. */
export interface TypingEvent {
  readonly guildId: string | null;
  readonly channelId: string;
  readonly userId: string;
  readonly timestamp: number;
}

/** Every domain event's payload by name. */
export interface DomainEvents {
  'voice.joined': VoiceEvent;
  'voice.left': VoiceLeftEvent;
  'voice.moved': VoiceMovedEvent;
  'voice.updated': VoiceEvent;
  'voice.snapshot': VoiceSnapshotEvent;
  'channel.created': ChannelCreatedEvent;
  'channel.deleted': ChannelDeletedEvent;
  'message.created': MessageEvent;
  'message.updated': MessageEvent;
  'message.deleted': MessageDeletedEvent;
  'reaction.added': ReactionEvent;
  'reaction.removed': ReactionEvent;
  'typing.started': TypingEvent;
}

/** Name of a domain event. */
export type DomainEventName = keyof DomainEvents;

/** One domain event as it is handed on: in process, by webhook or by link. A union over the names. */
export type DomainEvent<Name extends DomainEventName = DomainEventName> = {
  [N in Name]: {
    readonly event: N;
    readonly payload: DomainEvents[N];
    /** Unique; the same event delivered twice has the same id. */
    readonly id: string;
    /** Follows the event through every log line. */
    readonly traceId: string;
    /** When the gateway saw it, unix ms. */
    readonly ts: number;
  };
}[Name];
