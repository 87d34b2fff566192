/** Owns what the client knows of a shard beside its session, and what `health()` says of it. */
import type { ShardHealth } from './health.js';
import type { SessionKeeper } from './io/session-keeper.js';
import { Shard, type ShardConfig, type ShardNews } from './io/shard.js';
import type { Dispatch } from './protocol/frames.js';
import { waitingIn } from './protocol/outbox.js';
import { sessionTag } from './protocol/trace.js';

/** What the client knows of a shard beside its session. */
export interface ShardView {
  readonly shard: Shard;
  readonly keeper: SessionKeeper;
  tag: string;
  phaseSince: number;
  sessionSince: number | undefined;
  lastEventAt: number | undefined;
  /** That dispatches came will be noted. */
  isNoted: boolean;
  latencyMs: number | undefined;
  /** The session is of an earlier process: its guilds were not told to this one's listeners. */
  inherited: boolean;
}

/** Whom the shards of a client tell. */
export interface ShardViewListener {
  deliver(view: ShardView, dispatch: Dispatch, seq: number, replayed: boolean): void;
  news(view: ShardView, news: ShardNews): void;
}

/** Makes a shard. @param startedAt When the session of an earlier process began, unix ms. */
export function createShardView(
  config: ShardConfig,
  keeper: SessionKeeper,
  startedAt: number | undefined,
  listener: ShardViewListener,
): ShardView {
  const { session, clock } = config;
  const shard = new Shard(config, {
    deliver: (dispatch, seq, replayed) => listener.deliver(view, dispatch, seq, replayed),
    news: (news) => listener.news(view, news),
  });
  const view: ShardView = {
    shard,
    keeper,
    tag: session === undefined ? '' : sessionTag(session.id),
    phaseSince: clock.wallTime(),
    sessionSince: startedAt,
    lastEventAt: undefined,
    isNoted: false,
    latencyMs: undefined,
    inherited: session !== undefined,
  };
  return view;
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
