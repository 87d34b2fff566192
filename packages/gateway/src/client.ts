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
import { rejection } from './connect-wait.js';
import { DomainFeed } from './domain-feed.js';
import { budgetSpentError, closedError, fatalError, GatewayError } from './errors.js';
import type { ClosedEvent, DispatchDataMap, DispatchMeta, DispatchName, GatewayEvents } from './events.js';
import { Fleet } from './fleet.js';
import type { GatewayHealth } from './health.js';
import { Tracing } from './instrumentation.js';
import { boundedStore } from './io/bounded-store.js';
import { fetchGatewayInfoFrom, untilGatewayInfo } from './io/gateway-info.js';
import { BudgetKeeper, withinBudget } from './io/identify-budget.js';
import { type IdentifyQueue, localIdentifyQueue } from './io/identify-queue.js';
import { budgetKey, memorySessionStore, type SessionStore, tokenHash } from './io/session-store.js';
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
import { OPCODES } from './protocol/frames.js';
import type { SessionStartLimit } from './protocol/identify-budget.js';
import { INTENTS, intentBits } from './protocol/intents.js';
import type { SessionCause } from './protocol/session-types.js';
import { Reporter } from './reporter.js';
import { GatewayRequests } from './requests.js';
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
  private readonly fleet: Fleet;
  private readonly abort = new AbortController();
  private presence: GatewayPresenceUpdateData | undefined;
  private connecting: Promise<void> | undefined;
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
    this.store = boundedStore(settings.sessionStore ?? memorySessionStore(), settings.clock);
    this.log = settings.logger;
    this.presence = settings.presence;
    this.reporter = new Reporter(this.log, this.redact, (name, event) => this.emitEvent(name, event));
    const onListenerError = (error: unknown, name: string): void => this.onListenerError(error, name);
    const onChange = (): void => this.fleet.onListenersChanged();
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
      shardOf: (guildId) => this.fleet.shardOf(guildId),
      send: (payload, options) => this.send(payload, options),
    });
    const { dispatchListeners } = this;
    this.fleet = new Fleet({
      clock: settings.clock,
      logger: this.log,
      reporter: this.reporter,
      tracing: this.tracing,
      feed: this.feed,
      signals: this.signals,
      requests: this.requests,
      listeners: {
        wants: (name) => dispatchListeners.has(name),
        push: (name, data, meta) => dispatchListeners.call(name, data, meta),
      },
      everything: {
        wants: () => this.listenerCount('dispatch') > 0,
        push: (name, data, meta) => this.emitEvent('dispatch', { name, data, ...meta }),
      },
      onPhase: () => this.noteState(),
      onFatal: (shardId, cause) => this.onFatal(shardId, cause),
    });
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
    const shard = this.fleet.shard(options.shardId);
    if (this.ending !== undefined) throw closedError();
    if (shard === undefined) {
      const what = 'The payload was not sent: the shard is not of this client, or connect() was not called';
      throw new GatewayError('ERR_GATEWAY_SEND_FAILED', what);
    }
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
    const shardIds = options.shardId === undefined ? this.fleet.shardIds : [options.shardId];
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
    await this.send(payload, { signal: options.signal, shardId: this.fleet.shardOf(request.guildId) });
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
    const { state, stateSince: since, budget } = this;
    return { state, since, userId: this.signals.userId, identifyBudget: budget?.budget, shards: this.fleet.health };
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
    const { compression, largeThreshold, openSocket, guildsTimeoutMs } = this.settings;
    const createInflater = await inflaterFor(compression);
    const hash = await tokenHash(this.token.reveal());
    await this.fleet.open({
      layout: layoutOf(shards, info.shards),
      tokenHash: hash,
      store: this.store,
      onStoreFailure: this.onStoreFailure,
      signal: this.abort.signal,
      shard: {
        gatewayUrl: info.url,
        token: this.token,
        intents: this.intents,
        largeThreshold,
        presence: () => this.presence,
        identifyQueue: this.openIdentifyQueue(hash, info.session_start_limit, fetchInfo),
        maxConcurrency: info.session_start_limit?.max_concurrency ?? 1,
        rules: rulesOf(this.settings),
        clock,
        random,
        openSocket,
        compression,
        createInflater,
      },
    });
    const expectGuilds = (this.intents & INTENTS.Guilds) !== 0;
    await this.fleet.connect({ guildIds: this.guildIds, expectGuilds, guildsTimeoutMs });
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

  private onFatal(shardId: number, { reason, code }: SessionCause): void {
    const error = fatalError(shardId, code, this.intents);
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
    await this.fleet.end(how, error);
    this.reporter.closed(event);
  }

  private noteState(): void {
    const state = this.ending ? 'closed' : this.fleet.isReady ? 'ready' : this.connecting ? 'connecting' : 'idle';
    if (state !== this.state) this.stateSince = this.settings.clock.wallTime();
    this.state = state;
  }
}
