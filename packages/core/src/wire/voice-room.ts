/**
 * Owns how a voice room's state follows from its events. Hub and client run the same function, so a client that
 * applies the events to a snapshot ends where the hub is.
 */
import type { RoomEvents, VoiceRoomMember, VoiceRoomSnapshot } from './events.js';

/** An empty, open room. */
export function emptyVoiceRoom(channelId: string): VoiceRoomSnapshot {
  return { kind: 'voice', channelId, members: [], state: 'open', stale: false };
}

/** Applies one event. Events that do not concern the room return the same object. */
export function applyVoiceEvent(room: VoiceRoomSnapshot, event: string, payload: unknown): VoiceRoomSnapshot {
  switch (event) {
    case 'voice.joined':
    case 'voice.updated':
      return upsert(room, payload as RoomEvents['voice.joined'], event === 'voice.joined');
    case 'voice.left': {
      const { userId } = payload as RoomEvents['voice.left'];
      const members = room.members.filter((member) => member.userId !== userId);
      return members.length === room.members.length ? room : { ...room, members };
    }
    case 'voice.snapshot':
      return (payload as RoomEvents['voice.snapshot']).snapshot;
    case 'room.deleted':
      return { ...room, state: 'deleted', members: [] };
    default:
      return room;
  }
}

function upsert(room: VoiceRoomSnapshot, payload: RoomEvents['voice.joined'], joined: boolean): VoiceRoomSnapshot {
  const { userId, username, avatar, mute, deaf, video, timestamp } = payload;
  const known = room.members.findIndex((member) => member.userId === userId);
  // An update of someone who is not in the list says nothing about when they came: `voice.joined` will.
  if (known < 0 && !joined) return room;
  const joinedAt = room.members[known]?.joinedAt ?? timestamp;
  const member: VoiceRoomMember = { userId, username, avatar, mute, deaf, video, joinedAt };
  const members = known < 0 ? [...room.members, member] : room.members.with(known, member);
  return { ...room, members };
}
