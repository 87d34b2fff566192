/** Discord events as the gateway makes them. */
import type { DomainEvent, DomainEventName, DomainEvents } from '@guildkit/core';

export const GUILD = '1';
let ids = 0;

export function domainEvent<Name extends DomainEventName>(
  event: Name,
  payload: DomainEvents[Name],
  id?: string,
): DomainEvent {
  ids += 1;
  return { event, payload, id: id ?? `e${ids}`, traceId: 't', ts: 1_000 } as DomainEvent;
}

export const person = (userId: string) => ({ userId, username: `name ${userId}`, avatar: null });
const flags = { mute: false, deaf: false, video: false };

export const joined = (userId: string, channelId: string, id?: string): DomainEvent =>
  domainEvent('voice.joined', { guildId: GUILD, channelId, ...person(userId), ...flags, timestamp: 1 }, id);

export const left = (userId: string, channelId: string | null, id?: string): DomainEvent =>
  domainEvent('voice.left', { guildId: GUILD, channelId, ...person(userId), timestamp: 1 }, id);

export const moved = (userId: string, fromChannelId: string, channelId: string, id?: string): DomainEvent =>
  domainEvent(
    'voice.moved',
    { guildId: GUILD, channelId, fromChannelId, ...person(userId), ...flags, timestamp: 1 },
    id,
  );

export const updated = (userId: string, channelId: string, mute: boolean, id?: string): DomainEvent =>
  domainEvent('voice.updated', { guildId: GUILD, channelId, ...person(userId), ...flags, mute, timestamp: 1 }, id);

export const created = (channelId: string, name = `voice ${channelId}`, id?: string): DomainEvent =>
  domainEvent('channel.created', { guildId: GUILD, channelId, name }, id);

export const deleted = (channelId: string, id?: string): DomainEvent =>
  domainEvent('channel.deleted', { guildId: GUILD, channelId }, id);

export const snapshot = (
  members: readonly { userId: string; channelId: string; mute?: boolean }[],
  channels: readonly string[],
  id?: string,
): DomainEvent =>
  domainEvent(
    'voice.snapshot',
    {
      guildId: GUILD,
      members: members.map(({ userId, channelId, mute = false }) => ({ channelId, ...person(userId), ...flags, mute })),
      channels: channels.map((channelId) => ({ channelId, name: `voice ${channelId}` })),
      timestamp: 2,
    },
    id,
  );
