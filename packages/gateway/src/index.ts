/**
 * Discord gateway client: heartbeat watchdog, resume without loss, typed domain events.
 *
 * @packageDocumentation
 */
export { DiscordGatewayClient } from './client.js';
export { GATEWAY_ERROR_REMEDIES, GatewayError, type GatewayErrorCode, type GatewayErrorInit } from './errors.js';
export type {
  AlertEvent,
  ClosedEvent,
  DegradedEvent,
  DispatchDataMap,
  DispatchEvent,
  DispatchMeta,
  DispatchName,
  GapEvent,
  GatewayEvents,
  HeartbeatEvent,
  ReadyEvent,
  ResumedEvent,
  StateChangeEvent,
} from './events.js';
export type { GatewayHealth, ShardHealth } from './health.js';
export type {
  ConnectAttempt,
  ConnectOutcome,
  GatewayInstrumentation,
  TracedDispatch,
  TracedSend,
} from './instrumentation.js';
export {
  type GuardedSessionStore,
  type GuardedSessionStoreOptions,
  guardedSessionStore,
} from './io/guarded-session-store.js';
export type { IdentifyBudgetStore } from './io/identify-budget.js';
export {
  type IdentifyPermit,
  type IdentifyQueue,
  type IdentifyRequest,
  localIdentifyQueue,
} from './io/identify-queue.js';
export { memorySessionStore, type SessionStore, type StoredSession } from './io/session-store.js';
export type { GatewaySocket, OpenSocket, SocketEvents } from './io/socket.js';
export type { GuildMembersOptions, GuildMembersRequest, GuildMembersResult } from './member-requests.js';
export type { CompressionName, DiscordGatewayClientOptions, SendOptions, ShardsOption } from './options.js';
export { type FileSessionStoreOptions, fileSessionStore } from './platform.js';
export type { IdentifyBudget } from './protocol/identify-budget.js';
export { type GatewayIntentName, INTENTS, intentBits } from './protocol/intents.js';
export type { GapRecovery, SessionPhase, SessionReason } from './protocol/session-types.js';
export type { VoiceChannel } from './protocol/voice-map.js';
export type { StoredVoice, StoredVoiceGuild } from './protocol/voice-record.js';
export type { SoundboardSounds, SoundboardSoundsOptions } from './soundboard-requests.js';
