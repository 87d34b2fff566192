/**
 * Owns the atomic steps of the engine, as Lua. A room is three keys of one hash tag:
 * - `meta`, a hash: `epoch`, `seq`, `base` (the seq at which the epoch began), `replid`, `snap` and `snapSeq` (the room's
 *   state as JSON and the seq it holds at; empty: the state before the first event), `ends` (the keys expire);
 * - `log`, a stream whose ids are the seqs, each entry `b` (what JS wrote) and `a` (when, unix ms);
 * - `ids`, a sorted set of event ids by seq.
 *
 * The state is not written with each event: it is `snap` and what follows it in the log, read in one step, so it is as
 * exact, and two publishers never contend for it. Nothing after `snapSeq` is trimmed.
 */
import { luaFence } from './fence.js';
import { LUA_BASICS, LUA_HISTORY, script } from './scripts.js';

/**
 * Reads `meta` and begins a new epoch where there is none, or where the server's history is another than the epoch
 * began in: a replica was promoted, or the server restarted from a file. Either may have lost events that were
 * acknowledged, and would use their numbers again. INFO inside the script: no moment lies between the check and the write.
 */
const OPEN_ROOM = `
local meta, log, ids = KEYS[1], KEYS[2], KEYS[3]
local m = redis.call('HMGET', meta, 'epoch', 'seq', 'base', 'replid', 'snapSeq', 'ends')
local epoch, seq, base, snapSeq = m[1], tonumber(m[2] or 0), tonumber(m[3] or 0), tonumber(m[5] or 0)
local function renew()
  epoch, base = ARGV[1], seq
  redis.call('HSET', meta, 'epoch', epoch, 'seq', int(seq), 'base', int(base), 'replid', replid, 'snapSeq', int(snapSeq))
end
if not epoch then
  redis.call('DEL', meta, log, ids)
  seq, snapSeq = 0, 0
  renew()
elseif m[4] ~= replid then
  renew()
end
`;
const HEAD = `${LUA_BASICS}${LUA_HISTORY}
local replid = history()
`;
const OPEN = `${HEAD}${OPEN_ROOM}`;

/**
 * ARGV: new epoch, event id, body, time, max events, max ids, `1` when the room has no state, ttl or 0, channel. May be
 * fenced: an owner that was deposed changes nothing, not even the epoch.
 */
export const PUBLISH = script(`${HEAD}${luaFence(3, 9, 'replid')}${OPEN_ROOM}
local now = clock(ARGV[4])
local nextSeq = int(seq + 1)
if redis.call('ZADD', ids, 'NX', nextSeq, ARGV[2]) == 0 then
  return {epoch, int(tonumber(redis.call('ZSCORE', ids, ARGV[2]))), 1, 0}
end
seq = seq + 1
if ARGV[7] == '1' then snapSeq = seq end
local keep = math.min(seq - tonumber(ARGV[5]), snapSeq)
if keep > 0 then
  redis.call('XADD', log, 'MINID', int(keep + 1), nextSeq .. '-0', 'b', ARGV[3], 'a', int(now))
else
  redis.call('XADD', log, nextSeq .. '-0', 'b', ARGV[3], 'a', int(now))
end
-- One id for each seq: the ids up to that one are more than are remembered.
if seq > tonumber(ARGV[6]) then redis.call('ZREMRANGEBYSCORE', ids, '-inf', int(seq - tonumber(ARGV[6]))) end
if ARGV[8] ~= '0' then
  redis.call('HSET', meta, 'seq', nextSeq, 'ends', 1)
  for n = 1, 3 do redis.call('PEXPIRE', KEYS[n], ARGV[8]) end
else
  redis.call('HSET', meta, 'seq', nextSeq)
  if m[6] then
    redis.call('HDEL', meta, 'ends')
    for n = 1, 3 do redis.call('PERSIST', KEYS[n]) end
  end
end
redis.call('SPUBLISH', ARGV[9], epoch .. ' ' .. nextSeq .. ' ' .. ARGV[3])
return {epoch, nextSeq, 0, int(seq - snapSeq)}
`);

/**
 * ARGV: new epoch, epoch and seq of the position (`''`, `-1`: none), time, max events, max age, `1` when the room has no
 * state, `1` when a reader that has the position needs no state. Answers epoch, seq, recovered, snapSeq, snap, and the
 * entries after the earlier of position and snapSeq as seq, body, …
 */
