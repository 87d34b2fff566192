/**
 * Owns the public client: shards, listeners, domain events, sends, health. Refuses protocol: `protocol/session.ts`
 * decides, `io/shard.ts` carries out.
 */
import {
  createRedactor,
  type DomainEvent,
  type DomainEventName,
  type Logger,
  Redacted,
  TypedEmitter,
  type Unsubscribe,
  type VoiceSignalling,
  type VoiceStateRequest,
} from '@guildkit/core';
import type { APIGatewayBotInfo, GatewayPresenceUpdateData, GatewaySendPayload } from 'discord-api-types/v10';
import { ConnectWait, rejection } from './connect-wait.js';
import { DispatchRouter, type DispatchSink } from './dispatch-router.js';
import { DomainFeed } from './domain-feed.js';
import { budgetSpentError, closedError, fatalError, GatewayError } from './errors.js';
import type { ClosedEvent, DispatchDataMap, DispatchMeta, DispatchName, GatewayEvents } from './events.js';
import type { GatewayHealth } from './health.js';
import { Tracing } from './instrumentation.js';
import { fetchGatewayInfoFrom, untilGatewayInfo } from './io/gateway-info.js';
import { BudgetKeeper, withinBudget } from './io/identify-budget.js';
import { type IdentifyQueue, localIdentifyQueue } from './io/identify-queue.js';
import { SessionKeeper } from './io/session-keeper.js';
import { budgetKey, memorySessionStore, type SessionStore, sessionKey, tokenHash } from './io/session-store.js';
import type { ShardNews } from './io/shard.js';
import { ListenerTable } from './listeners.js';
import type { GuildMembersOptions, GuildMembersRequest } from './member-requests.js';
import {
  type DiscordGatewayClientOptions,
  layoutOf,
  resolveSettings,
  rulesOf,
  type SendOptions,
  type Settings,
} from './options.js';
import { encodePayload, presencePayload, voiceStatePayload } from './payloads.js';
import { inflaterFor } from './platform.js';
import { fields, objects, text } from './protocol/fields.js';
import { type Dispatch, OPCODES } from './protocol/frames.js';
import type { SessionStartLimit } from './protocol/identify-budget.js';
import { INTENTS, intentBits } from './protocol/intents.js';
import { Readiness } from './protocol/readiness.js';
import type { SessionCause } from './protocol/session-types.js';
import { guildsOfShards, shardOf } from './protocol/snowflake.js';
import { resumeTraceIdOf, sessionTag, traceIdOf } from './protocol/trace.js';
import { Reporter } from './reporter.js';
import { GatewayRequests } from './requests.js';
import { createShardView, type ShardView, shardHealth } from './shard-view.js';
import type { SoundboardSounds, SoundboardSoundsOptions } from './soundboard-requests.js';
import { VoiceSignals } from './voice-signals.js';

/**
 * A connection to Discord's gateway that comes back by itself and loses nothing that Discord still has.
 *
 * @example
 * ```ts
 * import { DiscordGatewayClient } from '@guildkit/gateway';
 *
 * const gateway = new DiscordGatewayClient({ token: 'bot token', intents: ['Guilds', 'GuildVoiceStates'] });
 * gateway.onEvent('voice.joined', ({ payload }) => console.log(payload.username, 'joined', payload.channelId));
 * await gateway.connect();
 * ```
 */
export class DiscordGatewayClient extends TypedEmitter<GatewayEvents> {
  /** What a voice connection asks of the gateway. */
  readonly signalling: VoiceSignalling;
  private readonly settings: Settings;
  private readonly token: Redacted;
  private readonly redact: (text: string) => string;
  private readonly intents: number;
  private readonly guildIds: ReadonlySet<string> | undefined;
  private readonly store: SessionStore;
  private readonly log: Logger;
  private readonly reporter: Reporter;
  private readonly signals: VoiceSignals;
  private readonly feed: DomainFeed;
  private readonly requests: GatewayRequests;
  private budget: BudgetKeeper | undefined;
  private readonly tracing: Tracing | undefined;
  private readonly dispatchListeners: ListenerTable<unknown, DispatchMeta>;
  private readonly router: DispatchRouter;
  private readonly abort = new AbortController();
  private views = new Map<number, ShardView>();
  private shardCount = 1;
  private presence: GatewayPresenceUpdateData | undefined;
  private connecting: Promise<void> | undefined;
  private readiness: ConnectWait | undefined;
  private ending: Promise<void> | undefined;
  private state: GatewayHealth['state'] = 'idle';
  private stateSince: number;

