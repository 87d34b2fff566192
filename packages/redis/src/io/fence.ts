/**
 * Owns how a write says for whom it is made, and how a script refuses it. A fence is a key that holds the latest owner's
 * token and the server's history in which it was elected; the script compares within the same step as the write, so nothing
 * lies between. A server that has lost what it acknowledged takes no more writes of its owner: who is elected then is told
 * by Discord what is not there.
 */
import { RedisError } from '../errors.js';
import { LUA_HISTORY } from './scripts.js';

/** What makes writes those of one ownership: `ShardOwnership` is one. */
export interface RedisFence {
  /** Names the ownership, and has to be the latest. */
  readonly fenceToken: string;
  /** The key that holds it, on the node of another key. */
  fenceKeyFor(key: string): string;
  /** A write was refused; `seen` is the token that stands. */
  fenceRefused(seen: string): void;
}

/**
 * Begins a script that may be fenced: the last key and the last argument are the fence and its token, after `keys` and
 * `args` of the script's own; without them nothing is checked.
 *
 * @param history Lua for the server's history: a variable where the script has asked already.
 */
export const luaFence = (keys: number, args: number, history?: string): string => `
${history === undefined ? LUA_HISTORY : ''}
if KEYS[${keys + 1}] then
  local standing = redis.call('GET', KEYS[${keys + 1}]) or ''
  if standing ~= ARGV[${args + 1}] .. ' ' .. ${history ?? 'history()'} then
    return redis.error_reply('DEPOSED ' .. standing)
  end
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
