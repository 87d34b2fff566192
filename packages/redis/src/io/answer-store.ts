/** Owns what commands were answered, for all processes: one carries a command out, every other gives its answer. */
import { randomUUID } from 'node:crypto';
import type { AnswerClaim, AnswerStore, CommandAnswer } from '@guildkit/server-kit/commands';
import { RedisError } from '../errors.js';
import { LUA_BASICS, script } from './scripts.js';
import { type RedisStoreOptions, storeBase } from './store.js';

/**
 * A hash for each id: fingerprint, ticket, when the lease is over, when all is forgotten, the answer. The time of the script
 * decides; Redis forgets the key by its own, a little later.
 */
const BASICS = `${LUA_BASICS}
local function forgetAfter(ms) redis.call('PEXPIRE', KEYS[1], int(math.max(1, math.ceil(ms))) ) end
`;

/** ARGV: fingerprint, ticket, lease, keep, time. */
const CLAIM = script(`${BASICS}
local now = clock(ARGV[5])
local kept = redis.call('HMGET', KEYS[1], 'fingerprint', 'until', 'ends', 'answer')
if kept[1] and kept[3] and tonumber(kept[3]) > now then
  if kept[1] ~= ARGV[1] then return {'reused'} end
  if kept[4] then return {'answered', kept[4]} end
  if tonumber(kept[2]) > now then return {'pending'} end
  return {'lost'}
end
local lease = tonumber(ARGV[3])
local whole = lease + tonumber(ARGV[4])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'ticket', ARGV[2], 'until', int(now + lease), 'ends', int(now + whole))
forgetAfter(whole)
return {'claimed'}
`);

/** ARGV: ticket, answer, keep, time. */
const SETTLE = script(`${BASICS}
local kept = redis.call('HMGET', KEYS[1], 'ticket', 'answer')
if kept[1] ~= ARGV[1] or kept[2] then return 0 end
local keep = tonumber(ARGV[3])
if keep <= 0 then return redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'answer', ARGV[2], 'ends', int(clock(ARGV[4]) + keep))
forgetAfter(keep)
return 1
`);

/** ARGV: ticket. */
const RELEASE = script(`
local kept = redis.call('HMGET', KEYS[1], 'ticket', 'answer')
if kept[1] ~= ARGV[1] or kept[2] then return 0 end
return redis.call('DEL', KEYS[1])
`);

/**
 * The answer store of `CommandBus` for several processes. A claim that Redis does not answer rejects: the command is not
 * carried out. An answer that Redis does not take is given all the same; the command stays claimed, and whoever sends it
 * again is told that its fate is not known.
 *
 * @throws TypeError on options out of range.
 */
export function redisAnswerStore(options: RedisStoreOptions): AnswerStore {
  const { runner, prefix, time } = storeBase('redisAnswerStore', options);
  const keyOf = (key: string) => [`${prefix}:answer:${key}`];
  return {
    async claim({ key, fingerprint, leaseMs, keepMs }) {
      const ticket = randomUUID();
      const reply = await runner.run(CLAIM, keyOf(key), [fingerprint, ticket, leaseMs, keepMs, time()]);
      const [kind, text] = reply as [AnswerClaim['kind'], string?];
      if (kind === 'claimed') return { kind, ticket };
      return kind === 'answered' ? { kind, answer: answerOf(text) } : { kind };
    },
    async settle(key, ticket, answer, keepMs) {
      await runner.run(SETTLE, keyOf(key), [ticket, JSON.stringify(answer), keepMs, time()]);
    },
    async release(key, ticket) {
      await runner.run(RELEASE, keyOf(key), [ticket]);
    },
  };
}

/** @throws RedisError on what this store did not write. */
function answerOf(text: string | undefined): CommandAnswer {
  try {
    const value = JSON.parse(text ?? '') as CommandAnswer;
    if (typeof value.ok === 'boolean') return value;
  } catch (error) {
    throw new RedisError('ERR_REDIS_REPLY_MALFORMED', error);
  }
  throw new RedisError('ERR_REDIS_REPLY_MALFORMED');
}
