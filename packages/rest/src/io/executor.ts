/**
 * Owns the life of one request: queue, attempt, verdict, retry, deadline, abort. Refuses to build requests (that is
 * `prepare`) and to count limits (that is `Limiter`).
 */
import { type Clock, createRedactor, type Logger, messageOf } from '@guildkit/core';
import { type DiscordRestError, InvalidRequestBudgetError } from '../errors.js';
import type { RestEvents } from '../events.js';
import { type AttemptOutcome, type RequestOutcome, type RestInstrumentation, Tracing } from '../instrumentation.js';
import type { ResponseSchema } from '../options.js';
import { agedBudget, budgetRelief, countInvalid, EMPTY_BUDGET, isInvalid } from '../protocol/invalid-budget.js';
import { bucketHash, observe, type ResponseHeaders, tooMany } from '../protocol/rate-limit-headers.js';
import { type AttemptFailure, retryDelay } from '../protocol/retry.js';
import type { RateLimitStore } from '../rate-limit-store.js';
import { Limiter, type Verdict } from './limiter.js';
import { Outgoing } from './outgoing.js';
import { secretsIn } from './prepare.js';
import {
  abortedError,
  apiError,
  closedError,
  createRun,
  factsOf,
  malformedError,
  networkError,
  oversizedError,
  type PreparedRequest,
  parseJson,
  queueFullError,
  type Run,
  rateLimitError,
  stopRun,
  timeoutError,
} from './run.js';
import { type Asking, type Lease, SharedLimits } from './shared-limits.js';
import { type Transport, type TransportFailure, type TransportResponse, toFailure } from './transport.js';

/** The value of a 2xx: parsed JSON, `undefined` without a body. */
interface Answer {
  readonly status: number;
  readonly value: unknown;
}

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

/** A failed attempt that may be made again. */
interface Failed {
  readonly failure: AttemptFailure;
  readonly status?: number | undefined;
  /** What the caller gets when it is not. */
  readonly error: DiscordRestError;
}

/** The head and the body of an answer. */
interface Received {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly text: string;
}

/** Refuses before Discord bans: the last twentieth of the budget is left for other processes of the address. */
const BUDGET_SHARE = 0.95;
/** A request that did not go out after all. */
const UNSENT: Verdict = { spent: false, done: false };
const WARN_SHARES = [0.25, 0.5, 0.75, 0.9] as const;

