/** Owns the gateway's sessions between processes: the next owner of a shard resumes where the last one stopped. */
import type { IdentifyBudget, SessionStore, StoredSession } from '@guildkit/gateway';
import { fenceOf, luaFence, type RedisFence, throwFenced } from './fence.js';
import { type Script, script } from './scripts.js';
import { type RedisStoreOptions, storeBase } from './store.js';

const LOAD = script(`return redis.call('GET', KEYS[1])`);
const SAVE = script(`${luaFence(1, 2)}return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])`);
const REMOVE = script(`${luaFence(1, 0)}return redis.call('DEL', KEYS[1])`);

/** Discord resumes for minutes and counts IDENTIFYs for a day: older ones are of no use. */
const KEPT_MS = 2 * 86_400_000;

/** Settings of {@link redisSessionStore}. */
export interface RedisSessionStoreOptions extends RedisStoreOptions {
  /** Whose writes they are: those of an owner who was deposed are refused. @defaultValue nobody's: every write is taken */
  readonly ownership?: RedisFence | undefined;
}

/**
 * The session store of `DiscordGatewayClient` for several processes. What is no JSON counts as nothing kept. With an
 * ownership, writes reject with `ERR_REDIS_OWNER_DEPOSED` as soon as another was elected.
 *
 * @throws TypeError on options out of range.
 */
export function redisSessionStore({ ownership, ...options }: RedisSessionStoreOptions): SessionStore {
  const { runner, prefix } = storeBase('redisSessionStore', options);
  const write = async (what: Script, key: string, args: readonly (string | number)[]) => {
    const fence = fenceOf(ownership, key);
    try {
      await runner.run(what, [key, ...fence.keys], [...args, ...fence.args]);
    } catch (error) {
      throwFenced(error, ownership);
    }
  };
  const keep = (part: string, key: string, value: unknown) =>
    write(SAVE, `${prefix}:${part}:${key}`, [JSON.stringify(value), KEPT_MS]);
  const load = async <T>(part: string, key: string) =>
    parse<T>((await runner.run(LOAD, [`${prefix}:${part}:${key}`], [])) as string | null);
  return {
    load: (key) => load<StoredSession>('gateway-session', key),
    save: (key, session) => keep('gateway-session', key, session),
    remove: (key) => write(REMOVE, `${prefix}:gateway-session:${key}`, []),
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
