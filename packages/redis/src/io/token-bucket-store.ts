/** Owns token buckets that several processes share: the arithmetic of the store in memory, as one script. */
import type { TokenBucketStore } from '@guildkit/server-kit/commands';
import { LUA_BASICS, script } from './scripts.js';
import { type RedisStoreOptions, storeBase } from './store.js';

/**
 * KEYS: the bucket. ARGV: cost, tokens, per ms, burst, time. A bucket that would be full is forgotten: it is as if it had
 * never been used. A clock that went back fills nothing.
 */
const BASICS = `${LUA_BASICS}
local cost, rate, per, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now, EPSILON = clock(ARGV[5]), 1e-9
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1] or burst), tonumber(kept[2] or now)
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / per)
at = math.max(now, at)
local function keep()
  redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'at', int(at))
  redis.call('PEXPIRE', KEYS[1], int(math.ceil((burst - tokens) * per / rate) + 1000))
end
`;

const TAKE = script(`${BASICS}
local left = tokens - cost
if left >= -EPSILON then
  tokens = math.max(0, left)
  keep()
  return {1, math.floor(tokens + EPSILON), 0}
end
keep()
return {0, math.floor(tokens + EPSILON), math.max(1, math.ceil((-left - EPSILON) * per / rate))}
`);

const GIVE = script(`${BASICS}
tokens = math.min(burst, tokens + cost)
keep()
return 0
`);

/**
 * The store of `createTokenBucket` for several processes. A call that Redis does not answer rejects.
 *
 * @throws TypeError on options out of range.
 */
export function redisTokenBucketStore(options: RedisStoreOptions): TokenBucketStore {
  const { runner, prefix, time } = storeBase('redisTokenBucketStore', options);
  const keyOf = (key: string) => `${prefix}:bucket:${key}`;
  return {
    async take(key, cost, { tokens, perMs, burst }) {
      const reply = await runner.run(TAKE, [keyOf(key)], [cost, tokens, perMs, burst, time()]);
      const [allowed, remaining, retryAfterMs] = reply as [number, number, number];
      return { allowed: allowed === 1, remaining, retryAfterMs };
    },
    async give(key, cost, { tokens, perMs, burst }) {
      await runner.run(GIVE, [keyOf(key)], [cost, tokens, perMs, burst, time()]);
    },
  };
}
