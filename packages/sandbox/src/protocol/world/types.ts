/**
 * Owns what the sandbox knows: guilds, channels, messages, roles, members, voice states, bots. Plain data that
 * serialises; Discord's wire shapes are made from it in `payloads/`.
 */
import type { APIApplicationCommand, APIEmbed, APIOverwrite, ChannelType } from 'discord-api-types/v10';
import type { SeededRandom } from '../random.js';
import type { IdSource } from '../snowflake.js';

/** A user account: a person's or a bot's. */
export interface User {
  readonly id: string;
  username: string;
  globalName: string | null;
  avatar: string | null;
  readonly bot: boolean;
}

/** A user's place in one guild. */
export interface Member {
  readonly userId: string;
  nick: string | null;
  /** Role ids, without the guild's own @everyone. */
  roles: string[];
  /** ISO 8601. */
  readonly joinedAt: string;
  /** Set by a moderator. */
  mute: boolean;
  deaf: boolean;
}

/** A role. Its id is the guild's for @everyone. */
export interface Role {
  readonly id: string;
  name: string;
  color: number;
  hoist: boolean;
  position: number;
  permissions: bigint;
  readonly managed: boolean;
  mentionable: boolean;
  /** The bot whose role it is. */
  readonly botId: string | null;
}

/** A file of a message. Its bytes are in the attachment store. */
export interface Attachment {
  readonly id: string;
  readonly filename: string;
  readonly size: number;
  readonly contentType: string | null;
  readonly description: string | null;
}

/** Who reacted with one emoji, in order. */
export interface Reaction {
  /** The emoji itself: the guild has no custom ones. */
  readonly emoji: string;
  readonly userIds: string[];
}

/** A message. */
export interface Message {
  readonly id: string;
  readonly channelId: string;
  /** A user's id, or the webhook's. */
  readonly authorId: string;
  /** Name and avatar that a webhook took for this message. */
  readonly webhook: { readonly id: string; readonly name: string; readonly avatar: string | null } | null;
  readonly type: number;
  content: string;
  /** ISO 8601. */
  readonly timestamp: string;
  /** Unix ms of {@link Message.timestamp}. */
  readonly sentAt: number;
  editedTimestamp: string | null;
  readonly tts: boolean;
  mentionsEveryone: boolean;
  /** Ids of mentioned users and roles. */
  mentions: readonly string[];
  mentionRoles: readonly string[];
  attachments: readonly Attachment[];
  embeds: readonly APIEmbed[];
  flags: number;
  readonly nonce: string | number | null;
  /** The message it answers. */
  readonly referenceId: string | null;
  readonly reactions: Reaction[];
}

/** The kinds of guild channel that the sandbox holds. */
export type SandboxChannelType =
  | ChannelType.GuildText
  | ChannelType.GuildVoice
  | ChannelType.GuildCategory
  | ChannelType.GuildAnnouncement
  | ChannelType.GuildStageVoice;

/** A channel. Fields that its type lacks keep their defaults and are not shown. */
export interface Channel {
  readonly id: string;
  readonly guildId: string;
  readonly type: SandboxChannelType;
  name: string;
  position: number;
  parentId: string | null;
  overwrites: APIOverwrite[];
  nsfw: boolean;
  topic: string | null;
  /** Seconds between messages of one user. */
  slowmode: number;
  /** Bits a second. */
  bitrate: number;
  /** 0 for no limit. */
  userLimit: number;
  rtcRegion: string | null;
  videoQualityMode: number;
  lastMessageId: string | null;
  /** Oldest first. */
  readonly messages: Map<string, Message>;
}

/** A conversation of a bot with a user. */
export interface DmChannel {
  readonly id: string;
  readonly botId: string;
  readonly userId: string;
  lastMessageId: string | null;
  readonly messages: Map<string, Message>;
}

/** An invite to a guild. */
export interface Invite {
  readonly code: string;
  readonly channelId: string;
  readonly inviterId: string;
  /** Seconds, 0 for ever. */
  readonly maxAge: number;
  /** 0 for any number. */
  readonly maxUses: number;
  uses: number;
  readonly temporary: boolean;
  /** Unix ms and ISO 8601. */
  readonly createdAt: number;
  readonly createdStamp: string;
  /** ISO 8601, `null` for ever. */
  readonly expiresStamp: string | null;
}

/** An incoming webhook. */
export interface Webhook {
  readonly id: string;
  readonly token: string;
  readonly creatorId: string;
  channelId: string;
  name: string;
  avatar: string | null;
}

/** Someone's voice connection. */
export interface VoiceState {
  readonly userId: string;
  channelId: string;
  sessionId: string;
  selfMute: boolean;
  selfDeaf: boolean;
  selfVideo: boolean;
  selfStream: boolean;
}

/** A guild. */
export interface Guild {
  readonly id: string;
  name: string;
  readonly ownerId: string;
  systemChannelId: string | null;
  readonly channels: Map<string, Channel>;
  readonly roles: Map<string, Role>;
  readonly members: Map<string, Member>;
  readonly voiceStates: Map<string, VoiceState>;
  /** By code. */
  readonly invites: Map<string, Invite>;
  readonly webhooks: Map<string, Webhook>;
}

/** How a user appears. */
export interface Presence {
  readonly status: 'online' | 'idle' | 'dnd';
  readonly activities: readonly PresenceActivity[];
}

/** What a user is doing. */
export interface PresenceActivity {
  readonly name: string;
  readonly type: number;
  readonly state?: string | undefined;
  readonly url?: string | undefined;
}

/** An application with its bot. The application's id is the bot user's, as with every application since 2016. */
export interface Bot {
  readonly id: string;
  /** Privileged intents that are switched on for it, as bits. */
  readonly privilegedIntents: number;
  readonly guildIds: Set<string>;
  /** Its application commands, global ones and those of a guild. */
  readonly commands: Map<string, APIApplicationCommand>;
}

/** Everything. */
export interface World {
  readonly ids: IdSource;
  readonly random: SeededRandom;
  readonly guilds: Map<string, Guild>;
  readonly users: Map<string, User>;
  /** By user; who is not in it is offline. */
  readonly presences: Map<string, Presence>;
  readonly bots: Map<string, Bot>;
  readonly dms: Map<string, DmChannel>;
  /** Where the sandbox is reached, `http://127.0.0.1:8787`; empty until it listens. */
  readonly site: { origin: string };
}
