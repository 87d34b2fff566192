/**
 * Owns the life of one request: queue, attempt, verdict, retry, deadline, abort. Refuses to build requests (that is
 * `prepare`), to count limits (that is `Limiter`) and to read answers (that is `outcome`).
 */
import { type Clock, type Logger, messageOf } from '@guildkit/core';
import type { RestEvents } from '../events.js';
import {
  type AttemptOutcome,
  type RequestOutcome,
  type RestInstrumentation,
  type TracedRequest,
  Tracing,
} from '../instrumentation.js';
import type { ResponseSchema } from '../options.js';
import { isInvalid } from '../protocol/invalid-budget.js';
import { bucketHash, observe, tooMany } from '../protocol/rate-limit-headers.js';
import { type AttemptFailure, retryDelay } from '../protocol/retry.js';
import type { RateLimitStore } from '../rate-limit-store.js';
import { InvalidRequests } from './invalid-requests.js';
import { Limiter, type Verdict } from './limiter.js';
import { Ongoing } from './ongoing.js';
import {
  type Answer,
  brokenOutcome,
  checkedValue,
  type Failed,
  outcomeOf,
  type Received,
  rayOf,
  verdictOf,
} from './outcome.js';
import { Outgoing } from './outgoing.js';
import {
  abortedError,
  checkRunning,
  closedError,
  createRun,
  factsOf,
  type PreparedRequest,
  parseJson,
  queueFullError,
  type Run,
  rateLimitError,
  stopRun,
} from './run.js';
import { type Asking, type Lease, SharedLimits } from './shared-limits.js';
import { type Transport, type TransportFailure, type TransportResponse, toFailure } from './transport.js';

/** Settings of {@link Executor}. */
export interface ExecutorOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly maxRetries: number;
  readonly attemptTimeoutMs: number;
  readonly globalRequestsPerSecond: number;
  readonly maxQueuedRequests: number;
  readonly maxResponseBytes: number;
  readonly bucketIdleMs: number;
  readonly invalidRequestLimit: number;
  /** Limits shared with other processes. */
  readonly rateLimitStore: RateLimitStore | undefined;
  readonly instrumentation: RestInstrumentation | undefined;
  /** Tells tokens apart in the store. */
  readonly namespace: string;
  /** Removes secrets from text that others wrote. */
  readonly redact: (text: string) => string;
  /** Whether anyone listens: what nobody hears is not put together. */
  readonly hears: (name: keyof RestEvents) => boolean;
  readonly emit: <K extends keyof RestEvents>(name: K, event: RestEvents[K]) => void;
}

/** Counters of a client. */
export interface RestStats {
  /** Requests taken on. */
  readonly requests: number;
  /** Those not settled yet: waiting, sent, or between two attempts. */
  readonly active: number;
  /** Attempts on the wire. */
  readonly inFlight: number;
  /** Answers of any status. */
  readonly responses: number;
  /** Requests that were rejected. */
  readonly failures: number;
  readonly retries: number;
  /** 429s met. */
  readonly rateLimited: number;
  /** 401, 403 and 429 (other than shared) in the last ten minutes. */
  readonly invalidRequests: number;
  /** Buckets and sublimits in memory. */
  readonly buckets: number;
}

/** A request that did not go out after all. */
const UNSENT: Verdict = { spent: false, done: false };

/** Runs requests. */
export class Executor {
  private readonly options: ExecutorOptions;
  private readonly limiter: Limiter;
  private readonly shared: SharedLimits | undefined;
  private readonly tracing: Tracing | undefined;
  private readonly ongoing: Ongoing;
  private readonly invalid: InvalidRequests;
  private ids = 0;
  private closed = false;
  private readonly counters = { requests: 0, inFlight: 0, responses: 0, failures: 0, retries: 0, rateLimited: 0 };

