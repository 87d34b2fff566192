/**
 * Owns the shards of a client: which there are, what their news change, whom their dispatches are told, when all are
 * ready. Refuses sockets and the protocol: each shard has its own.
 */
import type { Clock, Logger } from '@guildkit/core';
import { ConnectWait } from './connect-wait.js';
import { DispatchRouter, type DispatchSink } from './dispatch-router.js';
import type { DomainFeed } from './domain-feed.js';
import type { GatewayError } from './errors.js';
import type { DispatchMeta } from './events.js';
import type { ShardHealth } from './health.js';
import type { Tracing } from './instrumentation.js';
import { SessionKeeper, type StoreFailure } from './io/session-keeper.js';
import { type SessionStore, sessionKey } from './io/session-store.js';
import type { Shard, ShardConfig, ShardNews } from './io/shard.js';
import type { ShardLayout } from './options.js';
import { fields, objects, text } from './protocol/fields.js';
import type { Dispatch } from './protocol/frames.js';
import { Readiness } from './protocol/readiness.js';
import type { SessionCause } from './protocol/session-types.js';
import { guildsOfShards, shardOf } from './protocol/snowflake.js';
import { resumeTraceIdOf, sessionTag, traceIdOf } from './protocol/trace.js';
import type { Reporter } from './reporter.js';
import type { GatewayRequests } from './requests.js';
import { createShardView, type ShardView, shardHealth } from './shard-view.js';
import type { VoiceSignals } from './voice-signals.js';

/** What a fleet needs of its client. */
export interface FleetContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reporter: Reporter;
  readonly tracing: Tracing | undefined;
  readonly feed: DomainFeed;
  readonly signals: VoiceSignals;
  readonly requests: GatewayRequests;
  /** What listens to single names. */
  readonly listeners: DispatchSink;
  /** What listens to everything, if anything does. */
  readonly everything: DispatchSink;
  /** A shard went from one phase to another. */
  onPhase(): void;
  /** A shard has ended for good by itself. */
  onFatal(shardId: number, cause: SessionCause): void;
}

/** How a fleet is put together. */
export interface FleetPlan {
  readonly layout: ShardLayout;
  /** Names the token without giving it away. */
  readonly tokenHash: string;
  readonly store: SessionStore;
  readonly onStoreFailure: StoreFailure;
  /** Fires when it is not wanted any more. */
  readonly signal: AbortSignal;
  /** What all shards have in common. */
  readonly shard: Omit<ShardConfig, 'id' | 'count' | 'filter' | 'session'>;
}

/** What `connect()` waits for once the shards are ready. */
export interface GuildWait {
  /** `undefined` for all. */
  readonly guildIds: ReadonlySet<string> | undefined;
  /** Whether GUILD_CREATE will come at all. */
  readonly expectGuilds: boolean;
  readonly guildsTimeoutMs: number;
}

/** All shards of one client. */
export class Fleet {
  private readonly router: DispatchRouter;
  private readonly views = new Map<number, ShardView>();
  private count = 1;
  private arrivals: ConnectWait | undefined;
  private isEnding = false;

  constructor(private readonly context: FleetContext) {
    const { listeners, signals, requests, feed, everything } = context;
    const arrivals: DispatchSink = {
      wants: (name) => this.arrivals?.wants(name) ?? false,
      push: (name, data) => this.arrivals?.push(name, data),
    };
    this.router = new DispatchRouter([listeners, signals, requests, feed, arrivals], everything);
  }

  get shardIds(): number[] {
    return [...this.views.keys()];
  }

  get isReady(): boolean {
    const views = [...this.views.values()];
    return views.length > 0 && views.every(({ shard }) => shard.state.phase === 'ready');
  }

  get health(): ShardHealth[] {
    return Array.from(this.views.values(), shardHealth);
  }

  /** One of them; the first when it does not matter which. */
  shard(shardId: number | undefined): Shard | undefined {
    return (shardId === undefined ? [...this.views.values()][0] : this.views.get(shardId))?.shard;
  }

  /** Whose a guild is. */
  shardOf(guildId: string): number {
    return shardOf(guildId, this.count);
  }

  /** Other dispatches are listened to than before. */
  onListenersChanged(): void {
    this.router.reset();
  }

  /** Makes the shards; those that have a stored session will resume it. */
  async open({ layout, tokenHash, store, onStoreFailure, signal, shard }: FleetPlan): Promise<void> {
    const { context } = this;
    this.count = layout.count;
    for (const id of layout.ids) {
      const key = sessionKey(tokenHash, shard.intents, id, layout.count);
      const keeper = new SessionKeeper(store, key, context.clock, onStoreFailure);
      const stored = await keeper.load();
      signal.throwIfAborted();
      context.signals.userId ??= stored?.userId;
      context.feed.restore(stored?.voice);
      const config = { ...shard, id, count: layout.count, filter: this.router, session: stored?.session };
      const listener = { deliver: this.onDelivery.bind(this), news: this.onNews.bind(this) };
      this.views.set(id, createShardView(config, keeper, stored?.startedAt, listener));
    }
  }

