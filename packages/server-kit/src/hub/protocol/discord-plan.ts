/**
 * Owns what a Discord event means for rooms: which events go into which logs. Pure, so that reconciling a guild is a
 * function of what the rooms say and what Discord says.
 */
import type { DomainEvent, VoiceSnapshotMember } from '@guildkit/core';
import {
  channelRoom,
  guildRoom,
  type RoomEvents,
  type VoiceRoomMember,
  type VoiceRoomSnapshot,
} from '@guildkit/core/wire';
import type { ChatDomainEvent, VoiceDomainEvent } from './discord-schema.js';

/** One event to append. */
export type PlannedEvent = {
  [Name in keyof RoomEvents & string]: {
    readonly room: string;
    readonly event: Name;
    readonly payload: RoomEvents[Name];
    /** Derived from the Discord event's id: the same again when it is delivered again. */
    readonly id: string;
    /** The guild's room, for rooms of channels. */
    readonly group?: string | undefined;
  };
}[keyof RoomEvents & string];

/** What the rooms of a guild say before a snapshot. */
export interface GuildView {
  /** Of the guild's room. */
  readonly channels: readonly { readonly channelId: string; readonly name: string }[];
  /** Every voice room of the guild that has a state. */
  readonly rooms: readonly VoiceRoomSnapshot[];
}

/** More changes than this in one room are told as one `voice.snapshot`. */
export const MAX_SINGLE_CHANGES = 32;

/** The event of something said: in its channel's room, which it does not make a room of the guild's voice. */
export function planChatEvent({ id, event, payload }: ChatDomainEvent): readonly PlannedEvent[] {
  return [{ room: channelRoom(payload.channelId), event, payload, id } as PlannedEvent];
}

/** The events of everything but chat and a snapshot. `voice.left` needs its channel to be known. */
export function planDiscordEvent(
  event: Exclude<VoiceDomainEvent, { event: 'voice.snapshot' }>,
): readonly PlannedEvent[] {
  const { id } = event;
  switch (event.event) {
    case 'voice.joined':
    case 'voice.updated': {
      const { guildId, channelId } = event.payload;
      const [room, group] = [channelRoom(channelId), guildRoom(guildId)];
      return [{ room, group, event: event.event, payload: event.payload, id }];
    }
    case 'voice.left': {
      const { guildId, channelId } = event.payload;
      if (channelId === null) return [];
      return [
        { room: channelRoom(channelId), group: guildRoom(guildId), event: 'voice.left', payload: event.payload, id },
      ];
    }
    case 'voice.moved': {
      const { fromChannelId, ...joined } = event.payload;
      const { guildId, channelId, userId, username, avatar, timestamp } = joined;
      const group = guildRoom(guildId);
      const arrival: PlannedEvent = { room: channelRoom(channelId), group, event: 'voice.joined', payload: joined, id };
      if (fromChannelId === channelId) return [arrival];
      // Private rooms learn nothing of each other: the old room is not told where to, nor the new one where from.
      const left = { guildId, channelId: fromChannelId, userId, username, avatar, timestamp };
      return [{ room: channelRoom(fromChannelId), group, event: 'voice.left', payload: left, id }, arrival];
    }
    case 'channel.created':
      return [{ room: guildRoom(event.payload.guildId), event: 'room.created', payload: event.payload, id }];
    case 'channel.deleted':
      return deletion(event.payload.guildId, event.payload.channelId, id);
  }
}

/** The fewest events that bring the rooms of a guild to what Discord says. Rooms that agree get none. */
export function planSnapshot(event: DomainEvent<'voice.snapshot'>, view: GuildView): readonly PlannedEvent[] {
  const { id, payload } = event;
  const { guildId } = payload;
  const group = guildRoom(guildId);
  const planned: PlannedEvent[] = [];

  const known = new Map(view.channels.map((channel) => [channel.channelId, channel.name]));
  const exists = new Set(payload.channels.map((channel) => channel.channelId));
  for (const channel of payload.channels) {
    if (known.get(channel.channelId) === channel.name) continue;
    planned.push({
      room: group,
      event: 'room.created',
      payload: { ...channel, guildId },
      id: `${id}/${channel.channelId}`,
    });
  }
  const deleted = new Set([...known.keys()].filter((channelId) => !exists.has(channelId)));
  for (const channelId of deleted) planned.push(...deletion(guildId, channelId, `${id}/${channelId}`));

  const present = membersByChannel(payload.members);
  const rooms = new Map(view.rooms.map((room) => [room.channelId, room]));
  for (const channelId of new Set([...rooms.keys(), ...present.keys()])) {
    if (deleted.has(channelId)) continue;
    planned.push(
      ...reconcile(event, channelId, rooms.get(channelId), present.get(channelId) ?? [], exists.has(channelId)),
    );
  }
  return planned;
}

function reconcile(
  { id, payload: { guildId, timestamp } }: DomainEvent<'voice.snapshot'>,
  channelId: string,
  room: VoiceRoomSnapshot | undefined,
  present: readonly VoiceSnapshotMember[],
  exists: boolean,
): readonly PlannedEvent[] {
  const target = { room: channelRoom(channelId), group: guildRoom(guildId) };
  const before = new Map((room?.members ?? []).map((member) => [member.userId, member]));
  const now = new Set(present.map((member) => member.userId));
  const changes: PlannedEvent[] = [];
  for (const { userId, username, avatar } of before.values()) {
    if (now.has(userId)) continue;
    const payload = { guildId, channelId, userId, username, avatar, timestamp };
    changes.push({ ...target, event: 'voice.left', payload, id: `${id}/${userId}` });
  }
  for (const member of present) {
    const old = before.get(member.userId);
    if (old !== undefined && isSame(old, member)) continue;
    const payload = { guildId, timestamp, ...member };
    const event = old === undefined ? 'voice.joined' : 'voice.updated';
    changes.push({ ...target, event, payload, id: `${id}/${member.userId}` });
  }
  // Discord has the channel, the room says it was deleted or is out of date: only the whole state can say otherwise.
  const wrongState = room !== undefined && ((room.state === 'deleted' && (exists || present.length > 0)) || room.stale);
  if (!wrongState && changes.length <= MAX_SINGLE_CHANGES) return changes;
  const members = present.map(
    ({ channelId: _, ...member }): VoiceRoomMember => ({
      ...member,
      joinedAt: before.get(member.userId)?.joinedAt ?? timestamp,
    }),
  );
  const snapshot: VoiceRoomSnapshot = { kind: 'voice', channelId, members, state: 'open', stale: false };
  return [{ ...target, event: 'voice.snapshot', payload: { snapshot }, id }];
}

function deletion(guildId: string, channelId: string, id: string): readonly PlannedEvent[] {
  const group = guildRoom(guildId);
  const payload = { channelId, guildId };
  return [
    { room: channelRoom(channelId), group, event: 'room.deleted', payload, id },
    { room: group, event: 'room.deleted', payload, id },
  ];
}

/** Someone who is listed twice is where the later entry says. */
function membersByChannel(members: readonly VoiceSnapshotMember[]): Map<string, VoiceSnapshotMember[]> {
  const byChannel = new Map<string, VoiceSnapshotMember[]>();
  for (const member of new Map(members.map((each) => [each.userId, each])).values()) {
    const { channelId } = member;
    byChannel.set(channelId, [...(byChannel.get(channelId) ?? []), member]);
  }
  return byChannel;
}

function isSame(a: VoiceRoomMember, b: VoiceSnapshotMember): boolean {
  return (
    a.username === b.username && a.avatar === b.avatar && a.mute === b.mute && a.deaf === b.deaf && a.video === b.video
  );
}
