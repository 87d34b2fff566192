/**
 * What hub and browser speak: types, room names, close codes and the voice room's state.
 *
 * @packageDocumentation
 */
export { CLOSE_CODES, type CloseAction, type CloseCode, closeActionOf, type HubCloseCode } from './close-codes.js';
export type { ClosedPayload, ControlEvents, ViewersPayload, WelcomePayload } from './control.js';
export {
  type AuthAck,
  type AuthFrame,
  type ClientFrame,
  type CommandAck,
  type CommandFrame,
  type ControlEnvelope,
  type Envelope,
  type ErrorPayload,
  type FieldIssue,
  type HttpErrorBody,
  type PongFrame,
  type PostedFrame,
  type RoomEventEnvelope,
  type SubscribeAck,
  type SubscribeFrame,
  type UnsubscribeFrame,
  WIRE_VERSION,
} from './envelope.js';
export type {
  GuildRoomSnapshot,
  RoomClosingPayload,
  RoomCreatedPayload,
  RoomDeletedPayload,
  RoomEvents,
  RoomSnapshot,
  VoiceLeftPayload,
  VoicePresencePayload,
  VoiceRoomMember,
  VoiceRoomSnapshot,
  VoiceSnapshotPayload,
} from './events.js';
export {
  buildMediaFrame,
  MEDIA_HEAD_BYTES,
  MEDIA_MAX_BYTES,
  MEDIA_VERSION,
  type MediaCodec,
  type MediaControl,
  type MediaFrame,
  type MediaKind,
  type ParsedMediaFrame,
  parseMediaFrame,
} from './media.js';
export type { Position } from './position.js';
export { channelRoom, guildRoom, parseRoom, type RoomKind, type RoomName, userRoom } from './rooms.js';
export { applyVoiceEvent, emptyVoiceRoom } from './voice-room.js';
