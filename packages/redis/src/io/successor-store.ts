/** Owns what requests of one session agree on, in whichever process they arrive. */
import type { SuccessorStore } from '@guildkit/server-kit/oauth';
import { type RedisStoreOptions, storeBase } from './store.js';
import { timedKeys } from './timed-keys.js';

/**
 * The successor store of `createSessions` for several processes.
 *
 * @throws TypeError on options out of range.
 */
export function redisSuccessorStore(options: RedisStoreOptions): SuccessorStore {
  const base = storeBase('redisSuccessorStore', options);
  const claims = timedKeys(base, 'session-claim');
  const values = timedKeys(base, 'session-value');
  return {
    claim: (key, ttlMs) => claims.claim(key, '1', ttlMs),
    release: (key) => claims.drop(key),
    put: (key, value, ttlMs) => values.put(key, value, ttlMs),
    get: (key) => values.get(key),
  };
}
