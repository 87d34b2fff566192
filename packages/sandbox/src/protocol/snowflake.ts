/**
 * Owns Discord's ids (Discord docs, API Reference: Snowflakes): 42 bits of milliseconds since 2015, 22 bits below.
 * Ids come from the seed and a counter alone, so a run can be repeated whatever the clock says, or from the clock.
 */

/** First second of 2015, unix ms. */
export const DISCORD_EPOCH_MS = 1_420_070_400_000;

/** Where the sandbox's ids begin: 2024-01-01. They grow from there, so they sort in order of creation. */
const FIRST_ID_MS = 1_704_067_200_000;
/** Seeds start a minute apart, so that sandboxes of neighbouring seeds share no id. */
const SEED_STRIDE_MS = 60_000;
/** Seeds wrap after about two years. */
const SEED_SLOTS = 2 ** 20;

/** How far an id source is. */
export interface IdState {
  readonly used: number;
  /** Milliseconds since 2015 of the last id. */
  readonly lastMs: number;
}

/** Makes ids. */
export interface IdSource {
  next(): string;
  readonly state: IdState;
}

/** The low bits that tell ids of one millisecond apart. */
const IDS_PER_MS = 0x1000;

/**
 * Creates the id source of a seed.
 *
 * @param now Unix ms: then ids carry the time of their creation, as Discord's do, and differ between two runs.
 * @param from Where an earlier source stopped.
 */
export function createIdSource(seed: number, now?: (() => number) | undefined, from?: IdState | undefined): IdSource {
  const base = FIRST_ID_MS - DISCORD_EPOCH_MS + (Math.abs(Math.trunc(seed)) % SEED_SLOTS) * SEED_STRIDE_MS;
  let { used, lastMs } = from ?? { used: 0, lastMs: 0 };
  return {
    next() {
      used += 1;
      const least = lastMs + (now === undefined || used % IDS_PER_MS === 0 ? 1 : 0);
      const wanted = now === undefined ? base + used : now() - DISCORD_EPOCH_MS;
      lastMs = Math.max(least, Math.trunc(wanted));
      return ((BigInt(lastMs) << 22n) | BigInt(used % IDS_PER_MS)).toString();
    },
    get state() {
      return { used, lastMs };
    },
  };
}

/** Whether a text is the decimal form of a 64-bit id. */
export function isSnowflake(text: unknown): text is string {
  return typeof text === 'string' && /^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n;
}

/** Which shard of `count` a guild belongs to (Discord docs, Gateway: Sharding). */
export function shardOf(guildId: string, count: number): number {
  return Number((BigInt(guildId) >> 22n) % BigInt(count));
}
