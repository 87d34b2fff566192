/**
 * Owns which process speaks with which of the seats' bots, and for whom, while several processes share them: a lease in Redis
 * for each bot that is in use. Refuses to give a bot to two; a process that has died loses its bots with their leases.
 */
import { type DiscordPerson, type Logger, messageOf } from '@guildkit/core';

/** For whom a bot speaks, as every process may know it. */
export interface SeatedBot {
  /** The bot's own id in Discord. */
  readonly seatUserId: string;
  readonly player: DiscordPerson;
}

export interface SeatLeases {
  /** `true`: the bot is this process's until it is given back, or lost. */
  take(index: number): Promise<boolean>;
  /** Says for whom it speaks. Resolves when every process can know. */
  name(index: number, bot: SeatedBot): Promise<void>;
  release(index: number): Promise<void>;
  /** Calls back when a bot is not this process's any more. */
  onLost(listener: (index: number) => void): void;
  /** Looks for whom all bots speak, by what was said before the call. */
  refresh(): Promise<void>;
  /** Takes the word of another process for whom bots speak. */
  learn(bots: readonly SeatedBot[]): void;
  /** Bots that spoke for somebody once, and for nobody at the last look. */
  unused(): readonly string[];
  /** Whom a bot of another process stands for, as of the last look. */
  playerOf(seatUserId: string): DiscordPerson | undefined;
  close(): Promise<void>;
}

/** Of a process that is alone. */
export const ownSeats: SeatLeases = {
  take: async () => true,
  name: async () => {},
  release: async () => {},
  onLost: () => {},
  refresh: async () => {},
  learn: () => {},
  unused: () => [],
  playerOf: () => undefined,
  close: async () => {},
};

/** What is asked of a client of Redis: a part of node-redis. */
export interface LeaseClient {
  readonly isReady: boolean;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

export interface SeatLeasesOptions {
  readonly client: LeaseClient;
  readonly prefix: string;
  readonly processId: string;
  /** How many bots there are. */
  readonly size: number;
  readonly logger: Logger;
  readonly renewMs?: number | undefined;
}

/** A process that does not renew for so long has lost its bots. */
const LEASE_MS = 10_000;
const RENEW_MS = 3_000;

/** KEYS: the bot. ARGV: process, ms. One that nobody has is taken, also by who renews: Redis may have lost it. */
const TAKE = `
local by = redis.call('HGET', KEYS[1], 'by')
if by and by ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'by', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`;
/** ARGV: process, for whom. */
const NAME = `
if redis.call('HGET', KEYS[1], 'by') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'for', ARGV[2])
return 1`;
/** ARGV: process. */
const DROP = `
if redis.call('HGET', KEYS[1], 'by') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;
/** KEYS: all of them. */
const LIST = `
local all = {}
for i, key in ipairs(KEYS) do all[i] = redis.call('HGET', key, 'for') or '' end
return all`;

export function createSeatLeases(options: SeatLeasesOptions): SeatLeases {
  const { client, prefix, processId, size, logger, renewMs = RENEW_MS } = options;
  // One tag: all are read in one step.
  const keyOf = (index: number): string => `${prefix}:{seats}:${index}`;
  const all = Array.from({ length: size }, (_, index) => keyOf(index));
  const run = (script: string, keys: string[], ...args: string[]): Promise<unknown> => {
    if (!client.isReady) return Promise.reject(new Error('Redis is away'));
    return client.eval(script, { keys, arguments: args });
  };
  const mine = new Map<number, SeatedBot | undefined>();
  let lost: (index: number) => void = () => {};
  let seated = new Map<string, DiscordPerson>();
  /** By its id in Discord. As many as there are bots. */
  const known = new Set<string>();
  let reading: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  async function read(): Promise<void> {
    const texts = (await run(LIST, all)) as string[];
    const bots = texts.filter((text) => text !== '').map((text) => JSON.parse(text) as SeatedBot);
    seated = new Map(bots.map(({ seatUserId, player }) => [seatUserId, player]));
    for (const id of seated.keys()) known.add(id);
  }

  async function renew(): Promise<void> {
    for (const [index, bot] of [...mine]) {
      try {
        if ((await run(TAKE, [keyOf(index)], processId, String(LEASE_MS))) === 1) {
          if (bot !== undefined) await run(NAME, [keyOf(index)], processId, JSON.stringify(bot));
        } else if (mine.delete(index)) lost(index);
      } catch (error) {
        // Kept: nobody else can take it while Redis is away.
        logger.warn({ index, reason: messageOf(error) }, 'a seat could not be renewed');
      }
    }
  }
  const timer = setInterval(() => void renew(), renewMs);

  return {
    async take(index) {
      if ((await run(TAKE, [keyOf(index)], processId, String(LEASE_MS))) !== 1) return false;
      mine.set(index, undefined);
      return true;
    },
    async name(index, bot) {
      mine.set(index, bot);
      await run(NAME, [keyOf(index)], processId, JSON.stringify(bot));
    },
    async release(index) {
      if (!mine.delete(index)) return;
      // What cannot be given back is free when its lease ends.
      await run(DROP, [keyOf(index)], processId).catch(() => {});
    },
    onLost(listener) {
      lost = listener;
    },
    refresh() {
      if (size === 0) return Promise.resolve();
      if (reading === undefined) {
        reading = read().finally(() => {
          reading = undefined;
        });
        return reading;
      }
      // The one under way may have read before what the caller wants to know; all who wait share the next.
      next ??= reading
        .catch(() => {})
        .then(() => {
          next = undefined;
          reading = read().finally(() => {
            reading = undefined;
          });
          return reading;
        });
      return next;
    },
    learn(bots) {
      for (const { seatUserId, player } of bots) {
        seated.set(seatUserId, player);
        known.add(seatUserId);
      }
    },
    unused: () => [...known].filter((id) => !seated.has(id)),
    playerOf: (seatUserId) => seated.get(seatUserId),
    async close() {
      clearInterval(timer);
      await Promise.all([...mine.keys()].map((index) => this.release(index)));
    },
  };
}
