/** Owns what was seen, for all processes: a webhook that one has taken is taken by none again. */
import type { ReplayStore } from '@guildkit/server-kit/hmac';
import { type RedisStoreOptions, storeBase } from './store.js';
import { timedKeys } from './timed-keys.js';

/**
 * The replay store of `createWebhookReceiver` for several processes. A claim that Redis does not answer rejects: the
 * webhook is not taken, and its sender tries again.
 *
 * @throws TypeError on options out of range.
 */
export function redisReplayStore(options: RedisStoreOptions): ReplayStore {
  const keys = timedKeys(storeBase('redisReplayStore', options), 'replay');
  return {
    claim: (key, ttlMs) => keys.claim(key, '1', ttlMs),
    has: async (key) => (await keys.get(key)) !== undefined,
  };
}
