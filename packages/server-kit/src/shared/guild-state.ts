/**
 * Owns what is known of each guild's voice channels, folded from Discord's events, so that a `voice.snapshot` can be made
 * whenever the other side may have missed something. Knows nothing of a guild before its first snapshot.
 */
import type { DomainEvent, VoiceSnapshotMember } from '@guildkit/core';

interface Guild {
  readonly members: Map<string, VoiceSnapshotMember>;
  readonly channels: Map<string, string>;
}

/** The voice channels of every guild that a snapshot has told of. */
export class GuildState {
  private readonly guilds = new Map<string, Guild>();

  /** Takes an event in. */
  apply(event: DomainEvent): void {
    if (event.event === 'voice.snapshot') {
      const { guildId, members, channels } = event.payload;
      this.guilds.set(guildId, {
        members: new Map(members.map((member) => [member.userId, member])),
        channels: new Map(channels.map(({ channelId, name }) => [channelId, name])),
      });
      return;
    }
    const guild = this.guilds.get(event.payload.guildId ?? '');
    if (guild === undefined) return;
    switch (event.event) {
      case 'voice.joined':
      case 'voice.moved':
      case 'voice.updated': {
        const { userId, username, avatar, channelId, mute, deaf, video } = event.payload;
        guild.members.set(userId, { userId, username, avatar, channelId, mute, deaf, video });
        return;
      }
      case 'voice.left': {
        const { userId, channelId } = event.payload;
        // Whoever is elsewhere by now has not left that place.
        if (channelId === null || guild.members.get(userId)?.channelId === channelId) guild.members.delete(userId);
        return;
      }
      case 'channel.created':
        guild.channels.set(event.payload.channelId, event.payload.name);
        return;
      case 'channel.deleted': {
        const { channelId } = event.payload;
        guild.channels.delete(channelId);
        for (const [userId, member] of guild.members) if (member.channelId === channelId) guild.members.delete(userId);
        return;
      }
      default:
    }
  }

  /** Whether a snapshot has told of the guild. */
  knows(guildId: string): boolean {
    return this.guilds.has(guildId);
  }

  /** The voice channel that someone is in. */
  whereIs(guildId: string, userId: string): string | undefined {
    return this.guilds.get(guildId)?.members.get(userId)?.channelId;
  }

  /** Who is in a voice channel. */
  membersOf(guildId: string, channelId: string): readonly VoiceSnapshotMember[] {
    return [...(this.guilds.get(guildId)?.members.values() ?? [])].filter((member) => member.channelId === channelId);
  }

  /** One snapshot event per known guild. */
  snapshots(ts: number, newId: () => string): readonly DomainEvent<'voice.snapshot'>[] {
    return [...this.guilds].map(([guildId, { members, channels }]) => ({
      event: 'voice.snapshot',
      payload: {
        guildId,
        members: [...members.values()],
        channels: [...channels].map(([channelId, name]) => ({ channelId, name })),
        timestamp: ts,
      },
      id: newId(),
      traceId: newId(),
      ts,
    }));
  }
}
