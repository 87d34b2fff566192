/** Owns the shape of `health()`. */
import type { SessionPhase } from './protocol/session-types.js';

/** How one shard is. Times are unix ms. */
export interface ShardHealth {
  readonly shardId: number;
  readonly phase: SessionPhase;
  /** Since when it is in that phase. */
  readonly since: number;
  /** When its session began; `undefined` without one. */
  readonly sessionSince: number | undefined;
  readonly lastEventAt: number | undefined;
  /** Round trip of the last answered heartbeat, ms. */
  readonly latencyMs: number | undefined;
  /** Sends that wait. */
  readonly queued: number;
  /** Failed tries since it was last ready. */
  readonly attempts: number;
  /** Everything below counts from the start of the client. */
  readonly events: number;
  readonly reconnects: number;
  readonly duplicates: number;
  readonly malformed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** How the client is. */
export interface GatewayHealth {
  /** `ready`: every shard is. `connecting`: some are not. */
  readonly state: 'idle' | 'connecting' | 'ready' | 'closed';
  readonly userId: string | undefined;
  readonly shards: readonly ShardHealth[];
}
