/**
 * Owns Discord's limits as several processes share them: one sorted set of leases for each limit. Refuses to know routes
 * and headers, as the store in memory does.
 */
import type { LearnedBucket, RateLimitStore } from '@guildkit/rest';
import { RedisError } from '../errors.js';
import { LUA_BASICS, script } from './scripts.js';
import { type RedisStoreOptions, storeBase } from './store.js';

/** Takes all or none. KEYS: leases and block of each limit. ARGV: lease, how long it lasts, time, a limit for each pair. */
const TAKE = script(`${LUA_BASICS}
local now, wait = clock(ARGV[3]), 0
for i = 1, #KEYS, 2 do
  local leases, limit = KEYS[i], tonumber(ARGV[3 + (i + 1) / 2])
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', int(now))
  local blocked = tonumber(redis.call('GET', KEYS[i + 1]) or 0)
  if blocked > now then
    wait = math.max(wait, blocked - now)
  elseif redis.call('ZCARD', leases) >= limit then
    -- The slot of a request that runs is free at some unknown moment before its lease ends: asked for again soon.
    local first = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')
    wait = math.max(wait, 1, math.min(50, tonumber(first[2] or now) - now))
  end
end
if wait > 0 then return math.ceil(wait) end
local ms = math.ceil(tonumber(ARGV[2]))
for i = 1, #KEYS, 2 do
  redis.call('ZADD', KEYS[i], int(now + ms), ARGV[1])
  if redis.call('PTTL', KEYS[i]) < ms then redis.call('PEXPIRE', KEYS[i], int(ms)) end
end
return 0
`);

/** KEYS: leases of each limit. ARGV: lease, time, how long each is held on. */
const RELEASE = script(`${LUA_BASICS}
local now = clock(ARGV[2])
for i, leases in ipairs(KEYS) do
  local ms = math.ceil(tonumber(ARGV[2 + i]))
  if ms <= 0 then
    redis.call('ZREM', leases, ARGV[1])
  else
    redis.call('ZADD', leases, int(now + ms), ARGV[1])
    if redis.call('PTTL', leases) < ms then redis.call('PEXPIRE', leases, int(ms)) end
  end
end
return 0
`);

/** A shorter block does not end a longer one. ARGV: ms, time. */
const BLOCK = script(`${LUA_BASICS}
local ms = math.ceil(tonumber(ARGV[1]))
local ends = clock(ARGV[2]) + ms
if ms > 0 and ends > tonumber(redis.call('GET', KEYS[1]) or 0) then redis.call('SET', KEYS[1], int(ends), 'PX', int(ms)) end
return 0
`);

/** The longer window of the same bucket stands. ARGV: hash, limit, window, ttl. Answers the window that stands. */
const LEARN = script(`
local known = redis.call('HMGET', KEYS[1], 'hash', 'limit', 'windowMs')
local window = ARGV[3]
if known[1] == ARGV[1] and known[2] == ARGV[2] and tonumber(known[3]) > tonumber(window) then window = known[3] end
redis.call('HSET', KEYS[1], 'hash', ARGV[1], 'limit', ARGV[2], 'windowMs', window)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return window
`);

const RECALL = script(`return redis.call('HMGET', KEYS[1], 'hash', 'limit', 'windowMs')`);

/** What was learned of a route that nobody has used for so long is forgotten: the next request finds out again. */
const LEARNED_MS = 86_400_000;

/**
 * Keeps every process with one token within one set of limits. A call that Redis does not answer rejects; the REST client
 * then goes on within the limits of its own process, and says so.
 *
 * @throws TypeError on options out of range.
 */
export function redisRateLimitStore(options: RedisStoreOptions): RateLimitStore {
  const { runner, prefix, time } = storeBase('redisRateLimitStore', options);
  // One tag: a request takes slots of several limits in one step, so all of them are on one node of a cluster.
  const keyOf = (part: string, key: string) => `${prefix}:{rest}:${part}:${key}`;
  return {
    async take(lease, slots, leaseMs) {
      const keys = slots.flatMap(({ key }) => [keyOf('slots', key), keyOf('block', key)]);
      return (await runner.run(TAKE, keys, [lease, leaseMs, time(), ...slots.map(({ limit }) => limit)])) as number;
    },
    async release(lease, holds) {
      const keys = holds.map(({ key }) => keyOf('slots', key));
      await runner.run(RELEASE, keys, [lease, time(), ...holds.map(({ holdMs }) => holdMs)]);
    },
    async block(key, ms) {
      await runner.run(BLOCK, [keyOf('block', key)], [ms, time()]);
    },
    async learn(key, { hash, limit, windowMs }) {
      const window = await runner.run(LEARN, [keyOf('learned', key)], [hash, limit, windowMs, LEARNED_MS]);
      return { hash, limit, windowMs: Number(window) };
    },
    async recall(key) {
      const reply = await runner.run(RECALL, [keyOf('learned', key)], []);
      return learnedOf(reply as readonly (string | null)[]);
    },
  };
}

function learnedOf([hash, limit, windowMs]: readonly (string | null | undefined)[]): LearnedBucket | undefined {
  if (typeof hash !== 'string') return undefined;
  const learned = { hash, limit: Number(limit), windowMs: Number(windowMs) };
  if (!(learned.limit > 0 && learned.windowMs >= 0)) throw new RedisError('ERR_REDIS_REPLY_MALFORMED');
  return learned;
}
