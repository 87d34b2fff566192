/**
 * Redis behind the hub: several processes share rooms.
 *
 * @packageDocumentation
 */
export { REDIS_ERROR_REMEDIES, RedisError, type RedisErrorCode } from './errors.js';
export type { RedisClient, RedisScriptClient, RedisScriptOptions, RedisSubscriber } from './io/port.js';
export { type RedisEngineFilled, type RedisEngineOptions, redisEngine } from './io/redis-engine.js';
export type { ApplyRoomEvent } from './io/room-tail.js';
