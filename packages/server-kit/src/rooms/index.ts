/**
 * Rooms: private voice channels with a role, created once, joined by invite, closed when nobody is there.
 *
 * @packageDocumentation
 */
export type { ErrorEntry } from '../errors.js';
export type { Principal } from '../principal.js';
export { ROOM_ERRORS, RoomError, type RoomErrorCode } from './errors.js';
export { createRoomHandlers, type RoomHandlers, type RoomHandlersOptions } from './handlers.js';
export type { Placement } from './io/seating.js';
export type { RoomInvites, RoomServiceOptions } from './options.js';
export type { RoomRecord } from './protocol/room.js';
export type { AuditOptions, ListedChannel, RoomOverwrite, RoomRest } from './room-rest.js';
export { RoomService } from './room-service.js';
export type {
  CreatedRoom,
  EndCause,
  JoinRequest,
  NewRoom,
  Reconciliation,
  RoomServiceEvents,
  RoomStats,
} from './room-shapes.js';
export { memoryRoomStore, type RoomStore } from './room-store.js';
