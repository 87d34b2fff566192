/**
 * Owns when a client that was just connected knows its guilds: every shard READY or RESUMED, and a GUILD_CREATE for
 * each guild that is waited for. Refuses time: the client bounds the wait.
 */

/** Whether a dispatch says that a guild came, or is unavailable. */
export function isGuildDispatch(name: string): boolean {
  return name === 'GUILD_CREATE' || name === 'GUILD_DELETE';
}

/** Progress of a `connect()`. */
export class Readiness {
  private readonly shards: Set<number>;
  private readonly pending = new Set<string>();
  private readonly seen = new Set<string>();
  private resumed = false;

  /** @param wanted Guilds that are waited for, `undefined` for all. @param expectGuilds Whether GUILD_CREATE will come at all. */
  constructor(
    shardIds: readonly number[],
    private readonly wanted: ReadonlySet<string> | undefined,
    private readonly expectGuilds: boolean,
  ) {
    this.shards = new Set(shardIds);
  }

  /** A shard is READY with these guilds. */
  shardReady(shardId: number, guildIds: readonly string[]): void {
    this.shards.delete(shardId);
    for (const id of guildIds) {
      this.seen.add(id);
      if (this.expectGuilds && (this.wanted?.has(id) ?? true)) this.pending.add(id);
    }
  }

  /** A shard goes on with an earlier session: no GUILD_CREATE will come. */
  shardResumed(shardId: number): void {
    this.shards.delete(shardId);
    this.resumed = true;
  }

  /** A guild came, or was said to be unavailable. */
  guildSettled(guildId: string): void {
    this.pending.delete(guildId);
  }

  /** Every shard has a session. */
  get shardsReady(): boolean {
    return this.shards.size === 0;
  }

  /** Nothing is waited for any more. */
  get done(): boolean {
    return this.shardsReady && this.pending.size === 0;
  }

  /** Guilds that have not come. */
  get missing(): string[] {
    return [...this.pending];
  }

  /** Wanted guilds that no shard has; known only when no shard was resumed. */
  get unknown(): string[] {
    if (!this.shardsReady || this.resumed || !this.expectGuilds || this.wanted === undefined) return [];
    return [...this.wanted].filter((id) => !this.seen.has(id));
  }
}
