/**
 * Redis behind the hub, the gateway and the REST client: several processes share rooms and limits, and elect one owner.
 *
 * @packageDocumentation
 */
export { REDIS_ERROR_REMEDIES, RedisError, type RedisErrorCode } from './errors.js';
export { redisAnswerStore } from './io/answer-store.js';
export type { RedisFence } from './io/fence.js';
export { redisIdentifyQueue } from './io/identify-queue.js';
export { redisInviteStore } from './io/invite-store.js';
export { type OwnedGateway, type OwnedGatewayOptions, runOwnedGateway } from './io/owned-gateway.js';
export type { RedisClient, RedisScriptClient, RedisScriptOptions, RedisSubscriber } from './io/port.js';
export { redisRateLimitStore } from './io/rate-limit-store.js';
export { type RedisEngine, type RedisEngineFilled, type RedisEngineOptions, redisEngine } from './io/redis-engine.js';
export { redisReplayStore } from './io/replay-store.js';
export { redisRoomStore } from './io/room-store.js';
export type { ApplyRoomEvent } from './io/room-tail.js';
export { type RedisSessionStoreOptions, redisSessionStore } from './io/session-store.js';
export {
  createShardOwner,
  ShardOwner,
  type ShardOwnerEvents,
  type ShardOwnerOptions,
  type ShardOwnerState,
  ShardOwnership,
} from './io/shard-owner.js';
export type { RedisStoreOptions } from './io/store.js';
export { redisSuccessorStore } from './io/successor-store.js';
export { redisTokenBucketStore } from './io/token-bucket-store.js';
export type { DeposedReason } from './protocol/election.js';
