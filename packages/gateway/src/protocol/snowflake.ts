/** Owns what Discord's ids say (Discord docs, Reference: Snowflakes). */

const DISCORD_EPOCH_MS = 1_420_070_400_000;

/** When an id was made, unix ms; `undefined` when the text is no id. */
export function snowflakeTime(id: string): number | undefined {
  return isSnowflake(id) ? Number(BigInt(id) >> 22n) + DISCORD_EPOCH_MS : undefined;
}

/** Which shard a guild's events come on (docs, Gateway: Sharding). */
export function shardOf(guildId: string, shardCount: number): number {
  return isSnowflake(guildId) ? Number((BigInt(guildId) >> 22n) % BigInt(shardCount)) : 0;
}

/** Those of the guilds whose events come on these shards; the others are another process' business. */
export function guildsOfShards(
  guildIds: Iterable<string>,
  shardIds: readonly number[],
  shardCount: number,
): ReadonlySet<string> {
  return new Set([...guildIds].filter((id) => shardIds.includes(shardOf(id, shardCount))));
}

/** Whether a text looks like an id. */
export function isSnowflake(id: string): boolean {
  return /^[0-9]{1,20}$/.test(id);
}
