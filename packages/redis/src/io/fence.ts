/**
 * Owns how a write says for whom it is made, and how a script refuses it. A fence is a key that holds the latest owner's
 * token; the script compares within the same step as the write, so nothing lies between.
 */
import { RedisError } from '../errors.js';

/** What makes writes those of one ownership: `ShardOwnership` is one. */
export interface RedisFence {
  /** The token that Redis has to hold. */
  readonly fenceToken: string;
  /** The key that holds it, on the node of another key. */
  fenceKeyFor(key: string): string;
  /** A write was refused; `seen` is the token that stands. */
  fenceRefused(seen: string): void;
}

/**
 * Begins a script that may be fenced: the last key and the last argument are the fence and its token, after `keys` and
 * `args` of the script's own; without them nothing is checked.
 */
export const luaFence = (keys: number, args: number): string => `
if KEYS[${keys + 1}] then
  local standing = redis.call('GET', KEYS[${keys + 1}]) or ''
  if standing ~= ARGV[${args + 1}] then return redis.error_reply('DEPOSED ' .. standing) end
end
`;

/** The key and the argument that {@link luaFence} reads, for a script whose first key is that. */
export function fenceOf(
  fence: RedisFence | undefined,
  key: string,
): { readonly keys: string[]; readonly args: string[] } {
  return fence === undefined ? { keys: [], args: [] } : { keys: [fence.fenceKeyFor(key)], args: [fence.fenceToken] };
}

/** Passes an error on; one of a fence is told to its owner, and named. */
export function throwFenced(error: unknown, fence: RedisFence | undefined): never {
  const message = RedisError.is(error) && error.cause instanceof Error ? error.cause.message : '';
  if (fence === undefined || !message.startsWith('DEPOSED')) throw error;
  fence.fenceRefused(message.slice('DEPOSED '.length));
  throw new RedisError('ERR_REDIS_OWNER_DEPOSED');
}

/** The term of a token; 0 of what is none. */
export function termOf(token: string): number {
  const term = Number(/^\d+/.exec(token)?.[0] ?? 0);
  return Number.isSafeInteger(term) ? term : 0;
}
