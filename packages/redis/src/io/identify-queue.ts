/**
 * Owns when a shard of any process may IDENTIFY: one in 5 s for each bucket, in the order of asking (Discord docs,
 * Gateway: Max Concurrency). Whoever waits asks again and again; one that has stopped asking loses its place.
 */
import { randomUUID } from 'node:crypto';
import { systemClock } from '@guildkit/core';
import type { IdentifyPermit, IdentifyQueue, IdentifyRequest } from '@guildkit/gateway';
import { LUA_BASICS, script } from './scripts.js';
import { type RedisStoreOptions, storeBase } from './store.js';

/**
 * KEYS: tickets by order, tickets by the end of their lease, and a hash of `n` (tickets given) and `freeAt`.
 * ARGV: ticket, time, lease, every. Answers 0 and the turn's end, or the ms after which to ask again.
 */
const ASK = script(`${LUA_BASICS}
local tickets, leases, meta, ticket = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local now = clock(ARGV[2])
redis.call('ZADD', leases, int(now + tonumber(ARGV[3])), ticket)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', int(now))) do
  redis.call('ZREM', tickets, gone)
  redis.call('ZREM', leases, gone)
end
if not redis.call('ZSCORE', tickets, ticket) then
  redis.call('ZADD', tickets, redis.call('HINCRBY', meta, 'n', 1), ticket)
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, 60000) end
local freeAt = tonumber(redis.call('HGET', meta, 'freeAt') or 0)
if now < freeAt then return {freeAt - now, ''} end
if redis.call('ZRANGE', tickets, 0, 0)[1] ~= ticket then return {25, ''} end
redis.call('ZREM', tickets, ticket)
redis.call('ZREM', leases, ticket)
freeAt = int(now + tonumber(ARGV[4]))
redis.call('HSET', meta, 'freeAt', freeAt)
return {0, freeAt}
`);

/** Gives a place back, and the turn of that end if it is still the last. ARGV: ticket, the turn's end or ''. */
const LEAVE = script(`
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
if ARGV[2] ~= '' and redis.call('HGET', KEYS[3], 'freeAt') == ARGV[2] then redis.call('HDEL', KEYS[3], 'freeAt') end
return 0
`);

const EVERY_MS = 5_000;
/** Who waits asks again at least so often: a turn that another gave up is seen. */
const ASK_AT_LEAST_MS = 1_000;
const LEASE_MS = 4_000;

/**
 * The queue of `DiscordGatewayClient` for several processes of one bot. Another bot needs another prefix. A request that
 * Redis does not answer rejects, and the shard asks again.
 *
 * @throws TypeError on options out of range.
 */
export function redisIdentifyQueue(options: RedisStoreOptions): IdentifyQueue {
  const { runner, prefix, time } = storeBase('redisIdentifyQueue', options);
  const clock = options.clock ?? systemClock;

  /** Resolves after a while; at once when the signal fires. */
  const pause = (ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const end = () => {
        clock.clearTimer(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = clock.setTimer(end, ms);
      signal.addEventListener('abort', end, { once: true });
    });

  async function wait(keys: readonly string[], ticket: string, signal: AbortSignal): Promise<IdentifyPermit> {
    let turn = '';
    try {
      for (;;) {
        signal.throwIfAborted();
        const reply = await runner.run(ASK, keys, [ticket, time(), LEASE_MS, EVERY_MS]);
        const [waitMs, granted] = reply as [number, string];
        turn = granted;
        signal.throwIfAborted();
        if (granted !== '') return { granted: true };
        await pause(Math.min(waitMs, ASK_AT_LEAST_MS), signal);
      }
    } catch (error) {
      // A place that cannot be given back is lost with its lease.
      runner.run(LEAVE, keys, [ticket, turn]).catch(() => {});
      throw error;
    }
  }

  return {
    async acquire({ shardId, maxConcurrency, signal }: IdentifyRequest) {
      signal.throwIfAborted();
      const bucket = `${prefix}:{identify:${shardId % Math.max(1, maxConcurrency)}}`;
      const keys = ['tickets', 'leases', 'turn'].map((part) => `${bucket}:${part}`);
      // The caller hears of a withdrawal at once, Redis as soon as it answers.
      return await new Promise<IdentifyPermit>((resolve, reject) => {
        const onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        wait(keys, randomUUID(), signal)
          .then(resolve, reject)
          .finally(() => signal.removeEventListener('abort', onAbort));
      });
    },
  };
}