  constructor(options: ExecutorOptions) {
    this.options = options;
    const { clock, globalRequestsPerSecond, bucketIdleMs, emit, logger, rateLimitStore: store, namespace } = options;
    const { instrumentation } = options;
    if (instrumentation !== undefined) {
      this.tracing = new Tracing(instrumentation, (error, hook) =>
        logger.error({ error: messageOf(error), hook }, 'instrumentation: a hook failed'),
      );
    }
    if (store !== undefined) {
      this.shared = new SharedLimits({ store, clock, logger, namespace, globalRequestsPerSecond });
    }
    this.ongoing = new Ongoing(clock);
    this.invalid = new InvalidRequests(options);
    this.limiter = new Limiter({
      clock,
      globalRequestsPerSecond,
      idleMs: bucketIdleMs,
      events: {
        wait: ({ scope, bucket, untilMs, queued }) =>
          emit('rateLimited', { kind: 'wait', scope, bucket, retryAfterMs: untilMs, queued }),
        bucket: (event) => emit('bucket', event),
        fault: (error) => logger.error({ error: messageOf(error) }, 'rate limiter: an effect failed'),
      },
    });
  }

  /** What happened so far, and what is going on. */
  stats(): RestStats {
    const { buckets } = this.limiter;
    return { ...this.counters, active: this.ongoing.size, invalidRequests: this.invalid.count, buckets };
  }

  /**
   * Sends a request until it succeeds or must fail.
   *
   * @returns Parsed JSON, `undefined` where there is no body. Rejects with a DiscordRestError of every kind.
   * @throws DiscordRestError when it is not taken on.
   */
  execute(request: PreparedRequest, schema?: ResponseSchema): Promise<unknown> {
    const { clock, attemptTimeoutMs, maxQueuedRequests } = this.options;
    const now = clock.now();
    this.ids += 1;
    const run = createRun(request, this.ids, now);
    if (this.closed) throw closedError(run);
    if (request.signal?.aborted === true) throw abortedError(run);
    if (this.ongoing.size >= maxQueuedRequests) throw queueFullError(run, maxQueuedRequests);
    this.ongoing.add(run, Math.min(run.deadlineAt, now + attemptTimeoutMs));
    this.counters.requests += 1;
    return this.work(run, schema);
  }

  /** Rejects everything that is going on. */
  close(): void {
    this.closed = true;
    this.ongoing.stop(closedError);
    this.limiter.stop();
  }

