/**
 * Owns keys that last for a time: what somebody has claimed, what was put. A value is `until text`, so that the time of
 * the script decides; Redis forgets the key by its own, a little later.
 */
import { LUA_BASICS, script } from './scripts.js';
import type { StoreBase } from './store.js';

const TIMED = `${LUA_BASICS}
local function current(given)
  local ends, text = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (.*)$')
  if ends and tonumber(ends) > clock(given) then return text end
  return false
end
local function put(text, ttl, given)
  local ms = math.ceil(tonumber(ttl))
  if ms > 0 then redis.call('SET', KEYS[1], int(clock(given) + ms) .. ' ' .. text, 'PX', int(ms)) end
end
`;

/** ARGV: text, ttl, time. */
const CLAIM = script(`${TIMED}
if current(ARGV[3]) then return 0 end
put(ARGV[1], ARGV[2], ARGV[3])
return 1
`);
/** ARGV: text, ttl, time. */
const PUT = script(`${TIMED}
put(ARGV[1], ARGV[2], ARGV[3])
return 1
`);
/** ARGV: time. */
const GET = script(`${TIMED}
return current(ARGV[1])
`);
/** ARGV: text that it must hold or '', time. */
const DROP = script(`${TIMED}
if ARGV[1] == '' or current(ARGV[2]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`);

/** Keys of one store. */
export function timedKeys({ runner, prefix, time }: StoreBase, part: string) {
  const keyOf = (key: string) => [`${prefix}:${part}:${key}`];
  return {
    /** `true` for exactly one of all who ask within the time. */
    async claim(key: string, text: string, ttlMs: number): Promise<boolean> {
      return (await runner.run(CLAIM, keyOf(key), [text, ttlMs, time()])) === 1;
    },
    async put(key: string, text: string, ttlMs: number): Promise<void> {
      await runner.run(PUT, keyOf(key), [text, ttlMs, time()]);
    },
    async get(key: string): Promise<string | undefined> {
      return ((await runner.run(GET, keyOf(key), [time()])) as string | null) ?? undefined;
    },
    /** Forgets a key; with a text only if it still holds that. */
    async drop(key: string, text = ''): Promise<void> {
      await runner.run(DROP, keyOf(key), [text, time()]);
    },
  };
}
