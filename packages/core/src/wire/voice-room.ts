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
  // What is no object has none of the fields.
  const fields: unknown = Object(payload);
  if (event === 'voice.snapshot') {
    const { snapshot } = fields as RoomEvents['voice.snapshot'];
    return snapshot?.channelId === room.channelId ? snapshot : room;
  }
  const { guildId, channelId, timestamp, ...person } = fields as RoomEvents['voice.joined'];
  // `null` names no channel: whoever left is in no voice channel at all.
  const concerns = channelId === room.channelId || (channelId === null && event === 'voice.left');
  if (!concerns || room.state === 'deleted') return room;
  const { members } = room;
  if (event === 'room.deleted') return { ...room, state: 'deleted', members: [] };
  const known = members.findIndex((member) => member.userId === person.userId);
  if (event !== 'voice.joined') {
    // An update of someone who is not in the list says nothing about when they came: `voice.joined` will.
    if (known < 0) return room;
    if (event === 'voice.left') return { ...room, members: members.toSpliced(known, 1) };
    if (event !== 'voice.updated') return room;
  }
  const member: VoiceRoomMember = { ...person, joinedAt: members[known]?.joinedAt ?? timestamp };
  return { ...room, members: known < 0 ? [...members, member] : members.with(known, member) };
}
