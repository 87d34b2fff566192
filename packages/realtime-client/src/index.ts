/**
 * Realtime client for browser and Node: one connection to a guildkit hub, rooms that recover without a gap.
 *
 * @packageDocumentation
 */

export {
  type ClientCommands,
  type CommandInput,
  type CommandOptions,
  type CommandQueue,
  type CommandQueueOptions,
  type CommandResult,
  createCommandQueue,
} from './commands.js';
export {
  CommandError,
  type CommandErrorCode,
  type CommandErrorInit,
  RealtimeError,
  type RealtimeErrorCode,
  type RealtimeErrorInit,
} from './errors.js';
export type { Environment, EnvironmentSignal } from './io/environment.js';
export { fallbackTransport, type TransportMemory } from './io/fallback-transport.js';
export {
  type SharedTransportOptions,
  sharedTransport,
  type TabChannel,
  type TabLocks,
  type TabPlatform,
} from './io/shared-transport.js';
export { type SseTransportOptions, sseTransport } from './io/sse-transport.js';
export type { ConnectHint, Transport, TransportConnection, TransportHandlers } from './io/transport.js';
export { type PayloadSchema, validatingTransport } from './io/validating-transport.js';
export {
  type WebSocketConstructor,
  type WebSocketLike,
  type WebSocketTransportOptions,
  webSocketTransport,
} from './io/web-socket-transport.js';
export type { HubAddress, RealtimeClientOptions, RealtimeClientSettings, TokenRequest } from './options.js';
export { RealtimeClient, type RealtimeClientStats } from './realtime-client.js';
export type { Room, RoomEvent, RoomEventName, RoomListener, RoomListenerEvents } from './room.js';
export type { ConnectionStatus, ConnectionView, RoomStatus, RoomView } from './views.js';
