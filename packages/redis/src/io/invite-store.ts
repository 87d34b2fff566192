/** Owns revocations and uses of invites, for all processes. */
import type { InviteStore, InviteUse } from '@guildkit/server-kit/invites';
import { LUA_BASICS, script } from './scripts.js';
import { type RedisStoreOptions, storeBase } from './store.js';

/** Kept so much longer than the invite: the clock of whoever made it may be ahead. ARGV: unix ms, time. */
const LAST = `${LUA_BASICS}
local function last(expiresAt, given)
  local ms = tonumber(expiresAt) - clock(given) + 60000
  if ms > 0 and redis.call('PTTL', KEYS[1]) < ms then redis.call('PEXPIRE', KEYS[1], int(math.ceil(ms))) end
end
`;

/** ARGV: unix ms, time. */
const REVOKE = script(`${LAST}
if redis.call('SETNX', KEYS[1], '1') == 1 then redis.call('PEXPIRE', KEYS[1], 60000) end
last(ARGV[1], ARGV[2])
return 1
`);
const EXISTS = script(`return redis.call('EXISTS', KEYS[1])`);
/** ARGV: unix ms, time, user, most users. */
const USE = script(`${LAST}
if redis.call('SISMEMBER', KEYS[1], ARGV[3]) == 1 then return 'known' end
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 'spent' end
redis.call('SADD', KEYS[1], ARGV[3])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], 60000) end
last(ARGV[1], ARGV[2])
return 'counted'
`);

/**
 * The store of `createInvites` for several processes.
 *
 * @throws TypeError on options out of range.
 */
export function redisInviteStore(options: RedisStoreOptions): InviteStore {
  const { runner, prefix, time } = storeBase('redisInviteStore', options);
  const invite = (jti: string) => [`${prefix}:invite-revoked:${jti}`];
  const room = (channelId: string) => [`${prefix}:invite-room-revoked:${channelId}`];
  return {
    async revoke(jti, expiresAt) {
      await runner.run(REVOKE, invite(jti), [expiresAt, time()]);
    },
    async revokeRoom(channelId, expiresAt) {
      await runner.run(REVOKE, room(channelId), [expiresAt, time()]);
    },
    async isRevoked(jti, channelId) {
      // Two scripts: the keys may be on two nodes of a cluster, and either answer stands by itself.
      const found = await Promise.all([invite(jti), room(channelId)].map((keys) => runner.run(EXISTS, keys, [])));
      return found.includes(1);
    },
    async use(jti, userId, maxUses, expiresAt) {
      const keys = [`${prefix}:invite-users:${jti}`];
      return (await runner.run(USE, keys, [expiresAt, time(), userId, maxUses])) as InviteUse;
    },
  };
}