/** Runs requests. */
export class Executor {
  private readonly options: ExecutorOptions;
  private readonly limiter: Limiter;
  private readonly shared: SharedLimits | undefined;
  private readonly tracing: Tracing | undefined;
  /** Those that go on, each at its `place`. Not a Set: V8 keeps the tables it outgrows, and with them what was in there. */
  private readonly runs: Run[] = [];
  private budget = EMPTY_BUDGET;
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
    this.budget = agedBudget(this.budget, this.options.clock.now());
    const { buckets } = this.limiter;
    return { ...this.counters, active: this.runs.length, invalidRequests: this.budget.count, buckets };
  }

  /**
   * Sends a request until it succeeds or must fail.
   *
   * @returns Parsed JSON, `undefined` where there is no body.
   * @throws DiscordRestError of every kind.
   */
  async execute(request: PreparedRequest, schema?: ResponseSchema): Promise<unknown> {
    const { clock, maxQueuedRequests, attemptTimeoutMs } = this.options;
    this.ids += 1;
    const run = createRun(request, this.ids, clock.now());
    const { signal } = request;
    if (this.closed) throw closedError(run);
    if (signal?.aborted === true) throw abortedError(run);
    if (this.runs.length >= maxQueuedRequests) throw queueFullError(run, maxQueuedRequests);
    const onAbort = signal === undefined ? undefined : () => stopRun(run, abortedError(run));
    if (onAbort !== undefined) signal?.addEventListener('abort', onAbort, { once: true });
    this.arm(run, Math.min(run.deadlineAt, clock.now() + attemptTimeoutMs));
    run.place = this.runs.push(run) - 1;
    this.counters.requests += 1;
    const end = this.traced(run);
    try {
      const { status, value } = await this.attempts(run);
      const result = schema === undefined ? value : checked(run, schema, status, value);
      end?.({ attempts: run.attempts, error: undefined });
      return result;
    } catch (error) {
      this.counters.failures += 1;
      end?.({ attempts: run.attempts, error });
      throw error;
    } finally {
      this.remove(run);
      clock.clearTimer(run.timer);
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    }
  }

  private traced(run: Run): ((outcome: RequestOutcome) => void) | undefined {
    if (this.tracing === undefined) return undefined;
    const { method, route, requestId: id } = factsOf(run);
    run.traced = { method, route, id };
    return this.tracing.request(run.traced);
  }

  private remove({ place }: Run): void {
    const last = this.runs.pop();
    if (last === undefined || last.place === place) return;
    this.runs[place] = last;
    last.place = place;
  }

  /** Sees to it that the timer fires by then. One that fires too early is armed anew. */
  private arm(run: Run, at: number): void {
    const { clock } = this.options;
    if (run.timerAt <= at) return;
    clock.clearTimer(run.timer);
    run.timerAt = at;
    run.timer = clock.setTimer(() => this.onTimer(run), Math.max(0, Math.ceil(at - clock.now())));
  }

  private onTimer(run: Run): void {
    const now = this.options.clock.now();
    run.timerAt = Number.POSITIVE_INFINITY;
    if (now >= run.deadlineAt) {
      stopRun(run, timeoutError(run));
      return;
    }
    if (now >= run.attemptEndsAt) {
      run.attemptEndsAt = Number.POSITIVE_INFINITY;
      run.attemptExpired = true;
      run.pending?.cancel();
    }
    this.arm(run, Math.min(run.deadlineAt, run.attemptEndsAt));
  }

  /** Rejects everything that is going on. */
  close(): void {
    this.closed = true;
    for (const run of [...this.runs]) stopRun(run, closedError(run));
    this.limiter.stop();
  }

  private async attempts(run: Run): Promise<Answer> {
    for (;;) {
      const turn = this.permit(run);
      if (turn !== undefined) await turn;
      if (this.shared !== undefined) await this.lease(run, this.shared);
      const received = await this.exchange(run);
      const outcome = 'failure' in received ? received : this.judge(run, received);
      if ('value' in outcome) return outcome;
      await this.retry(run, outcome);
    }
  }

  /** Waits until every limit lets the request go; `undefined` when they do at once, as most do. */
  private permit(run: Run): Promise<void> | undefined {
    const { job } = run;
    run.phase = 'queue';
    checkRunning(run);
    this.checkBudget(run);
    this.limiter.enter(job);
    return job.started ? undefined : this.turn(run);
  }

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

  private settle(run: Run, verdict: Verdict): void {
    const bucket = this.limiter.settle(run.job, verdict);
    run.lease?.end(verdict, bucket);
    run.lease = undefined;
  }

  private checkBudget(run: Run): void {
    const now = this.options.clock.now();
    this.budget = agedBudget(this.budget, now);
    const { count } = this.budget;
    if (count < this.options.invalidRequestLimit * BUDGET_SHARE) return;
    throw new InvalidRequestBudgetError(`Not sent: ${count} invalid requests in ten minutes`, {
      code: 'ERR_REST_BUDGET_EXHAUSTED',
      retryable: true,
      count,
      retryAfterMs: budgetRelief(this.budget, now),
      ...factsOf(run),
    });
  }

  /** One exchange. Tells the limiter how it went, exactly once; a 429's body is part of that and left to `judge`. */
  private async exchange(run: Run): Promise<Received | Failed> {
    const { clock, transport, attemptTimeoutMs, maxResponseBytes } = this.options;
    // It may have been stopped, or the budget used up, after the limits let it go.
    try {
      checkRunning(run);
      this.checkBudget(run);
    } catch (error) {
      this.limiter.leave(run.job);
      run.lease?.end(UNSENT, undefined);
      run.lease = undefined;
      throw error;
    }
    const outgoing = new Outgoing(run.request, maxResponseBytes);
    const sentAt = clock.now();
    // The last attempt is ended by the deadline of the whole request.
    if (attemptTimeoutMs < run.deadlineAt - sentAt) {
      run.attemptEndsAt = sentAt + attemptTimeoutMs;
      this.arm(run, run.attemptEndsAt);
    }
    run.attemptExpired = false;
    run.phase = 'response';
    run.attempts += 1;
    run.pending = outgoing;
    this.counters.inFlight += 1;
    const end = this.tracedAttempt(run);
    try {
      const response = await transport.send(outgoing);
      this.onHead(run, response, sentAt);
      const text = await response.text();
      end?.({ status: response.status, requestId: run.requestId, error: undefined });
      return { status: response.status, headers: response.headers, text };
    } catch (error) {
      const failure = toFailure(error);
      const spent = failure.kind !== 'unsent';
      // Does nothing when the head came and was settled.
      this.settle(run, { spent, done: spent });
      const broken = this.broken(run, failure);
      const reason = run.stopped ?? broken.error;
      end?.({ status: undefined, requestId: run.requestId, error: reason });
      if (run.stopped !== undefined || failure.kind === 'oversized') throw reason;
      return broken;
    } finally {
      this.counters.inFlight -= 1;
      run.pending = undefined;
      run.attemptEndsAt = Number.POSITIVE_INFINITY;
    }
  }

  private tracedAttempt({ traced: request, attempts: attempt }: Run): ((outcome: AttemptOutcome) => void) | undefined {
    return request === undefined ? undefined : this.tracing?.attempt({ request, attempt });
  }

  private onHead(run: Run, { status, headers }: TransportResponse, sentAt: number): void {
    const { clock, emit, hears } = this.options;
    this.counters.responses += 1;
    run.requestId = rayOf(headers) ?? run.requestId;
    // The headers suffice, so that a slow body holds no slot; only a 429's body says more.
    if (status !== 429) this.settle(run, verdictOf(status, headers));
    if (!hears('response')) return;
    const { method, route, requestId, attempts: attempt } = factsOf(run);
    emit('response', { method, route, status, durationMs: clock.now() - sentAt, attempt, requestId });
  }

  private broken(run: Run, failure: TransportFailure): Failed {
    const { kind, systemCode, cause } = failure;
    const error =
      kind === 'oversized'
        ? oversizedError(run, this.options.maxResponseBytes)
        : run.attemptExpired
          ? networkError(run, 'ETIMEDOUT', undefined)
          : networkError(run, systemCode, cause);
    return { failure: { kind: 'network', neverSent: kind === 'unsent' }, error };
  }

  /** What an answer means. Throws what must not be tried again. */
  private judge(run: Run, { status, headers, text }: Received): Answer | Failed {
    if (status === 429) return this.judgeTooMany(run, headers, text);
    if (isInvalid(status, undefined)) this.countInvalid(run, status);
    if (status >= 200 && status < 300) {
      if (text === '') return { status, value: undefined };
      const value = parseJson(text);
      if (value === undefined) throw malformedError(run, status, 'a body that is not JSON');
      return { status, value };
    }
    const redact = createRedactor(secretsIn(run.request));
    const error = apiError(run, status, redact(this.options.redact(text)));
    if (status < 500) throw error;
    const { retryAfterMs } = tooMany(headers, undefined);
    return { failure: { kind: 'server', retryAfterMs }, status, error };
  }

  private judgeTooMany(run: Run, headers: ResponseHeaders, text: string): Failed {
    const { emit, logger } = this.options;
    const { scope, retryAfterMs: said } = tooMany(headers, parseJson(text));
    const retryAfterMs = this.delayFor(run, { kind: 'rateLimited', retryAfterMs: said }) ?? 0;
    const hash = bucketHash(headers);
    const block = { scope, ms: retryAfterMs };
    this.counters.rateLimited += 1;
    const { method, route } = factsOf(run);
    const everywhere = scope === 'global' || scope === 'cloudflare';
    const bucket = everywhere ? 'global' : `${hash ?? run.request.route.route}:${run.request.route.majorId}`;
    emit('rateLimited', { kind: 'hit', scope, bucket, method, route, retryAfterMs, queued: this.runs.length });
    logger.warn({ method, route, scope, bucket, retryAfterMs }, 'rate limited by Discord');
    this.settle(run, { spent: true, done: false, hash, observed: observe(headers), block });
    if (isInvalid(429, scope)) this.countInvalid(run, 429);
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
    logger.debug({ method, route, attempt, reason, status, delayMs }, 'request failed, trying again');
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

  private countInvalid(run: Run, status: number): void {
    const { clock, emit, logger, invalidRequestLimit: limit } = this.options;
    this.budget = countInvalid(this.budget, clock.now());
    const { count } = this.budget;
    const { method, route } = factsOf(run);
    const level = WARN_SHARES.some((share) => count === Math.ceil(limit * share)) ? 'warning' : 'counted';
    emit('invalidRequest', { method, route, status, count, limit, level });
    if (level === 'warning') logger.warn({ count, limit }, 'invalid requests: Discord bans the address at the limit');
  }
}

function checked(run: Run, schema: ResponseSchema, status: number, value: unknown): unknown {
  try {
    return schema.parse(value);
  } catch (cause) {
    throw malformedError(run, status, 'something else than expected', cause);
  }
}

/** A stop that came while nothing could be interrupted takes effect here. */
function checkRunning(run: Run): void {
  if (run.stopped !== undefined) throw run.stopped;
}

function verdictOf(status: number, headers: ResponseHeaders): Verdict {
  const observed = observe(headers);
  // A 401 and a 5xx come from before the limits: their lack of headers says nothing about the route.
  const proper = status < 500 && status !== 401;
  const hash = bucketHash(headers);
  return { spent: true, done: status < 300, hash, observed: observed ?? (proper ? 'none' : undefined) };
}

/** Cloudflare's id of the request: what Discord's support asks for. */
function rayOf(headers: ResponseHeaders): string | undefined {
  const value = headers['cf-ray'];
  return typeof value === 'string' && /^[\w-]{1,64}$/.test(value) ? value : undefined;
}
