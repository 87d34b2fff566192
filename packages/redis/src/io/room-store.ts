/** Owns the rooms of the room service, for all processes: one hash, each room a JSON. */
import { randomUUID } from 'node:crypto';
import type { RoomRecord, RoomStore } from '@guildkit/server-kit/rooms';
import { RedisError } from '../errors.js';
import { script } from './scripts.js';
import { type RedisStoreOptions, storeBase } from './store.js';
import { timedKeys } from './timed-keys.js';

const GET = script(`return redis.call('HGET', KEYS[1], ARGV[1])`);
const LIST = script(`return redis.call('HVALS', KEYS[1])`);
const ADD = script(`return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])`);
const REMOVE = script(`return redis.call('HDEL', KEYS[1], ARGV[1])`);
/** ARGV: channel, text as it was read, new text. */
const SWAP = script(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
`);

/**
 * The store of `RoomService` for several processes.
 *
 * @throws TypeError on options out of range.
 */
export function redisRoomStore(options: RedisStoreOptions): RoomStore {
  const base = storeBase('redisRoomStore', options);
  const { runner, prefix } = base;
  const keys = [`${prefix}:rooms`];
  const claims = timedKeys(base, 'room-claim');
  const text = async (channelId: string) => ((await runner.run(GET, keys, [channelId])) as string | null) ?? undefined;
  const list = async () => ((await runner.run(LIST, keys, [])) as string[]).map(parse);
  return {
    list,
    async get(channelId) {
      const found = await text(channelId);
      return found === undefined ? undefined : parse(found);
    },
    findByMarker: async (marker) => (await list()).find((room) => room.marker === marker),
    add: async (room) => (await runner.run(ADD, keys, [room.channelId, JSON.stringify(room)])) === 1,
    async update(channelId, change) {
      // Ends: of those who come between, one has succeeded.
      for (;;) {
        const before = await text(channelId);
        if (before === undefined) return undefined;
        const room = parse(before);
        const next = change(room);
        if (next === undefined) return room;
        if ((await runner.run(SWAP, keys, [channelId, before, JSON.stringify(next)])) === 1) return next;
      }
    },
    async remove(channelId) {
      await runner.run(REMOVE, keys, [channelId]);
    },
    async claim(key, ttlMs) {
      const ticket = randomUUID();
      return (await claims.claim(key, ticket, ttlMs)) ? ticket : undefined;
    },
    release: (key, ticket) => claims.drop(key, ticket),
  };
}

function parse(text: string): RoomRecord {
  try {
    return JSON.parse(text) as RoomRecord;
  } catch (error) {
    throw new RedisError('ERR_REDIS_REPLY_MALFORMED', error);
  }
}