  private async work(run: Run, schema: ResponseSchema | undefined): Promise<unknown> {
    const { signal } = run.request;
    const onAbort = signal === undefined ? undefined : () => stopRun(run, abortedError(run));
    if (onAbort !== undefined) signal?.addEventListener('abort', onAbort, { once: true });
    const end = this.traced(run);
    try {
      let outcome = await this.attempt(run);
      while (!('value' in outcome)) {
        await this.retry(run, outcome);
        outcome = await this.attempt(run);
      }
      const result = schema === undefined ? outcome.value : checkedValue(run, schema, outcome);
      end?.({ attempts: run.attempts, error: undefined });
      return result;
    } catch (error) {
      this.counters.failures += 1;
      end?.({ attempts: run.attempts, error });
      throw error;
    } finally {
      this.ongoing.remove(run);
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }

  private traced(run: Run): ((outcome: RequestOutcome) => void) | undefined {
    if (this.tracing === undefined) return undefined;
    const { method, route, requestId: id } = factsOf(run);
    run.traced = { method, route, id };
    return this.tracing.request(run.traced);
  }

  private checkSendable(run: Run): void {
    checkRunning(run);
    this.invalid.check(run);
  }

  /** It may have been stopped, or the budget used up, after the limits let it go. */
  private checkStillSendable(run: Run): void {
    try {
      this.checkSendable(run);
    } catch (error) {
      this.limiter.leave(run.job);
      run.lease?.end(UNSENT, undefined);
      run.lease = undefined;
      throw error;
    }
  }

  /** Waits until every limit lets the request go. */
  private async turn(run: Run): Promise<void> {
    const { job } = run;
    await new Promise<void>((resolve, reject) => {
      job.onStart = resolve;
      run.pending = {
        cancel: () => {
          this.limiter.leave(job);
          reject(run.stopped);
        },
      };
      const notBefore = this.limiter.notBefore(job);
      // Known to be too late: the caller hears it now, not at the deadline.
      if (notBefore !== undefined && notBefore >= run.deadlineAt) {
        this.limiter.leave(job);
        reject(rateLimitError(run, 'user', Math.ceil(notBefore - this.options.clock.now())));
      }
    });
    run.pending = undefined;
  }

  /** Waits until other processes leave room, too. */
  private async lease(run: Run, shared: SharedLimits): Promise<void> {
    const { job, deadlineAt } = run;
    const bucket = this.limiter.bucketOf(job);
    const asking: Asking = { job, bucket, deadlineAt, cancelled: false, wake: undefined };
    try {
      checkRunning(run);
      run.lease = await new Promise<Lease | undefined>((resolve, reject) => {
        run.pending = {
          cancel: () => {
            asking.cancelled = true;
            asking.wake?.();
            reject(run.stopped);
          },
        };
        // A lease that comes after the stop goes back.
        shared
          .acquire(asking)
          .then((lease) => (asking.cancelled ? lease?.end(UNSENT, undefined) : resolve(lease)), reject);
      });
      run.pending = undefined;
    } catch (error) {
      this.limiter.leave(job);
      throw error;
    }
  }

  /** Waits for its turn, then makes one exchange. Tells the limiter how that went, exactly once. */
  private async attempt(run: Run): Promise<Answer | Failed> {
    const { clock, transport, maxResponseBytes, redact } = this.options;
    run.phase = 'queue';
    this.checkSendable(run);
    this.limiter.enter(run.job, clock.now());
    // Most go at once.
    if (!run.job.started) await this.turn(run);
    if (this.shared !== undefined) await this.lease(run, this.shared);
    this.checkStillSendable(run);
    const outgoing = new Outgoing(run.request, maxResponseBytes);
    const sentAt = this.begin(run, outgoing);
    const end = run.traced === undefined ? undefined : this.tracedAttempt(run.traced, run.attempts);
    let received: Received;
    try {
      const response = await transport.send(outgoing);
      this.onHead(run, response, sentAt);
      const { status, headers } = response;
      const body = response.text();
      received = { status, headers, text: typeof body === 'string' ? body : await body };
    } catch (error) {
      return this.broken(run, toFailure(error), end);
    } finally {
      this.counters.inFlight -= 1;
      run.pending = undefined;
      run.attemptEndsAt = Number.POSITIVE_INFINITY;
    }
    end?.({ status: received.status, requestId: run.requestId, error: undefined });
    if (received.status === 429) return this.tooMany(run, received);
    if (isInvalid(received.status, undefined)) this.invalid.add(run, received.status);
    return outcomeOf(run, received, redact);
  }

  /** @returns When it was sent, on the clock's scale. */
  private begin(run: Run, outgoing: Outgoing): number {
    const { clock, attemptTimeoutMs } = this.options;
    const now = clock.now();
    // The last attempt is ended by the deadline of the whole request.
    if (attemptTimeoutMs < run.deadlineAt - now) {
      run.attemptEndsAt = now + attemptTimeoutMs;
      this.ongoing.checkBy(run.attemptEndsAt);
    }
    run.attemptExpired = false;
    run.phase = 'response';
    run.attempts += 1;
    run.pending = outgoing;
    this.counters.inFlight += 1;
    return now;
  }

  private tracedAttempt(request: TracedRequest, attempt: number): ((outcome: AttemptOutcome) => void) | undefined {
    return this.tracing?.attempt({ request, attempt });
  }

  private onHead(run: Run, { status, headers }: TransportResponse, sentAt: number): void {
    const { clock, emit, hears } = this.options;
    const now = clock.now();
    this.counters.responses += 1;
    run.requestId = rayOf(headers) ?? run.requestId;
    // The headers suffice, so that a slow body holds no slot; only a 429's body says more.
    if (status !== 429) this.settle(run, verdictOf(status, headers), now);
    if (!hears('response')) return;
    const { method, route, requestId, attempts: attempt } = factsOf(run);
    emit('response', { method, route, status, durationMs: now - sentAt, attempt, requestId });
  }

  private settle(run: Run, verdict: Verdict, now: number): void {
    const bucket = this.limiter.settle(run.job, verdict, now);
    run.lease?.end(verdict, bucket);
    run.lease = undefined;
  }

  /** The exchange failed. Throws what must not be tried again. */
  private broken(run: Run, failure: TransportFailure, end: ((outcome: AttemptOutcome) => void) | undefined): Failed {
    const { clock, maxResponseBytes } = this.options;
    const spent = failure.kind !== 'unsent';
    // Does nothing when the head came and was settled.
    this.settle(run, { spent, done: spent }, clock.now());
    const broken = brokenOutcome(run, failure, maxResponseBytes);
    const reason = run.stopped ?? broken.error;
    end?.({ status: undefined, requestId: run.requestId, error: reason });
    if (run.stopped !== undefined || failure.kind === 'oversized') throw reason;
    return broken;
  }

  /** A 429: blocks what it is about, and goes back into the line. */
  private tooMany(run: Run, { headers, text }: Received): Failed {
    const { clock, emit, logger } = this.options;
    const { scope, retryAfterMs: said } = tooMany(headers, parseJson(text));
    const retryAfterMs = this.delayFor(run, { kind: 'rateLimited', retryAfterMs: said }) ?? 0;
    const hash = bucketHash(headers);
    const block = { scope, ms: retryAfterMs };
    this.counters.rateLimited += 1;
    const { method, route } = factsOf(run);
    const everywhere = scope === 'global' || scope === 'cloudflare';
    const bucket = everywhere ? 'global' : `${hash ?? run.request.route.route}:${run.request.route.majorId}`;
    emit('rateLimited', { kind: 'hit', scope, bucket, method, route, retryAfterMs, queued: this.ongoing.size });
    logger.warn({ method, route, scope, bucket, retryAfterMs }, 'rate limited by Discord');
    this.settle(run, { spent: true, done: false, hash, observed: observe(headers), block }, clock.now());
    if (isInvalid(429, scope)) this.invalid.add(run, 429);
    const failure = { kind: 'rateLimited', retryAfterMs } as const;
    return { failure, status: 429, error: rateLimitError(run, scope, retryAfterMs) };
  }

  /** Waits before the next attempt, or throws when there is none. */
  private async retry(run: Run, { failure, error, status }: Failed): Promise<void> {
    const { clock, emit, logger } = this.options;
    const delayMs = this.delayFor(run, failure);
    // Waiting past the deadline would only tell the caller later.
    if (delayMs === undefined || clock.now() + delayMs >= run.deadlineAt) throw error;
    const { method, route, attempts: attempt } = factsOf(run);
    const reason = failure.kind;
    this.counters.retries += 1;
    emit('retry', { method, route, attempt, reason, status, delayMs });
    // A limit that was met has its own line.
    logger[reason === 'rateLimited' ? 'debug' : 'warn'](
      { method, route, attempt, reason, status, delayMs },
      'request failed, trying again',
    );
    if (reason === 'rateLimited') {
      // The limiter holds it: the limit is blocked for as long, and the request takes its old place in the line.
      run.rateLimits += 1;
      return;
    }
    run.retries += 1;
    run.phase = 'backoff';
    await this.pause(run, delayMs);
  }

  private delayFor(run: Run, failure: AttemptFailure): number | undefined {
    const { retries, rateLimits, request } = run;
    const { maxRetries, random } = this.options;
    const { repeatable } = request;
    return retryDelay({ failure, retries, rateLimits, maxRetries, repeatable, random: random() });
  }

  /** Waits; a stop ends it. */
  private async pause(run: Run, ms: number): Promise<void> {
    const { clock } = this.options;
    checkRunning(run);
    await new Promise<void>((resolve, reject) => {
      const timer = clock.setTimer(resolve, ms);
      run.pending = {
        cancel: () => {
          clock.clearTimer(timer);
          reject(run.stopped);
        },
      };
    });
    run.pending = undefined;
  }
}
