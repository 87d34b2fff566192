/**
 * Owns the sending end: signs and posts what the reducer says, keeps what is known of each guild for snapshots, counts and
 * tells.
 */
import {
  type Clock,
  check,
  createDriver,
  type DomainEvent,
  type Driver,
  type Logger,
  messageOf,
  type Redacted,
  resolveOptions,
  silentLogger,
  systemClock,
  TypedEmitter,
} from '@guildkit/core';
import { GuildState } from '../../shared/guild-state.js';
import { readSecrets, type SecretInput } from '../../shared/secrets.js';
import { sign, type WebhookForm } from '../codec/signature.js';
import { factsOf } from '../protocol/event-facts.js';
import {
  createForwarderReducer,
  type DropCause,
  type ForwarderEffect,
  type ForwarderInput,
  type ForwarderLimits,
  type ForwarderState,
  newForwarder,
  type QueuedEvent,
} from '../protocol/forwarder.js';
import { BOOT_HEADER, writeBody, writePing } from '../webhook-body.js';
import { type PostResult, post } from './post.js';

/** Settings of {@link WebhookForwarder}. */
export interface WebhookForwarderOptions {
  /** Where to: `HUB_ENDPOINT`. */
  readonly url: string;
  /** The first one signs. */
  readonly secrets: SecretInput;
  /** @defaultValue `'hub'` */
  readonly form?: WebhookForm | undefined;
  /** Events that may wait. @defaultValue 1000 */
  readonly maxQueue?: number | undefined;
  /** Events on their way at once; those of one room never overtake. @defaultValue 8 */
  readonly maxInFlight?: number | undefined;
  /** Upper bound of the first delay after a failure, in ms; doubles. @defaultValue 250 */
  readonly retryBaseMs?: number | undefined;
  /** Largest delay, in ms. @defaultValue 1000: lists are right within two seconds of the receiver's return */
  readonly retryCapMs?: number | undefined;
  /** An event that has been tried for so long is dropped, in ms. @defaultValue 300000 */
  readonly retryForMs?: number | undefined;
  /** How often the receiver is asked whether it is still the same process, in ms. @defaultValue 1000 */
  readonly pingIntervalMs?: number | undefined;
  /** For one attempt, in ms. @defaultValue 5000 */
  readonly requestTimeoutMs?: number | undefined;
  /** @defaultValue the platform's */
  readonly fetch?: typeof fetch | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  /** Numbers in `[0, 1)`, for delays. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
}

/** What a forwarder tells of. */
export interface WebhookForwarderEvents {
  /** The receiver has taken an event. */
  delivered: { readonly event: DomainEvent; readonly attempts: number };
  /** An event will not arrive; `coalesced` ones are said by a later event. */
  dropped: { readonly event: DomainEvent; readonly cause: DropCause };
  /** Someone has to look: an event was refused, or lost for good. */
  alert: { readonly event: DomainEvent; readonly cause: DropCause; readonly status: number | undefined };
}

/** What a forwarder has counted. */
export interface WebhookForwarderStats {
  readonly queued: number;
  readonly delivered: number;
  /** Rounds of failure. */
  readonly retries: number;
  readonly snapshots: number;
  readonly dropped: Readonly<Record<DropCause, number>>;
  /** Unix ms of the last answer; `undefined` before the first. */
  readonly lastAnswerAt: number | undefined;
}

interface Settings {
  readonly url: string;
  readonly secrets: SecretInput;
  readonly form: WebhookForm;
  readonly maxQueue: number;
  readonly maxInFlight: number;
  readonly retryBaseMs: number;
  readonly retryCapMs: number;
  readonly retryForMs: number;
  readonly pingIntervalMs: number;
  readonly requestTimeoutMs: number;
  readonly fetch: typeof fetch | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
}

const DEFAULTS: Settings = {
  url: '',
  secrets: [],
  form: 'hub',
  maxQueue: 1_000,
  maxInFlight: 8,
  retryBaseMs: 250,
  retryCapMs: 1_000,
  retryForMs: 300_000,
  pingIntervalMs: 1_000,
  requestTimeoutMs: 5_000,
  fetch: undefined,
  logger: silentLogger,
  clock: systemClock,
  random: Math.random,
};

type State = ForwarderState<DomainEvent>;
type Input = ForwarderInput<DomainEvent>;
type Item = QueuedEvent<DomainEvent>;

/**
 * Forwards Discord's events as signed webhooks: in order for each room, each until it was taken.
 *
 * @example
 * ```ts
 * import { WebhookForwarder } from '@guildkit/server-kit/hmac';
 *
 * const forwarder = new WebhookForwarder({
 *   url: 'https://app.example/api/hub',
 *   secrets: 'a secret of at least 16 characters',
 * });
 * forwarder.on('alert', ({ event, cause }) => process.stderr.write(`${event.event} lost: ${cause}\n`));
 * // gateway.onEvent('*', forwarder.forward);
 * process.once('SIGTERM', () => void forwarder.close({ drainMs: 5_000 }));
 * ```
 */
export class WebhookForwarder extends TypedEmitter<WebhookForwarderEvents> {
  private readonly settings: Settings;
  private readonly secret: Redacted;
  private readonly epoch = crypto.randomUUID();
  private readonly driver: Driver<State, Input>;
  private readonly known = new GuildState();
  /** Of each event's last attempt: the next is signed with a later one. */
  private readonly lastTimestamps = new Map<number, number>();
  private readonly underWay = new Set<AbortController>();
  private readonly statuses = new Map<number, number>();
  private readonly drops: Record<DropCause, number> = { coalesced: 0, queueFull: 0, expired: 0, refused: 0, closed: 0 };
  private readonly counts = { delivered: 0, retries: 0, snapshots: 0 };
  private lastAnswerAt: number | undefined;
  private lastPing = 0;
  private closing: { readonly promise: Promise<void>; readonly done: () => void } | undefined;

