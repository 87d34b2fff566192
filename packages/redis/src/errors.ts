/** Owns every error of the package and its code. Refuses to hold what was stored: keys name rooms and routes, values hold payloads. */
import { GuildkitError, isErrorNamed } from '@guildkit/core';

/** Every code that {@link RedisError} may carry, with its remedy. */
export const REDIS_ERROR_REMEDIES = {
  ERR_REDIS_SERVER_UNAVAILABLE:
    'Redis is not connected, and nothing was sent: wait for it, or look at the error events of the client.',
  ERR_REDIS_COMMAND_TIMEOUT:
    'Redis did not answer in time, and may yet do what was asked: ask again with the same id, or raise commandTimeoutMs.',
  ERR_REDIS_COMMAND_FAILED: 'Redis refused or the connection broke: `cause` is the error of the client.',
  ERR_REDIS_REPLY_MALFORMED: 'A key holds what this package did not write: use another prefix, or another database.',
  ERR_REDIS_ENGINE_CLOSED: 'The engine was closed: create another.',
  ERR_REDIS_OWNER_DEPOSED:
    'Another process owns the shard, or may: stop. Nothing was written; the next owner is told the same events by Discord.',
} as const satisfies Readonly<Record<string, string>>;

/** Code of a {@link RedisError}. */
export type RedisErrorCode = keyof typeof REDIS_ERROR_REMEDIES;

/** No later call of the same engine, store or ownership can succeed. */
const FINAL: ReadonlySet<RedisErrorCode> = new Set([
  'ERR_REDIS_REPLY_MALFORMED',
  'ERR_REDIS_ENGINE_CLOSED',
  'ERR_REDIS_OWNER_DEPOSED',
]);

/** What the engine, the stores and the election reject with. */
export class RedisError extends GuildkitError<RedisErrorCode> {
  constructor(code: RedisErrorCode, cause?: unknown) {
    super('RedisError', REDIS_ERROR_REMEDIES[code], { code, cause, retryable: !FINAL.has(code) });
  }

  /** Whether a value is one, of whichever copy or module format. */
  static override is(value: unknown): value is RedisError {
    return isErrorNamed(value, 'RedisError');
  }
}
