/**
 * Owns how a voice room's state follows from its events. Hub and client run the same function, so a client that
 * applies the events to a snapshot ends where the hub is.
 */
import type { RoomEvents, VoiceRoomMember, VoiceRoomSnapshot } from './events.js';

/** An empty, open room. */
export function emptyVoiceRoom(channelId: string): VoiceRoomSnapshot {
  return { kind: 'voice', channelId, members: [], state: 'open', stale: false };
}

/**
 * Applies one event. Events that do not concern the room (another channel's, unknown ones, a payload that is no
 * object) return the same object. A deleted room stays as it is until a snapshot says otherwise.
 */
export function applyVoiceEvent(room: VoiceRoomSnapshot, event: string, payload: unknown): VoiceRoomSnapshot {
  if (typeof payload !== 'object' || payload === null) return room;
  switch (event) {
    case 'voice.joined':
    case 'voice.updated':
      return upsert(room, payload as RoomEvents['voice.joined'], event === 'voice.joined');
    case 'voice.left': {
      const { userId, channelId } = payload as RoomEvents['voice.left'];
      // `null` names no channel: whoever it was is in no voice channel at all.
      if (channelId !== null && channelId !== room.channelId) return room;
      const members = room.members.filter((member) => member.userId !== userId);
      return members.length === room.members.length ? room : { ...room, members };
    }
    case 'voice.snapshot': {
      const { snapshot } = payload as RoomEvents['voice.snapshot'];
      return snapshot?.channelId === room.channelId ? snapshot : room;
    }
    case 'room.deleted': {
      const { channelId } = payload as RoomEvents['room.deleted'];
      if (channelId !== room.channelId || room.state === 'deleted') return room;
      return { ...room, state: 'deleted', members: [] };
    }
    default:
      return room;
  }
}

function upsert(room: VoiceRoomSnapshot, payload: RoomEvents['voice.joined'], joined: boolean): VoiceRoomSnapshot {
  if (payload.channelId !== room.channelId || room.state === 'deleted') return room;
  const { userId, username, avatar, mute, deaf, video, timestamp } = payload;
  const known = room.members.findIndex((member) => member.userId === userId);
  // An update of someone who is not in the list says nothing about when they came: `voice.joined` will.
  if (known < 0 && !joined) return room;
  const joinedAt = room.members[known]?.joinedAt ?? timestamp;
  const member: VoiceRoomMember = { userId, username, avatar, mute, deaf, video, joinedAt };
  const members = known < 0 ? [...room.members, member] : room.members.with(known, member);
  return { ...room, members };
}
