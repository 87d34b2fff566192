/** Owns the names and payloads of the events in room logs. Apps add theirs by declaration merging. */
import type { MessageDeletedEvent, MessageEvent, ReactionEvent, TypingEvent, VoiceFlags } from '../domain-events.js';

/** Someone joined the voice channel of this room, or is there in another way than before (`voice.updated`). */
export interface VoicePresencePayload extends VoiceFlags {
  readonly guildId: string;
  readonly channelId: string;
  readonly userId: string;
  readonly username: string;
  readonly avatar: string | null;
  /** Unix ms. */
  readonly timestamp: number;
}

/** Someone left or was removed. On the wire `channelId` is the room that was left. */
export interface VoiceLeftPayload {
  readonly guildId: string;
  readonly channelId: string | null;
  readonly userId: string;
  readonly username: string;
  readonly avatar: string | null;
  readonly timestamp: number;
}

/** A voice channel was created; published to `guild:<id>`. */
export interface RoomCreatedPayload {
  readonly channelId: string;
  readonly name: string;
  readonly guildId: string;
}

/** A voice channel was deleted; published to `guild:<id>` and `channel:<id>`. */
export interface RoomDeletedPayload {
  readonly channelId: string;
  readonly guildId: string;
}

/** A room will be closed unless someone acts. */
export interface RoomClosingPayload {
  readonly channelId: string;
  readonly guildId: string;
  /** Unix ms. */
  readonly closesAt: number;
}

/** The whole state of a room, after the server may have missed something. */
export interface VoiceSnapshotPayload {
  readonly snapshot: VoiceRoomSnapshot;
}

/** Every room event's payload by name. Extend it by declaration merging on `@guildkit/core/wire`. */
export interface RoomEvents {
  'voice.joined': VoicePresencePayload;
  'voice.left': VoiceLeftPayload;
  'voice.updated': VoicePresencePayload;
  'voice.snapshot': VoiceSnapshotPayload;
  'room.created': RoomCreatedPayload;
  'room.deleted': RoomDeletedPayload;
  'room.closing': RoomClosingPayload;
  'message.created': MessageEvent;
  'message.updated': MessageEvent;
  'message.deleted': MessageDeletedEvent;
  'reaction.added': ReactionEvent;
  'reaction.removed': ReactionEvent;
  'typing.started': TypingEvent;
}

/** Someone in a voice room. */
export interface VoiceRoomMember extends VoiceFlags {
  readonly userId: string;
  readonly username: string;
  readonly avatar: string | null;
  /** Unix ms at which the server saw the person join. */
  readonly joinedAt: number;
}

/** State of a `channel:<id>` room. */
export interface VoiceRoomSnapshot {
  readonly kind: 'voice';
  readonly channelId: string;
  /** In the order of joining. */
  readonly members: readonly VoiceRoomMember[];
  /** `deleted`: the Discord channel is gone. */
  readonly state: 'open' | 'deleted';
  /** The server has lost its view of Discord for a while: the list may be old. */
  readonly stale: boolean;
}

/** State of a `guild:<id>` room. */
export interface GuildRoomSnapshot {
  readonly kind: 'guild';
  readonly guildId: string;
  readonly channels: readonly { readonly channelId: string; readonly name: string }[];
}

/** State of any room. `none`: the room keeps events only. */
export type RoomSnapshot = VoiceRoomSnapshot | GuildRoomSnapshot | { readonly kind: 'none' };
