/** Owns who is in voice as Discord's events say, so that the whole can be told to a process that comes later. */
import type { DomainEvent, VoiceSnapshotMember } from '@guildkit/core';

export interface VoiceBook {
  apply(event: DomainEvent): void;
  /** The whole of the guild; `undefined` before the first snapshot. */
  whole(): DomainEvent<'voice.snapshot'> | undefined;
}

export function createVoiceBook(guildId: string): VoiceBook {
  const members = new Map<string, VoiceSnapshotMember>();
  const channels = new Map<string, string>();
  let isKnown = false;
  return {
    apply(event) {
      if (event.payload.guildId !== guildId) return;
      switch (event.event) {
        case 'voice.snapshot':
          members.clear();
          channels.clear();
          for (const member of event.payload.members) members.set(member.userId, member);
          for (const { channelId, name } of event.payload.channels) channels.set(channelId, name);
          isKnown = true;
          break;
        case 'voice.joined':
        case 'voice.moved':
        case 'voice.updated': {
          const { userId, username, avatar, channelId, mute, deaf, video } = event.payload;
          members.set(userId, { userId, username, avatar, channelId, mute, deaf, video });
          break;
        }
        case 'voice.left': {
          const { userId, channelId } = event.payload;
          // Whoever is elsewhere by now has left that place before.
          if (channelId === null || members.get(userId)?.channelId === channelId) members.delete(userId);
          break;
        }
        case 'channel.created':
          channels.set(event.payload.channelId, event.payload.name);
          break;
        case 'channel.deleted':
          channels.delete(event.payload.channelId);
          for (const [userId, { channelId }] of members) {
            if (channelId === event.payload.channelId) members.delete(userId);
          }
          break;
      }
    },
    whole() {
      if (!isKnown) return undefined;
      const ts = Date.now();
      const id = `whole ${crypto.randomUUID()}`;
      const payload = {
        guildId,
        members: [...members.values()],
        channels: [...channels].map(([channelId, name]) => ({ channelId, name })),
        timestamp: ts,
      };
      return { event: 'voice.snapshot', payload, id, traceId: id, ts };
    },
  };
}
