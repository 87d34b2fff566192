/** Owns how a room's state follows from its events. Every engine runs this, so that all of them agree. */
import {
  applyVoiceEvent,
  emptyVoiceRoom,
  type GuildRoomSnapshot,
  parseRoom,
  type RoomCreatedPayload,
  type RoomDeletedPayload,
  type RoomSnapshot,
} from '@guildkit/core/wire';

const NO_STATE: RoomSnapshot = Object.freeze({ kind: 'none' });

/** The state of a room before its first event. */
export function initialRoomState(room: string): RoomSnapshot {
  const name = parseRoom(room);
  if (name?.kind === 'channel') return emptyVoiceRoom(name.id);
  if (name?.kind === 'guild') return { kind: 'guild', guildId: name.id, channels: [] };
  return NO_STATE;
}

/** Applies one event. An event that changes nothing returns the same object. */
export function applyRoomEvent(state: RoomSnapshot, event: string, payload: unknown): RoomSnapshot {
  if (state.kind === 'voice') return applyVoiceEvent(state, event, payload);
  if (state.kind === 'guild') return applyGuildEvent(state, event, payload);
  return state;
}

/** Whether a room in this state, its log empty, is no different from one that never was. */
export function isInitialState(state: RoomSnapshot): boolean {
  switch (state.kind) {
    case 'voice':
      return state.members.length === 0 && state.state === 'open' && !state.stale;
    case 'guild':
      return state.channels.length === 0;
    default:
      return true;
  }
}

function applyGuildEvent(state: GuildRoomSnapshot, event: string, payload: unknown): GuildRoomSnapshot {
  const { channels } = state;
  if (event === 'room.created') {
    const { channelId, name } = payload as RoomCreatedPayload;
    const known = channels.findIndex((channel) => channel.channelId === channelId);
    if (channels[known]?.name === name) return state;
    const channel = { channelId, name };
    return { ...state, channels: known < 0 ? [...channels, channel] : channels.with(known, channel) };
  }
  if (event === 'room.deleted') {
    const { channelId } = payload as RoomDeletedPayload;
    const left = channels.filter((channel) => channel.channelId !== channelId);
    return left.length === channels.length ? state : { ...state, channels: left };
  }
  return state;
}