export const READ = script(`${OPEN}
local s = tonumber(ARGV[3])
local isStateless = ARGV[7] == '1'
local function after(n)
  if n >= seq then return {} end
  return redis.call('XRANGE', log, int(n + 1), '+')
end
if isStateless then snapSeq = seq end
-- A log that lacks what the state needs was evicted or deleted: what is known is told as another life of the room.
local tail = after(snapSeq)
if #tail ~= seq - snapSeq then
  snapSeq, tail = seq, {}
  renew()
end
local recovered = ARGV[2] == epoch and s >= base and s <= seq and seq - s <= tonumber(ARGV[5])
local missed = {}
if recovered and s < seq then
  missed = after(s)
  recovered = #missed == seq - s and tonumber(missed[1][2][4]) > clock(ARGV[4]) - tonumber(ARGV[6])
end
local isBrief = recovered and ARGV[8] == '1'
local list = tail
if recovered and (isBrief or s < snapSeq) then list = missed end
local out = {epoch, int(seq), recovered and 1 or 0, int(snapSeq), '', {}}
if not isBrief and not isStateless then out[5] = redis.call('HGET', meta, 'snap') or '' end
for i, entry in ipairs(list) do
  out[6][2 * i - 1] = string.match(entry[1], '^%d+')
  out[6][2 * i] = entry[2][2]
end
return out
`);

/**
 * Which rooms are not as somebody knows them. KEYS: meta and log of each. ARGV: epoch and seq of each. Answers their places
 * in the list, from 1. Where it finds nothing, a read would bring nothing.
 */
export const TAILS = script(`
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
local out = {}
for n = 1, #KEYS, 2 do
  local m = redis.call('HMGET', KEYS[n], 'epoch', 'seq', 'replid', 'snapSeq')
  local isSame = m[1] == ARGV[n] and m[2] == ARGV[n + 1] and m[3] == replid
  if isSame and tonumber(m[2]) > tonumber(m[4] or 0) then isSame = redis.call('EXISTS', KEYS[n + 1]) == 1 end
  if not isSame then out[#out + 1] = (n + 1) / 2 end
end
return out
`);

/**
 * Writes the state down and trims what it covers: by number, and some of what is too old. Refuses what another has
 * overtaken. ARGV: epoch, seq, snap, time, max events, max age.
 */
export const CHECKPOINT = script(`${LUA_BASICS}
local m = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'snapSeq')
local at, seq = tonumber(ARGV[2]), tonumber(m[2] or 0)
if m[1] ~= ARGV[1] or at > seq or at <= tonumber(m[3] or 0) then return 0 end
redis.call('HSET', KEYS[1], 'snap', ARGV[3], 'snapSeq', int(at))
local keep = math.min(seq - tonumber(ARGV[5]), at)
local oldest = clock(ARGV[4]) - tonumber(ARGV[6])
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', int(at), 'COUNT', 256)) do
  if tonumber(entry[2][4]) > oldest then break end
  keep = math.max(keep, tonumber(string.match(entry[1], '^%d+')))
end
if keep > 0 then redis.call('XTRIM', KEYS[2], 'MINID', int(keep + 1)) end
return 1
`);

/** Adds a room to a group. ARGV: room. May be fenced. */
export const JOIN_GROUP = script(`${luaFence(1, 1)}return redis.call('SADD', KEYS[1], ARGV[1])`);

/** The rooms of a group. */
export const GROUP = script(`return redis.call('SMEMBERS', KEYS[1])`);

/** Replaces a process's viewers. KEYS: viewers of each room. ARGV: ttl, time, then for each room node, and JSON or ''. */
export const SET_VIEWERS = script(`${LUA_BASICS}
local ttl, ends = tonumber(ARGV[1]), int(clock(ARGV[2]) + tonumber(ARGV[1]))
for n, key in ipairs(KEYS) do
  local node, list = ARGV[2 * n + 1], ARGV[2 * n + 2]
  if list == '' then
    redis.call('HDEL', key, node)
  else
    redis.call('HSET', key, node, ends .. ' ' .. list)
    if redis.call('PTTL', key) < ttl then redis.call('PEXPIRE', key, int(ttl)) end
  end
end
return 1
`);

/** The lists of viewers whose lease has not run out. ARGV: time. */
export const VIEWERS = script(`${LUA_BASICS}
local now, out = clock(ARGV[1]), {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local untilMs, list = string.match(all[i + 1], '^(%d+) (.*)$')
  if untilMs and tonumber(untilMs) > now then out[#out + 1] = list else redis.call('HDEL', KEYS[1], all[i]) end
end
return out
`);
