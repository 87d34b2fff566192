/** Owns the record of one request that is being worked on, and the errors that end it. */
import {
  DiscordApiError,
  DiscordRestError,
  NetworkError,
  RateLimitError,
  RequestAbortedError,
  type RequestFacts,
  type RequestPhase,
  RequestTimeoutError,
} from '../errors.js';
import type { TracedRequest } from '../instrumentation.js';
import { readApiError } from '../protocol/api-error-body.js';
import type { TooMany } from '../protocol/rate-limit-headers.js';
import type { RouteInfo } from '../protocol/route.js';
import type { Sublimit } from '../protocol/sublimits.js';
import type { Job } from './limiter.js';
import type { Lease } from './shared-limits.js';

/** A request, ready to be sent any number of times. */
export interface PreparedRequest {
  readonly method: string;
  readonly origin: string;
  readonly path: string;
  readonly route: RouteInfo;
  /** What splits the route's bucket beside its major parameter. */
  readonly variant: string;
  readonly identity: string;
  readonly sublimits: readonly Sublimit[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
  readonly repeatable: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Something that a request waits for. */
export interface Pending {
  /** Ends the waiting at once. */
  cancel(): void;
}

/** A request that is being worked on. */
export interface Run {
  readonly request: PreparedRequest;
  readonly job: Job;
  readonly deadlineAt: number;
  attempts: number;
  /** After 5xx and network failures. */
  retries: number;
  rateLimits: number;
  phase: RequestPhase;
  requestId: string;
  /** Why it must end now. */
  stopped: DiscordRestError | undefined;
  /** What it waits for. */
  pending: Pending | undefined;
  /** As hooks see it; `undefined` without hooks. */
  traced: TracedRequest | undefined;
  /** Slots shared with other processes. */
  lease: Lease | undefined;
  /** When the attempt that goes on must end; `Infinity` without one of its own. */
  attemptEndsAt: number;
  /** The attempt was ended for its time. */
  attemptExpired: boolean;
  /** Its place among the requests that go on. */
  place: number;
}

/** Starts the record. */
export function createRun(request: PreparedRequest, id: number, now: number): Run {
  const { route, variant, identity, sublimits, timeoutMs } = request;
  return {
    request,
    job: {
      id,
      route,
      variant,
      identity,
      sublimits,
      started: false,
      onStart: undefined,
      plan: [],
      stages: [],
      at: -1,
      probing: false,
      scope: undefined,
    },
    deadlineAt: now + timeoutMs,
    attempts: 0,
    retries: 0,
    rateLimits: 0,
    phase: 'queue',
    requestId: `local:${id}`,
    stopped: undefined,
    pending: undefined,
    traced: undefined,
    lease: undefined,
    attemptEndsAt: Number.POSITIVE_INFINITY,
    attemptExpired: false,
    place: -1,
  };
}

/** Ends a request, wherever it is. The first reason stands. */
export function stopRun(run: Run, error: DiscordRestError): void {
  if (run.stopped !== undefined) return;
  run.stopped = error;
  run.pending?.cancel();
}

/** Ends the attempt that goes on, for its time; the request may make another. */
export function expireAttempt(run: Run): void {
  run.attemptEndsAt = Number.POSITIVE_INFINITY;
  run.attemptExpired = true;
  run.pending?.cancel();
}

/** A stop that came while nothing could be interrupted takes effect here. */
export function checkRunning(run: Run): void {
  if (run.stopped !== undefined) throw run.stopped;
}

/** What may be told of a request. */
export function factsOf({ request, requestId, attempts }: Run): RequestFacts {
  const { method, template } = request.route;
  return { method, route: template, requestId, attempts };
}

/** JSON, `undefined` for what is none. `null` is JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The answer was an error. `text` has no secrets any more. */
export function apiError(run: Run, status: number, text: string): DiscordApiError {
  const { discordCode, message = `HTTP ${status}`, fields } = readApiError(parseJson(text));
  const at = fields.length === 0 ? '' : `: ${fields.map(({ path, message }) => `${path} ${message}`).join('; ')}`;
  const code =
    status >= 500 ? 'ERR_REST_SERVER_FAILED' : status === 401 ? 'ERR_REST_TOKEN_REFUSED' : 'ERR_REST_REQUEST_REFUSED';
  return new DiscordApiError(`${nameOf(run)}: ${status} ${message}${at}`, {
    code,
    retryable: status >= 500,
    status,
    discordCode,
    fields,
    ...factsOf(run),
  });
}

/** A 429 whose delay the request cannot wait for. */
export function rateLimitError(run: Run, scope: TooMany['scope'], retryAfterMs: number): RateLimitError {
  return new RateLimitError(`${nameOf(run)}: rate limited (${scope}), free in ${retryAfterMs} ms`, {
    code: 'ERR_REST_RATE_LIMIT_EXCEEDED',
    retryable: true,
    retryAfterMs,
    scope,
    ...factsOf(run),
  });
}

/** No answer. */
export function networkError(run: Run, systemCode: string, cause: unknown): NetworkError {
  const why = systemCode === '' ? '' : ` (${systemCode})`;
  return new NetworkError(`${nameOf(run)}: no answer${why}`, {
    code: 'ERR_REST_NETWORK_FAILED',
    retryable: true,
    systemCode,
    cause,
    ...factsOf(run),
  });
}

/** An answer larger than what is read. */
export function oversizedError(run: Run, maxBytes: number): DiscordRestError {
  const message = `${nameOf(run)}: the answer is larger than ${maxBytes} bytes`;
  return new DiscordRestError(message, { code: 'ERR_REST_RESPONSE_OVERSIZED', ...factsOf(run) });
}

/** A 2xx that is not what it should be. */
export function malformedError(run: Run, status: number, what: string, cause?: unknown): DiscordRestError {
  const message = `${nameOf(run)}: answered ${status} with ${what}`;
  return new DiscordRestError(message, { code: 'ERR_REST_RESPONSE_MALFORMED', cause, ...factsOf(run) });
}

/** The deadline of the whole request came. */
export function timeoutError(run: Run): RequestTimeoutError {
  const { phase, request } = run;
  const { timeoutMs } = request;
  const where = { queue: 'in the queue', response: 'for the answer', backoff: 'for the next try' }[phase];
  return new RequestTimeoutError(`${nameOf(run)}: ${timeoutMs} ms passed, the last of them waiting ${where}`, {
    code: 'ERR_REST_REQUEST_TIMEOUT',
    retryable: true,
    timeoutMs,
    phase,
    ...factsOf(run),
  });
}

/** The caller's signal fired. */
export function abortedError(run: Run): RequestAbortedError {
  const cause: unknown = run.request.signal?.reason;
  const message = `${nameOf(run)}: aborted by the caller`;
  return new RequestAbortedError(message, { code: 'ERR_REST_REQUEST_ABORTED', cause, ...factsOf(run) });
}

/** The client is closed. */
export function closedError(run: Run): DiscordRestError {
  const message = `${nameOf(run)}: the client is closed`;
  return new DiscordRestError(message, { code: 'ERR_REST_CLIENT_CLOSED', ...factsOf(run) });
}

/** More requests than may wait. */
export function queueFullError(run: Run, max: number): DiscordRestError {
  const message = `${nameOf(run)}: ${max} requests wait already`;
  return new DiscordRestError(message, { code: 'ERR_REST_QUEUE_FULL', retryable: true, ...factsOf(run) });
}

function nameOf({ request }: Run): string {
  return request.route.route;
}
