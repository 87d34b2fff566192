/**
 * Owns the atomic steps of an election, as Lua. An election is two keys of one hash tag:
 * - `fence`, the latest token and the server's history it was given in: `term holder question history`; `term` and a space
 *   when it was given back. The number of the question that was answered with it makes it another token even where Redis has
 *   lost the last term;
 * - `lease`, a hash: `until` and `ms`, how long it was.
 *
 * A term is at least the server's time in ms, so that terms grow even then.
 */
import { LUA_BASICS, LUA_HISTORY, script } from './scripts.js';

const STANDING = `
local standing = redis.call('GET', KEYS[1]) or ''
local term, holder, question = string.match(standing, '^(%d+) (%S*) ?(%d*)')
term, question = tonumber(term or 0), tonumber(question or 0) or 0
`;

/** ARGV: holder, number of the question, lease in ms, floor, time. Answers 1 and the term; 0, the term, and the ms left. */
export const ACQUIRE = script(`${LUA_BASICS}${LUA_HISTORY}${STANDING}
local lease = redis.call('HMGET', KEYS[2], 'until', 'ms')
local now, ms = clock(ARGV[5]), tonumber(ARGV[3])
local left = tonumber(lease[1] or 0) - now
if holder == ARGV[1] then
  -- A question that was overtaken by a later one must not end what that one got.
  if question >= tonumber(ARGV[2]) then return {0, int(term), '0'} end
elseif holder and holder ~= '' and left > 0 then
  local longest = tonumber(lease[2] or ms)
  if left > longest then
    -- The server's clock went back: the lease ends no later than if it began now.
    left = longest
    redis.call('HSET', KEYS[2], 'until', int(now + left))
  end
  return {0, int(term), int(left)}
end
term = math.max(term + 1, tonumber(ARGV[4]) + 1, now)
redis.call('SET', KEYS[1], int(term) .. ' ' .. ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. history())
redis.call('HSET', KEYS[2], 'until', int(now + ms), 'ms', int(ms))
return {1, int(term), '0'}
`);

/**
 * Not in another history than the lease was given in: what was lost there has to be told again. ARGV: token, lease in ms,
 * time. Answers 1, or 0 and what stands.
 */
export const RENEW = script(`${LUA_BASICS}${LUA_HISTORY}
local standing = redis.call('GET', KEYS[1]) or ''
if standing ~= ARGV[1] .. ' ' .. history() then return {0, standing} end
redis.call('HSET', KEYS[2], 'until', int(clock(ARGV[3]) + tonumber(ARGV[2])), 'ms', ARGV[2])
return {1, ''}
`);

/**
 * Gives back what was granted for questions before this one; the term stays, so that the next is higher. ARGV: holder,
 * number of the question.
 */
export const RELEASE = script(`${LUA_BASICS}${STANDING}
if holder ~= ARGV[1] or question >= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], int(term) .. ' ')
redis.call('DEL', KEYS[2])
return 1
`);

/** Sets the fence of one slot of a cluster, unless a later one stands. ARGV: token. Answers `''`, or what stands. */
export const SEAL = script(`${LUA_HISTORY}
local standing = redis.call('GET', KEYS[1]) or ''
local theirs, ours = tonumber(string.match(standing, '^%d+') or 0), tonumber(string.match(ARGV[1], '^%d+'))
if theirs > ours or (theirs == ours and standing > ARGV[1]) then return standing end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. history())
return ''
`);

/** Two keys that no cluster has on one slot: only a single server runs it. */
export const PROBE = script(`return #KEYS`);
