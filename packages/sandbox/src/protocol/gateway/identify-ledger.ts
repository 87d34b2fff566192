/**
 * Owns how often a bot may IDENTIFY (Discord docs, Gateway: Identifying, Session Start Limit Object): one in five
 * seconds for each `max_concurrency` bucket, and so many in 24 hours over all shards.
 */

/** The numbers of the limits. */
export interface IdentifyRules {
  /** Buckets: a shard's is its id modulo this. */
  readonly maxConcurrency: number;
  /** Time between two IDENTIFYs of a bucket; 0 for no limit. */
  readonly bucketMs: number;
  /** IDENTIFYs in 24 hours. */
  readonly total: number;
  /** Whether the total is enforced, or only counted. */
  readonly enforced: boolean;
}

/** What an IDENTIFY gets: `tooSoon` is opcode 9; `exhausted` costs the bot its token. */
export type IdentifyVerdict = 'allowed' | 'tooSoon' | 'exhausted';

interface Account {
  used: number;
  resetAt: number;
  /** When each bucket is free again. */
  readonly freeAt: Map<number, number>;
}

const DAY_MS = 86_400_000;

/** Every bot's IDENTIFYs. */
export class IdentifyLedger {
  private readonly accounts = new Map<string, Account>();

  constructor(private readonly rules: IdentifyRules) {}

  /** What an IDENTIFY would get. */
  judge(botId: string, shardId: number, now: number): IdentifyVerdict {
    const account = this.accountOf(botId, now);
    if (this.rules.enforced && account.used >= this.rules.total) return 'exhausted';
    return now < (account.freeAt.get(this.bucketOf(shardId)) ?? 0) ? 'tooSoon' : 'allowed';
  }

  /** Counts an IDENTIFY that started a session. */
  record(botId: string, shardId: number, now: number): void {
    const account = this.accountOf(botId, now);
    if (account.used === 0) account.resetAt = now + DAY_MS;
    account.used += 1;
    account.freeAt.set(this.bucketOf(shardId), now + this.rules.bucketMs);
  }

  /** What `GET /gateway/bot` tells. */
  startLimit(
    botId: string,
    now: number,
  ): {
    readonly total: number;
    readonly remaining: number;
    readonly reset_after: number;
    readonly max_concurrency: number;
  } {
    const { used, resetAt } = this.accountOf(botId, now);
    const { total, maxConcurrency } = this.rules;
    return {
      total,
      remaining: Math.max(0, total - used),
      reset_after: used === 0 ? 0 : Math.max(0, Math.round(resetAt - now)),
      max_concurrency: maxConcurrency,
    };
  }

  private accountOf(botId: string, now: number): Account {
    const known = this.accounts.get(botId);
    if (known !== undefined && (known.used === 0 || now < known.resetAt)) return known;
    const fresh: Account = { used: 0, resetAt: now, freeAt: known?.freeAt ?? new Map() };
    this.accounts.set(botId, fresh);
    return fresh;
  }

  private bucketOf(shardId: number): number {
    return shardId % this.rules.maxConcurrency;
  }
}