  /** @throws TypeError when an option is unknown or out of range. */
  constructor(options: DiscordGatewayClientOptions) {
    super();
    const { token, ...settings } = resolveSettings(options);
    this.settings = { ...settings, token: '' };
    this.token = new Redacted(token);
    this.redact = createRedactor([token]);
    this.intents = intentBits(settings.intents);
    this.guildIds = settings.guildId === undefined ? undefined : new Set([settings.guildId].flat());
    this.store = settings.sessionStore ?? memorySessionStore();
    this.log = settings.logger;
    this.presence = settings.presence;
    this.reporter = new Reporter(this.log, this.redact, (name, event) => this.emitEvent(name, event));
    const onListenerError = (error: unknown, name: string): void => this.onListenerError(error, name);
    const onChange = (): void => this.router.reset();
    this.dispatchListeners = new ListenerTable(onListenerError, onChange);
    const { domainEvents: enabled, instrumentation } = settings;
    this.tracing = instrumentation && new Tracing(instrumentation, onListenerError);
    this.stateSince = settings.clock.wallTime();
    this.feed = new DomainFeed({
      enabled,
      guildIds: this.guildIds,
      clock: settings.clock,
      logger: this.log,
      onListenerError,
      onChange,
      onMalformed: (what, shardId) =>
        this.reporter.error(
          new GatewayError('ERR_GATEWAY_DISPATCH_MALFORMED', `No event was made of ${what}`, { shardId }),
        ),
    });
    this.signals = new VoiceSignals((request) => this.updateVoiceState(request), onListenerError, onChange);
    this.signalling = this.signals;
    this.requests = new GatewayRequests({
      clock: settings.clock,
      intents: this.intents,
      nonceBase: Math.floor(settings.random() * 2 ** 48).toString(36),
      shardOf: (guildId) => shardOf(guildId, this.shardCount),
      send: (payload, options) => this.send(payload, options),
    });
    this.router = this.createRouter();
  }

