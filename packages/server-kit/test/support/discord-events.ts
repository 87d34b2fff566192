/** Discord's events in short form. */
import type { DomainEvent } from '@guildkit/core';

let ids = 0;
const frame = (ts: number) => {
  ids += 1;
  return { id: `event ${ids}`, traceId: `trace ${ids}`, ts };
};
const person = (userId: string) => ({ userId, username: `name ${userId}`, avatar: null });
const flags = { mute: false, deaf: false, video: false };

export const joined = (userId: string, channelId: string, guildId = '1'): DomainEvent<'voice.joined'> => ({
  event: 'voice.joined',
  payload: { guildId, channelId, ...person(userId), ...flags, timestamp: 5 },
  ...frame(5),
});

export const updated = (userId: string, channelId: string, mute = true): DomainEvent<'voice.updated'> => ({
  event: 'voice.updated',
  payload: { guildId: '1', channelId, ...person(userId), ...flags, mute, timestamp: 5 },
  ...frame(5),
});

export const moved = (userId: string, fromChannelId: string, channelId: string): DomainEvent<'voice.moved'> => ({
  event: 'voice.moved',
  payload: { guildId: '1', channelId, fromChannelId, ...person(userId), ...flags, timestamp: 5 },
  ...frame(5),
});

export const left = (userId: string, channelId: string | null): DomainEvent<'voice.left'> => ({
  event: 'voice.left',
  payload: { guildId: '1', channelId, ...person(userId), timestamp: 5 },
  ...frame(5),
});

export const snapshot = (
  members: readonly (readonly [userId: string, channelId: string])[],
  channels: readonly string[] = ['10', '11'],
  guildId = '1',
): DomainEvent<'voice.snapshot'> => ({
  event: 'voice.snapshot',
  payload: {
    guildId,
    members: members.map(([userId, channelId]) => ({ ...person(userId), channelId, ...flags })),
    channels: channels.map((channelId) => ({ channelId, name: `channel ${channelId}` })),
    timestamp: 5,
  },
  ...frame(5),
});

export const typing = (userId: string, channelId: string): DomainEvent<'typing.started'> => ({
  event: 'typing.started',
  payload: { guildId: '1', channelId, userId, timestamp: 5 },
  ...frame(5),
});

export const message = (messageId: string, channelId: string): DomainEvent<'message.created'> => ({
  event: 'message.created',
  payload: { guildId: '1', channelId, messageId, ...person('7'), content: 'hello', timestamp: 5 },
  ...frame(5),
});
