/** Owns the shape of `health()`. */
import type { IdentifyBudget } from './protocol/identify-budget.js';
import type { SessionPhase } from './protocol/session-types.js';

/** How one shard is. Times are unix ms. */
export interface ShardHealth {
  readonly shardId: number;
  readonly phase: SessionPhase;
  /** Since when it is in that phase. */
  readonly since: number;
  /** When its session began; `undefined` without one. */
  readonly sessionSince: number | undefined;
  /** When the last dispatch came, of whatever kind. */
  readonly lastEventAt: number | undefined;
  /** Round trip of the last answered heartbeat, ms. */
  readonly latencyMs: number | undefined;
  /** Sends that wait. */
  readonly queued: number;
  /** Failed tries since it was last ready. */
  readonly attempts: number;
  /** Out for long: what is known of its guilds may be out of date. */
  readonly degraded: boolean;
  /** Everything below counts from the start of the client. */
  readonly events: number;
  /** Connections after the first, tries that failed among them. */
  readonly reconnects: number;
  /** Dispatches that came again and were not told again. */
  readonly duplicates: number;
  /** Frames that could not be read. */
  readonly malformed: number;
  /** As it came over the socket: compressed, when it was. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** How the client is. */
export interface GatewayHealth {
  /** `ready`: every shard is. `connecting`: some are not. */
  readonly state: 'idle' | 'connecting' | 'ready' | 'closed';
  /** Since when, unix ms. */
  readonly since: number;
  readonly userId: string | undefined;
  /** IDENTIFYs that are left of the day's; `undefined` before `connect()`. */
  readonly identifyBudget: IdentifyBudget | undefined;
  readonly shards: readonly ShardHealth[];
}