  /**
   * Connects every shard. Resolves when all are ready and the guilds that are waited for have come; tries until then.
   *
   * @throws GatewayError (rejects) when no retry can help, when the signal fires, when the client is closed.
   */
  connect(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.ending !== undefined) return Promise.reject(closedError());
    this.connecting ??= this.connectAll(options.signal);
    this.noteState();
    return this.connecting;
  }

  /** Listens to one kind of dispatch. The data is typed after discord-api-types and comes as Discord sent it. */
  onDispatch<N extends DispatchName>(
    name: N,
    listener: (data: DispatchDataMap[N], meta: DispatchMeta) => void,
  ): Unsubscribe {
    return this.dispatchListeners.add(name, listener as (data: unknown, meta: DispatchMeta) => void);
  }

  /**
   * Listens to a domain event, or to all with `'*'`.
   *
   * @throws TypeError when they are switched off by the option `domainEvents`.
   */
  onEvent<N extends DomainEventName | '*'>(
    name: N,
    listener: (event: N extends DomainEventName ? DomainEvent<N> : DomainEvent) => void,
  ): Unsubscribe {
    return this.feed.on(name, listener as (event: DomainEvent) => void);
  }

  /**
   * Sends a payload, waiting for a ready connection if there is none. Resolves when it was handed to the socket.
   *
   * @throws GatewayError (rejects) `ERR_GATEWAY_SEND_*`, `ERR_GATEWAY_PAYLOAD_TOO_LARGE`, `ERR_GATEWAY_CLIENT_CLOSED`.
   */
  async send(payload: GatewaySendPayload, options: SendOptions = {}): Promise<void> {
    const { encoded, bytes } = encodePayload(payload);
    const view = options.shardId === undefined ? [...this.views.values()][0] : this.views.get(options.shardId);
    if (this.ending !== undefined) throw closedError();
    if (view === undefined) {
      const what = 'The payload was not sent: the shard is not of this client, or connect() was not called';
      throw new GatewayError('ERR_GATEWAY_SEND_FAILED', what);
    }
    const { shard } = view;
    const send = (): Promise<void> =>
      shard.send(encoded, { signal: options.signal, presence: payload.op === OPCODES.presenceUpdate });
    await (this.tracing?.send({ shardId: shard.id, op: payload.op, bytes }, send) ?? send());
  }

  /**
   * Shows another status or activity, now and in every later session. Resolves when it was handed to the socket, or when
   * a later presence took its place: Discord takes five in 20 s.
   *
   * @throws TypeError (rejects) when a field is not as Discord wants it; GatewayError as {@link send}.
   */
  async updatePresence(presence: GatewayPresenceUpdateData, options: SendOptions = {}): Promise<void> {
    const payload = presencePayload(presence);
    this.presence = presence;
    const shardIds = options.shardId === undefined ? [...this.views.keys()] : [options.shardId];
    await Promise.all(shardIds.map((shardId) => this.send(payload, { ...options, shardId })));
  }

  /**
   * Joins, leaves or changes the bot's voice channel in a guild (Discord docs, Gateway Events: Update Voice State).
   *
   * @throws TypeError (rejects) when a field is not as Discord wants it; GatewayError as {@link send}.
   */
  async updateVoiceState(
    request: VoiceStateRequest,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const payload = voiceStatePayload(request);
    await this.send(payload, { signal: options.signal, shardId: shardOf(request.guildId, this.shardCount) });
  }

  /**
   * Asks for a guild's members (Discord docs, Gateway Events: Request Guild Members). Await the answer, or iterate over
   * the members as they come. Waits out Discord's rate limit and asks again when the session was lost.
   *
   * @throws TypeError when an option is out of range.
   * @throws GatewayError (rejects) `ERR_GATEWAY_REQUEST_*`, `ERR_GATEWAY_INTENT_MISSING`, `ERR_GATEWAY_SEND_*`,
   * `ERR_GATEWAY_CLIENT_CLOSED`.
   */
  requestGuildMembers(options: GuildMembersOptions): GuildMembersRequest {
    return this.requests.members.request(options);
  }

  /**
   * Asks for the soundboard sounds of guilds (Discord docs, Gateway Events: Request Soundboard Sounds).
   *
   * @throws TypeError when the ids are none, or an option is out of range.
   * @throws GatewayError (rejects) `ERR_GATEWAY_REQUEST_*`, `ERR_GATEWAY_SEND_*`, `ERR_GATEWAY_CLIENT_CLOSED`.
   */
  requestSoundboardSounds(
    guildIds: readonly string[],
    options: SoundboardSoundsOptions = {},
  ): Promise<SoundboardSounds> {
    return this.requests.sounds.request(guildIds, options);
  }

  /** How things are, as numbers. */
  health(): GatewayHealth {
    const shards = Array.from(this.views.values(), shardHealth);
    const { state, stateSince: since, budget } = this;
    return { state, since, userId: this.signals.userId, identifyBudget: budget?.budget, shards };
  }

  /** Ends the connection; Discord ends the session and shows the bot offline. Calling it again waits for the same end. */
  close(): Promise<void> {
    return this.end('close', { reason: 'closed', error: undefined });
  }

  /** Ends the connection but not the session: a client with the same session store, token and intents resumes it. */
  detach(): Promise<void> {
    return this.end('detach', { reason: 'detached', error: undefined });
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A listener that threw: told as `error` when someone listens, else thrown as it would have been without us. */
  protected override onListenerError(error: unknown, event: string): void {
    if (event === 'error' || this.listenerCount('error') === 0) {
      super.onListenerError(error, event);
      return;
    }
    this.reporter.error(
      new GatewayError('ERR_GATEWAY_LISTENER_FAILED', `A listener of "${event}" threw`, { cause: error }),
    );
  }

  private async connectAll(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = (): void => void this.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      // A store, or who looks up the address, may never answer.
      await Promise.race([this.start(), rejection(this.abort.signal)]);
    } catch (error) {
      if (signal?.aborted) {
        await this.close();
        throw new GatewayError('ERR_GATEWAY_CONNECT_ABORTED', 'connect() was aborted', { cause: signal.reason });
      }
      if (this.ending !== undefined && !GatewayError.is(error)) throw closedError();
      await this.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  private async start(): Promise<void> {
    const { apiBase, fetchGatewayInfo, shards, backoff, clock, random, alertAfterAttempts } = this.settings;
    const fetchInfo = fetchGatewayInfo ?? fetchGatewayInfoFrom(apiBase.replace(/\/+$/, ''), this.token, clock);
    const info = await untilGatewayInfo({
      fetchInfo,
      backoff,
      clock,
      random,
      signal: this.abort.signal,
      redact: this.redact,
      onFailure: (error, attempts, delayMs) => {
        this.log.warn({ code: error.code, status: error.status, attempts, delayMs }, 'gateway address not available');
        if (attempts === alertAfterAttempts) {
          this.reporter.alert({ shardId: undefined, attempts, reason: error.code, code: error.status });
        }
      },
    });
    const { compression } = this.settings;
    const createInflater = await inflaterFor(compression);
    const layout = layoutOf(shards, info.shards);
    this.shardCount = layout.count;
    const hash = await tokenHash(this.token.reveal());
    const identifyQueue = this.openIdentifyQueue(hash, info.session_start_limit, fetchInfo);
    const common = {
      count: layout.count,
      gatewayUrl: info.url,
      token: this.token,
      intents: this.intents,
      largeThreshold: this.settings.largeThreshold,
      presence: () => this.presence,
      identifyQueue,
      maxConcurrency: info.session_start_limit?.max_concurrency ?? 1,
      rules: rulesOf(this.settings),
      clock,
      random,
      openSocket: this.settings.openSocket,
      filter: this.router,
      compression,
      createInflater,
    };
    const listener = {
      deliver: this.onDelivery.bind(this),
      news: this.onNews.bind(this),
    };
    for (const id of layout.ids) {
      const key = sessionKey(hash, this.intents, id, layout.count);
      const keeper = new SessionKeeper(this.store, key, clock, this.onStoreFailure);
      const stored = await keeper.load();
      this.abort.signal.throwIfAborted();
      this.signals.userId ??= stored?.userId;
      this.feed.restore(stored?.voice);
      const config = { ...common, id, session: stored?.session };
      this.views.set(id, createShardView(config, keeper, stored?.startedAt, listener));
    }
    await this.untilReady();
  }

  /** The queue of the options, or one of our own, that stops before the day's IDENTIFYs are spent. */
  private openIdentifyQueue(
    hash: string,
    limit: SessionStartLimit | undefined,
    fetchInfo: (signal: AbortSignal) => Promise<APIGatewayBotInfo>,
  ): IdentifyQueue {
    const { clock, identifyQueue = localIdentifyQueue({ clock }) } = this.settings;
    this.budget = new BudgetKeeper({
      store: this.store.identifyBudgets,
      key: budgetKey(hash),
      clock,
      limit,
      refresh: async () => (await fetchInfo(this.abort.signal)).session_start_limit,
      onFailure: this.onStoreFailure,
      onSpent: (budget) => {
        const error = budgetSpentError(budget);
        this.reporter.error(error);
        this.reporter.alert({ shardId: undefined, attempts: 0, reason: error.code, code: undefined });
      },
    });
    return withinBudget(identifyQueue, this.budget);
  }

  private readonly onStoreFailure = (action: 'load' | 'save', cause: unknown): void =>
    this.reporter.error(
      new GatewayError('ERR_GATEWAY_STORE_FAILED', `The session store could not ${action}`, { cause }),
    );

  private async untilReady(): Promise<void> {
    const { clock, logger, guildsTimeoutMs } = this.settings;
    const expectGuilds = (this.intents & INTENTS.Guilds) !== 0;
    const shardIds = [...this.views.keys()];
    const wanted = this.guildIds && guildsOfShards(this.guildIds, shardIds, this.shardCount);
    const progress = new Readiness(shardIds, wanted, expectGuilds);
    const onSettled = (): void => this.waitFor(undefined);
    const wait = new ConnectWait({ progress, clock, logger, guildsTimeoutMs, onSettled });
    this.waitFor(wait);
    for (const { shard } of this.views.values()) shard.connect();
    await wait.done;
  }

  private waitFor(wait: ConnectWait | undefined): void {
    this.readiness = wait;
    this.router.reset();
  }

  /** What a shard's news change, then what is told of them. */
  private onNews(view: ShardView, news: ShardNews): void {
    const { shard } = view;
    switch (news.type) {
      case 'phase':
        view.phaseSince = this.settings.clock.wallTime();
        this.noteState();
        this.tracing?.phase(shard, news.to, news.cause);
        break;
      case 'sessionStarted':
        view.tag = sessionTag(news.session.id);
        view.sessionSince = this.settings.clock.wallTime();
        break;
      case 'sessionLost':
        view.sessionSince = undefined;
        view.inherited = false;
        view.keeper.remove();
        this.requests.onSessionLost(shard.id);
        break;
      case 'ready':
        this.save(view);
        this.readiness?.check();
        break;
      case 'resumed':
        view.sessionSince ??= this.settings.clock.wallTime();
        this.readiness?.progress.shardResumed(shard.id);
        this.requests.onResumed(shard.id);
        this.save(view);
        this.readiness?.check();
        break;
      case 'heartbeat':
        view.latencyMs = news.latencyMs;
        if (view.keeper.isDue(shard.state.session?.seq)) this.save(view);
        break;
      case 'ended':
        if (news.fatal) this.onFatal(view, news.cause);
        break;
      default:
    }
    this.reporter.news(shard.id, news);
  }

  private createRouter(): DispatchRouter {
    const listeners = this.dispatchListeners;
    const ofNames: DispatchSink = {
      wants: (name) => listeners.has(name),
      push: (name, data, meta) => listeners.call(name, data, meta),
    };
    const connecting: DispatchSink = {
      wants: (name) => this.readiness?.wants(name) ?? false,
      push: (name, data) => this.readiness?.push(name, data),
    };
    const everything: DispatchSink = {
      wants: () => this.listenerCount('dispatch') > 0,
      push: (name, data, meta) => this.emitEvent('dispatch', { name, data, ...meta }),
    };
    return new DispatchRouter([ofNames, this.signals, this.requests, this.feed, connecting], everything);
  }

  private onDelivery(view: ShardView, { name, wanted, data }: Dispatch, seq: number, replayed: boolean): void {
    if (name === 'READY') this.onReady(view, data, seq);
    if (wanted) {
      const meta: DispatchMeta = { shardId: view.shard.id, seq, replayed, traceId: traceIdOf(view.tag, seq) };
      if (this.tracing === undefined) this.router.push(name, data, meta);
      else this.pushTraced(this.tracing, name, data, meta);
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
    const now = this.settings.clock.wallTime();
    view.lastEventAt = now;
    // Behind the listeners: a stored number says that everything up to it was told, and is in the map beside it.
    if (this.ending === undefined && view.keeper.isDue(view.shard.state.session?.seq, now)) this.save(view);
  }

  private pushTraced(tracing: Tracing, name: string, data: unknown, meta: DispatchMeta): void {
    if (this.router.wants(name)) tracing.dispatch({ name, ...meta }, () => this.router.push(name, data, meta));
  }

  private onReady(view: ShardView, data: unknown, seq: number): void {
    const body = fields(data);
    const shardId = view.shard.id;
    const userId = text(fields(body?.user), 'id') ?? this.signals.userId ?? '';
    this.signals.userId = userId;
    const guildIds = objects(body, 'guilds')
      .map((guild) => text(guild, 'id'))
      .filter((id) => id !== undefined);
    this.readiness?.progress.shardReady(shardId, guildIds);
    // Guilds that the bot was taken out of meanwhile; the others tell themselves by GUILD_CREATE.
    if (Array.isArray(body?.guilds)) {
      this.feed.retain(guildIds, this.guildsOf(view), traceIdOf(view.tag, seq));
    }
    this.reporter.ready({ shardId, userId, guildIds });
  }

  private onFatal({ shard }: ShardView, { reason, code }: SessionCause): void {
    const error = fatalError(shard.id, code, this.intents);
    // Before anyone hears of it: who then calls close() must not make an ordinary end of it.
    void this.end('close', { reason: 'fatal', error });
    this.reporter.fatal(error, reason, code);
  }

  private end(how: 'close' | 'detach', event: ClosedEvent): Promise<void> {
    let begin = (): void => {};
    // Set before anything ends: listeners that are told of it may call this again.
    this.ending ??= new Promise((resolve) => {
      begin = () => resolve(this.endAll(how, event));
    });
    begin();
    this.noteState();
    return this.ending;
  }

  private async endAll(how: 'close' | 'detach', event: ClosedEvent): Promise<void> {
    const error = event.error ?? closedError();
    this.abort.abort(error);
    this.requests.close(error);
    this.readiness?.settle(error);
    const views = [...this.views.values()];
    await Promise.all(views.map(({ shard }) => shard.end(how)));
    if (how === 'detach') for (const view of views) this.save(view);
    await Promise.all(views.map(({ keeper }) => keeper.flush()));
    this.reporter.closed(event);
  }

  private noteState(): void {
    const shards = [...this.views.values()];
    const ready = shards.length > 0 && shards.every(({ shard }) => shard.state.phase === 'ready');
    const state = this.ending ? 'closed' : ready ? 'ready' : this.connecting ? 'connecting' : 'idle';
    if (state !== this.state) this.stateSince = this.settings.clock.wallTime();
    this.state = state;
  }

  private save(view: ShardView): void {
    const { session } = view.shard.state;
    const { userId } = this.signals;
    if (session === undefined || userId === undefined) return;
    const voice = this.feed.record(this.guildsOf(view));
    view.keeper.save(session, { userId, startedAt: view.sessionSince, voice });
  }

  /**
   * No GUILD_CREATE comes with a resume: what an earlier process knew, and what was replayed on top, is told instead. At
   * each RESUMED: a replay can hold one of an earlier resume, and what is told there may be behind what was told before.
   */
  private tellInherited(view: ShardView, seq: number): void {
    this.feed.tellSnapshots(this.guildsOf(view), resumeTraceIdOf(view.tag, seq));
  }

  private guildsOf({ shard }: ShardView): (guildId: string) => boolean {
    return (guildId) => shardOf(guildId, this.shardCount) === shard.id;
  }
}