  /** Connects all. Resolves when they are ready and their guilds have come. */
  async connect({ guildIds, expectGuilds, guildsTimeoutMs }: GuildWait): Promise<void> {
    const { clock, logger } = this.context;
    const wanted = guildIds && guildsOfShards(guildIds, this.shardIds, this.count);
    const progress = new Readiness(this.shardIds, wanted, expectGuilds);
    const onSettled = (): void => this.waitFor(undefined);
    const wait = new ConnectWait({ progress, clock, logger, guildsTimeoutMs, onSettled });
    this.waitFor(wait);
    for (const { shard } of this.views.values()) shard.connect();
    await wait.done;
  }

  /** Ends all. Resolves when nothing of them is left and their sessions are stored or removed. */
  async end(how: 'close' | 'detach', error: GatewayError): Promise<void> {
    this.isEnding = true;
    this.arrivals?.settle(error);
    const views = [...this.views.values()];
    await Promise.all(views.map(({ shard }) => shard.end(how)));
    if (how === 'detach') for (const view of views) this.save(view);
    await Promise.all(views.map(({ keeper }) => keeper.flush()));
  }

  private waitFor(wait: ConnectWait | undefined): void {
    this.arrivals = wait;
    this.router.reset();
  }

  /** What a shard's news change, then what is told of them. */
  private onNews(view: ShardView, news: ShardNews): void {
    const { shard } = view;
    switch (news.type) {
      case 'phase':
        view.phaseSince = this.context.clock.wallTime();
        this.context.onPhase();
        this.context.tracing?.phase(shard, news.to, news.cause);
        break;
      case 'sessionStarted':
        view.tag = sessionTag(news.session.id);
        view.sessionSince = this.context.clock.wallTime();
        break;
      case 'sessionLost':
        view.sessionSince = undefined;
        view.inherited = false;
        view.keeper.remove();
        this.context.requests.onSessionLost(shard.id);
        break;
      case 'ready':
        this.save(view);
        this.arrivals?.check();
        break;
      case 'resumed':
        view.sessionSince ??= this.context.clock.wallTime();
        this.arrivals?.progress.shardResumed(shard.id);
        this.context.requests.onResumed(shard.id);
        this.save(view);
        this.arrivals?.check();
        break;
      case 'heartbeat':
        view.latencyMs = news.latencyMs;
        if (view.keeper.isDue(shard.state.session?.seq)) this.save(view);
        break;
      case 'ended':
        if (news.fatal) this.context.onFatal(shard.id, news.cause);
        break;
      default:
    }
    this.context.reporter.news(shard.id, news);
  }

  private onDelivery(view: ShardView, { name, wanted, data }: Dispatch, seq: number, replayed: boolean): void {
    if (name === 'READY') this.onReady(view, data, seq);
    if (wanted) {
      const meta: DispatchMeta = { shardId: view.shard.id, seq, replayed, traceId: traceIdOf(view.tag, seq) };
      if (this.context.tracing === undefined) this.router.push(name, data, meta);
      else this.pushTraced(this.context.tracing, name, data, meta);
    }
    if (name === 'RESUMED' && view.inherited) this.tellInherited(view, seq);
    // Once for all that is read at a time: looking at the clock for each costs more than passing over one.
    if (view.isNoted) return;
    view.isNoted = true;
    queueMicrotask(() => this.note(view));
  }

  /** Notes that dispatches came. */
  private note(view: ShardView): void {
    view.isNoted = false;
    const now = this.context.clock.wallTime();
    view.lastEventAt = now;
    // Behind the listeners: a stored number says that everything up to it was told, and is in the map beside it.
    if (!this.isEnding && view.keeper.isDue(view.shard.state.session?.seq, now)) this.save(view);
  }

  private pushTraced(tracing: Tracing, name: string, data: unknown, meta: DispatchMeta): void {
    if (this.router.wants(name)) tracing.dispatch({ name, ...meta }, () => this.router.push(name, data, meta));
  }

  private onReady(view: ShardView, data: unknown, seq: number): void {
    const body = fields(data);
    const shardId = view.shard.id;
    const userId = text(fields(body?.user), 'id') ?? this.context.signals.userId ?? '';
    this.context.signals.userId = userId;
    const guildIds = objects(body, 'guilds')
      .map((guild) => text(guild, 'id'))
      .filter((id) => id !== undefined);
    this.arrivals?.progress.shardReady(shardId, guildIds);
    // Guilds that the bot was taken out of meanwhile; the others tell themselves by GUILD_CREATE.
    if (Array.isArray(body?.guilds)) {
      this.context.feed.retain(guildIds, this.guildsOf(view), traceIdOf(view.tag, seq));
    }
    this.context.reporter.ready({ shardId, userId, guildIds });
  }

  private save(view: ShardView): void {
    const { session } = view.shard.state;
    const { userId } = this.context.signals;
    if (session === undefined || userId === undefined) return;
    const voice = this.context.feed.record(this.guildsOf(view));
    view.keeper.save(session, { userId, startedAt: view.sessionSince, voice });
  }

  /**
   * No GUILD_CREATE comes with a resume: what an earlier process knew, and what was replayed on top, is told instead. At
   * each RESUMED: a replay can hold one of an earlier resume, and what is told there may be behind what was told before.
   */
  private tellInherited(view: ShardView, seq: number): void {
    this.context.feed.tellSnapshots(this.guildsOf(view), resumeTraceIdOf(view.tag, seq));
  }

  private guildsOf({ shard }: ShardView): (guildId: string) => boolean {
    return (guildId) => shardOf(guildId, this.count) === shard.id;
  }
}
