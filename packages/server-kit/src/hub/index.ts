/**
 * The realtime hub: rooms with logs over WebSocket, resumable, permission-checked, bounded.
 *
 * @packageDocumentation
 */
export { type ErrorEntry, HUB_ERRORS, HubError, type HubErrorCode } from '../errors.js';
export type { Principal } from '../principal.js';
export type { CommandAnswer, CommandRefusal, IncomingCommand } from '../shared/command.js';
export type { AuthContext, OriginRequest, Origins } from '../shared/upgrade.js';
export type { HubEngine, RoomListener } from './engine.js';
export { RealtimeHub } from './hub.js';
export type { HubCloseOptions, HubPaths, RealtimeHubEvents, RoomEventName } from './hub-shapes.js';
export type { CrosswsHooks, CrosswsMessage, CrosswsPeer } from './io/crossws.js';
export type { DiscordOutcome } from './io/discord-sink.js';
export { type MemoryEngineOptions, memoryEngine } from './io/memory-engine.js';
export type { RealtimeHubOptions } from './options.js';
export type { NewRoomEvent, Published, RoomRead, RoomRecord } from './protocol/records.js';
export { applyRoomEvent, initialRoomState } from './protocol/room-state.js';
export type { PublishOptions } from './publisher.js';
export type { HubStats } from './stats.js';
