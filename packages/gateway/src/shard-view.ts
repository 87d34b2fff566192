/** Owns what the client knows of a shard beside its session, and what `health()` says of it. */
import type { ShardHealth } from './health.js';
import type { SessionKeeper } from './io/session-keeper.js';
import type { Shard } from './io/shard.js';
import { waitingIn } from './protocol/outbox.js';

/** What the client knows of a shard beside its session. */
export interface ShardView {
  readonly shard: Shard;
  readonly keeper: SessionKeeper;
  tag: string;
  phaseSince: number;
  sessionSince: number | undefined;
  lastEventAt: number | undefined;
  latencyMs: number | undefined;
  /** The session is of an earlier process: its guilds were not told to this one's listeners. */
  inherited: boolean;
}

/** A shard as `health()` shows it. */
export function shardHealth(view: ShardView): ShardHealth {
  const { shard, phaseSince, sessionSince, lastEventAt, latencyMs } = view;
  const { phase, outbox, attempts, outage } = shard.state;
  const { unexpected: _, ...counters } = shard.counters;
  return {
    shardId: shard.id,
    phase,
    since: phaseSince,
    sessionSince,
    lastEventAt,
    latencyMs,
    queued: waitingIn(outbox).length,
    attempts,
    degraded: outage?.told === true,
    ...counters,
  };
}
