/**
 * Owns who is in which voice channel, as far as the dispatches tell, and what changed with each of them. A bounded
 * mutable table without IO. Refuses ids and times: `translate.ts` adds them.
 */
import type { VoiceSnapshotMember } from '@guildkit/core';

/** A change that the map found. */
export type VoiceChange =
  | { readonly kind: 'joined'; readonly member: VoiceSnapshotMember }
  | { readonly kind: 'updated'; readonly member: VoiceSnapshotMember }
  | { readonly kind: 'moved'; readonly member: VoiceSnapshotMember; readonly fromChannelId: string }
  | {
      readonly kind: 'left';
      readonly member: Omit<VoiceSnapshotMember, 'channelId'>;
      readonly channelId: string | null;
    }
  | { readonly kind: 'channelCreated'; readonly channelId: string; readonly name: string }
  | { readonly kind: 'channelDeleted'; readonly channelId: string };

/** A voice channel. */
export interface VoiceChannel {
  readonly channelId: string;
  readonly name: string;
}

/** Where someone is now; `channelId: null` after leaving. */
export interface VoicePresence extends Omit<VoiceSnapshotMember, 'channelId'> {
  readonly channelId: string | null;
}

interface Guild {
  /** A GUILD_CREATE was seen: absence from the map means absence from voice. */
  complete: boolean;
  readonly members: Map<string, VoiceSnapshotMember>;
  readonly channels: Map<string, string>;
}

/** The voice state of all guilds a client sees. */
export class VoiceMap {
  private readonly guilds = new Map<string, Guild>();

  /** Someone's last known state. */
  member(guildId: string, userId: string): VoiceSnapshotMember | undefined {
    return this.guilds.get(guildId)?.members.get(userId);
  }

  /** Every guild of which anything is known. */
  guildIds(): string[] {
    return [...this.guilds.keys()];
  }

  /** Guilds that are known as a whole. */
  completeGuilds(): string[] {
    return this.guildIds().filter((guildId) => this.guilds.get(guildId)?.complete);
  }

  /** How many people and channels are known of a guild. */
  size(guildId: string): number {
    const guild = this.guilds.get(guildId);
    return guild === undefined ? 0 : guild.members.size + guild.channels.size;
  }

  /** Who is in voice in a guild. */
  members(guildId: string): VoiceSnapshotMember[] {
    return [...(this.guilds.get(guildId)?.members.values() ?? [])];
  }

  /** A guild's voice channels. */
  channels(guildId: string): VoiceChannel[] {
    const channels = this.guilds.get(guildId)?.channels ?? [];
    return Array.from(channels, ([channelId, name]) => ({ channelId, name }));
  }

  /** One person's new state. */
  setPresence(guildId: string, presence: VoicePresence): VoiceChange[] {
    const guild = this.guild(guildId);
    const { userId, channelId } = presence;
    const before = guild.members.get(userId);
    if (channelId === null) {
      guild.members.delete(userId);
      if (before !== undefined) return [{ kind: 'left', member: presence, channelId: before.channelId }];
      // Resumed by a process that has seen no GUILD_CREATE: someone left, from where we cannot know.
      return guild.complete ? [] : [{ kind: 'left', member: presence, channelId: null }];
    }
    const member: VoiceSnapshotMember = { ...presence, channelId };
    guild.members.set(userId, member);
    return change(before, member);
  }

  /**
   * The whole truth about a guild. The first time it is only noted; later it yields what happened since, joins and
   * leaves alike.
   */
  replace(guildId: string, members: readonly VoiceSnapshotMember[], channels: readonly VoiceChannel[]): VoiceChange[] {
    const guild = this.guild(guildId);
    const changes: VoiceChange[] = [];
    if (guild.complete) {
      const present = new Set(members.map(({ userId }) => userId));
      const known = new Set(channels.map(({ channelId }) => channelId));
      for (const { channelId, name } of channels) {
        if (!guild.channels.has(channelId)) changes.push({ kind: 'channelCreated', channelId, name });
      }
      for (const member of guild.members.values()) {
        if (!present.has(member.userId)) changes.push({ kind: 'left', member, channelId: member.channelId });
      }
      for (const member of members) changes.push(...change(guild.members.get(member.userId), member));
      for (const channelId of guild.channels.keys()) {
        if (!known.has(channelId)) changes.push({ kind: 'channelDeleted', channelId });
      }
    }
    guild.complete = true;
    guild.members.clear();
    for (const member of members) guild.members.set(member.userId, member);
    guild.channels.clear();
    for (const { channelId, name } of channels) guild.channels.set(channelId, name);
    return changes;
  }

  /** A voice channel that is new, or has a new name. */
  setChannel(guildId: string, { channelId, name }: VoiceChannel): VoiceChange[] {
    const { channels } = this.guild(guildId);
    const isNew = !channels.has(channelId);
    channels.set(channelId, name);
    return isNew ? [{ kind: 'channelCreated', channelId, name }] : [];
  }

  /** A voice channel that is gone, and with it everyone who was in it. */
  removeChannel(guildId: string, channelId: string): VoiceChange[] {
    const guild = this.guild(guildId);
    const changes: VoiceChange[] = [];
    for (const member of guild.members.values()) {
      if (member.channelId !== channelId) continue;
      guild.members.delete(member.userId);
      changes.push({ kind: 'left', member, channelId });
    }
    guild.channels.delete(channelId);
    changes.push({ kind: 'channelDeleted', channelId });
    return changes;
  }

  /** A guild that the bot is no longer in. */
  removeGuild(guildId: string): VoiceChange[] {
    const guild = this.guilds.get(guildId);
    if (guild === undefined) return [];
    this.guilds.delete(guildId);
    return Array.from(guild.members.values(), (member) => ({ kind: 'left', member, channelId: member.channelId }));
  }

  private guild(guildId: string): Guild {
    const known = this.guilds.get(guildId);
    if (known !== undefined) return known;
    const guild: Guild = { complete: false, members: new Map(), channels: new Map() };
    this.guilds.set(guildId, guild);
    return guild;
  }
}

function change(before: VoiceSnapshotMember | undefined, member: VoiceSnapshotMember): VoiceChange[] {
  if (before === undefined) return [{ kind: 'joined', member }];
  if (before.channelId !== member.channelId) return [{ kind: 'moved', member, fromChannelId: before.channelId }];
  const same =
    before.mute === member.mute &&
    before.deaf === member.deaf &&
    before.video === member.video &&
    before.username === member.username &&
    before.avatar === member.avatar;
  return same ? [] : [{ kind: 'updated', member }];
}
