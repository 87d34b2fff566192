/** Owns the gateway's sessions between processes: the next owner of a shard resumes where the last one stopped. */
import type { IdentifyBudget, SessionStore, StoredSession } from '@guildkit/gateway';
import { script } from './scripts.js';
import { type RedisStoreOptions, storeBase } from './store.js';

const LOAD = script(`return redis.call('GET', KEYS[1])`);
const SAVE = script(`return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])`);
const REMOVE = script(`return redis.call('DEL', KEYS[1])`);

/** Discord resumes for minutes and counts IDENTIFYs for a day: older ones are of no use. */
const KEPT_MS = 2 * 86_400_000;

/**
 * The session store of `DiscordGatewayClient` for several processes. What is no JSON counts as nothing kept.
 *
 * @throws TypeError on options out of range.
 */
export function redisSessionStore(options: RedisStoreOptions): SessionStore {
  const { runner, prefix } = storeBase('redisSessionStore', options);
  const keep = async (part: string, key: string, value: unknown) => {
    await runner.run(SAVE, [`${prefix}:${part}:${key}`], [JSON.stringify(value), KEPT_MS]);
  };
  const load = async <T>(part: string, key: string) =>
    parse<T>((await runner.run(LOAD, [`${prefix}:${part}:${key}`], [])) as string | null);
  return {
    load: (key) => load<StoredSession>('gateway-session', key),
    save: (key, session) => keep('gateway-session', key, session),
    async remove(key) {
      await runner.run(REMOVE, [`${prefix}:gateway-session:${key}`], []);
    },
    identifyBudgets: {
      load: (key) => load<IdentifyBudget>('identify-budget', key),
      save: (key, budget) => keep('identify-budget', key, budget),
    },
  };
}

function parse<T>(text: string | null): T | undefined {
  if (text === null) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