  /** @throws TypeError on options out of range. */
  constructor(options: WebhookForwarderOptions) {
    super();
    const settings = resolveOptions<Settings>('WebhookForwarder', DEFAULTS, options, {
      url: check.httpUrl(),
      form: check.oneOf('hub', 'standard'),
      maxQueue: check.integer(1, 1_000_000),
      maxInFlight: check.integer(1, 256),
      retryBaseMs: check.integer(1, 60_000),
      retryCapMs: check.integer(1, 600_000),
      retryForMs: check.integer(0),
      pingIntervalMs: check.integer(10, 600_000),
      requestTimeoutMs: check.integer(1, 600_000),
    });
    // The text itself is kept nowhere: an object that is printed shows its fields.
    this.settings = { ...settings, secrets: [] };
    this.secret = readSecrets('WebhookForwarder', settings.secrets)[0] as Redacted;
    const limits: ForwarderLimits = settings;
    this.driver = createDriver<State, Input, ForwarderEffect<DomainEvent>>({
      reducer: createForwarderReducer(limits),
      initial: newForwarder(settings.clock.now()),
      run: (effect) => this.run(effect),
      onEffectError: (error) => settings.logger.error({ err: error, reason: messageOf(error) }, 'forwarder failed'),
      clock: settings.clock,
      random: settings.random,
    });
  }

  /** Takes an event. Bound: usable as a bare callback. */
  readonly forward = (event: DomainEvent): void => {
    this.known.apply(event);
    this.driver.dispatch({ type: 'event', event, facts: factsOf(event) });
  };

  /** What was counted so far. */
  stats(): WebhookForwarderStats {
    const { lastAnswerAt } = this;
    return { queued: this.driver.state.queue.length, ...this.counts, dropped: { ...this.drops }, lastAnswerAt };
  }

  /** Takes no more, sends what waits for at most `drainMs`, and ends. Idempotent. What is left is `dropped` as `closed`. */
  close({ drainMs = 0 }: { readonly drainMs?: number | undefined } = {}): Promise<void> {
    if (this.closing === undefined) {
      let done = (): void => {};
      const promise = new Promise<void>((resolve) => {
        done = resolve;
      });
      this.closing = { promise, done };
      this.driver.dispatch({ type: 'drain', withinMs: drainMs });
    }
    return this.closing.promise;
  }

  /** Closes without draining. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private run(effect: ForwarderEffect<DomainEvent>): void {
    const { logger, clock } = this.settings;
    switch (effect.type) {
      case 'post':
        void this.send(effect.item);
        return;
      case 'ping':
        void this.ping();
        return;
      case 'done':
        this.counts.delivered += 1;
        this.forget(effect.item);
        logger.debug(fieldsOf(effect.item), 'webhook delivered');
        this.emit('delivered', { event: effect.item.event, attempts: effect.item.attempts + 1 });
        return;
      case 'drop':
        this.dropped(effect.item, effect.cause);
        return;
      case 'retrying':
        this.counts.retries += 1;
        logger.warn({ failures: effect.failures, delayMs: effect.delayMs }, 'webhooks are tried again');
        return;
      case 'snapshot': {
        const snapshots = this.known.snapshots(clock.wallTime(), () => crypto.randomUUID());
        this.counts.snapshots += snapshots.length;
        if (snapshots.length > 0) logger.info({ guilds: snapshots.length }, 'receiver gets snapshots');
        for (const event of snapshots) this.driver.dispatch({ type: 'event', event, facts: factsOf(event) });
        return;
      }
      case 'stopped':
        for (const controller of this.underWay) controller.abort();
        this.driver.stop();
        this.closing?.done();
    }
  }

  private dropped(item: Item, cause: DropCause): void {
    const { logger } = this.settings;
    const { event } = item;
    const status = this.statuses.get(item.seq);
    this.drops[cause] += 1;
    this.forget(item);
    this.emit('dropped', { event, cause });
    if (cause === 'coalesced') return;
    const fields = { ...fieldsOf(item), cause, ...(status === undefined ? {} : { status }) };
    if (cause === 'closed') logger.warn(fields, 'webhook dropped');
    else {
      logger.error(fields, 'webhook dropped');
      this.emit('alert', { event, cause, status });
    }
  }

  private async send({ seq, event }: Item): Promise<void> {
    const timestamp = Math.max(this.seconds(), (this.lastTimestamps.get(seq) ?? 0) + 1);
    this.lastTimestamps.set(seq, timestamp);
    const result = await this.attempt(event.id, timestamp, writeBody(event, { epoch: this.epoch, seq }));
    if (result.kind === 'refused') this.statuses.set(seq, result.status);
    if (result.kind === 'failed') {
      const { reason, retryAfterMs } = result;
      this.settings.logger.debug(
        { event: event.event, id: event.id, traceId: event.traceId, reason },
        'webhook failed',
      );
      this.driver.dispatch({ type: 'failed', seq, retryAfterMs });
    } else this.driver.dispatch({ type: result.kind, seq, bootId: result.bootId });
  }

  private async ping(): Promise<void> {
    const timestamp = Math.max(this.seconds(), this.lastPing + 1);
    this.lastPing = timestamp;
    const id = crypto.randomUUID();
    const position = { epoch: this.epoch, seq: this.driver.state.seq };
    const result = await this.attempt(id, timestamp, writePing(id, this.settings.clock.wallTime(), position));
    if (result.kind === 'failed') this.driver.dispatch({ type: 'pingFailed', retryAfterMs: result.retryAfterMs });
    // Refused or not, somebody answers. Its refusals of events are told one by one.
    else this.driver.dispatch({ type: 'pinged', bootId: result.bootId });
  }

  private async attempt(id: string, timestamp: number, body: string): Promise<PostResult> {
    const { url, form, clock, requestTimeoutMs, fetch: fetchImpl = fetch } = this.settings;
    const controller = new AbortController();
    this.underWay.add(controller);
    const timer = clock.setTimer(
      () => controller.abort(new Error(`no answer within ${requestTimeoutMs} ms`)),
      requestTimeoutMs,
    );
    const signed = sign(form, this.secret, { id, timestamp, body: Buffer.from(body) });
    const headers = { 'content-type': 'application/json', ...signed };
    try {
      const result = await post(fetchImpl, url, { body, headers, signal: controller.signal, bootHeader: BOOT_HEADER });
      if (result.kind !== 'failed') this.lastAnswerAt = clock.wallTime();
      return result;
    } finally {
      clock.clearTimer(timer);
      this.underWay.delete(controller);
    }
  }

  private seconds(): number {
    return Math.floor(this.settings.clock.wallTime() / 1000);
  }

  private forget({ seq }: Item): void {
    this.lastTimestamps.delete(seq);
    this.statuses.delete(seq);
  }
}

function fieldsOf({ event, seq, attempts }: Item): Readonly<Record<string, unknown>> {
  return { event: event.event, id: event.id, traceId: event.traceId, seq, attempts };
}
