/**
 * Owns every error of the package and its code. Refuses to hold a token, a query or a body: an error is printed by
 * people in a hurry.
 */
import { GuildkitError, isErrorNamed } from '@guildkit/core';
import type { FieldError } from './protocol/api-error-body.js';
import type { RateLimitScope } from './protocol/rate-limit-headers.js';

/** Every code that {@link DiscordRestError} may carry, with its remedy. */
export const REST_ERROR_REMEDIES = {
  ERR_REST_REQUEST_REFUSED: 'Discord refused the request: read discordCode and fields, correct the call.',
  ERR_REST_REQUEST_TIMEOUT: 'Raise timeoutMs, or look at phase: queue means the limit is the bottleneck.',
  ERR_REST_REQUEST_ABORTED: 'The caller aborted it; cause is the reason given to the AbortController.',
  ERR_REST_SERVER_FAILED: 'Discord failed after all retries: try again later, see discordstatus.com.',
  ERR_REST_TOKEN_REFUSED: 'The token is not valid: check which one is configured, or reset it in the developer portal.',
  ERR_REST_TOKEN_MISSING: 'Pass `token` to the client, or `auth` to the request.',
  ERR_REST_RATE_LIMIT_EXCEEDED: 'The limit frees too late for this request: call again after retryAfterMs.',
  ERR_REST_NETWORK_FAILED: 'No answer: check the network, apiBase and the proxy; cause has the details.',
  ERR_REST_RESPONSE_MALFORMED: 'The answer is not what Discord sends: check apiBase and proxies.',
  ERR_REST_RESPONSE_OVERSIZED: 'Ask for less, or raise maxResponseBytes.',
  ERR_REST_BUDGET_EXHAUSTED:
    'Too many invalid requests: fix what causes 401, 403 and 429 before Discord bans the address.',
  ERR_REST_INPUT_INVALID: 'Nothing was sent: correct the fields named in issues.',
  ERR_REST_QUEUE_FULL: 'More requests wait than maxQueuedRequests: slow down, or raise it.',
  ERR_REST_CLIENT_CLOSED: 'The client was closed: create another.',
} as const satisfies Readonly<Record<string, string>>;

/** Code of a {@link DiscordRestError}. */
export type RestErrorCode = keyof typeof REST_ERROR_REMEDIES;

/** Which request failed. Of the path only the template is kept: ids and tokens are not. */
export interface RequestFacts {
  /** HTTP method. */
  readonly method: string;
  /** Route template: `/channels/:id`. */
  readonly route: string;
  /** Discord's own id of the request (`CF-RAY`) where there was an answer, else one of this client: for support and logs. */
  readonly requestId: string;
  /** Attempts made, the failed one included; 0 when nothing was sent. */
  readonly attempts: number;
}

/** What every error of the package carries. */
export interface RestErrorInit extends RequestFacts {
  readonly code: RestErrorCode;
  readonly retryable?: boolean | undefined;
  readonly cause?: unknown;
}

/** Base class of every error the package throws. */
export class DiscordRestError extends GuildkitError<RestErrorCode> {
  /** HTTP method, `''` where no request was made. */
  readonly method: string;
  /** Route template: `/channels/:id`. */
  readonly route: string;
  /** Discord's id of the request, or this client's. */
  readonly requestId: string;
  /** Attempts made; 0 when nothing was sent. */
  readonly attempts: number;

  constructor(message: string, init: RestErrorInit, name = 'DiscordRestError') {
    super(name, message, init);
    this.method = init.method;
    this.route = init.route;
    this.requestId = init.requestId;
    this.attempts = init.attempts;
  }

  /** Whether a value is any error of this package, of whichever copy or module format. */
  static override is(value: unknown): value is DiscordRestError {
    return GuildkitError.is(value) && value.code.startsWith('ERR_REST_');
  }
}

/** Discord answered with an error: 4xx, or 5xx after all retries. */
export class DiscordApiError extends DiscordRestError {
  /** HTTP status. */
  readonly status: number;
  /** Discord's JSON error code (`10003` unknown channel, `50013` missing permissions, …); 0 when it gave none. */
  readonly discordCode: number;
  /** What Discord says is wrong with which field of the body. */
  readonly fields: readonly FieldError[];

  constructor(
    message: string,
    init: RestErrorInit & {
      readonly status: number;
      readonly discordCode: number;
      readonly fields: readonly FieldError[];
    },
  ) {
    super(message, init, 'DiscordApiError');
    this.status = init.status;
    this.discordCode = init.discordCode;
    this.fields = init.fields;
  }

  static override is(value: unknown): value is DiscordApiError {
    return isErrorNamed(value, 'DiscordApiError');
  }
}

/** A limit frees only after the request's deadline. */
export class RateLimitError extends DiscordRestError {
  /** When to call again, in ms from now. */
  readonly retryAfterMs: number;
  /** Whom the limit concerns. */
  readonly scope: RateLimitScope;

  constructor(
    message: string,
    init: RestErrorInit & { readonly retryAfterMs: number; readonly scope: RateLimitScope },
  ) {
    super(message, init, 'RateLimitError');
    this.retryAfterMs = init.retryAfterMs;
    this.scope = init.scope;
  }

  static override is(value: unknown): value is RateLimitError {
    return isErrorNamed(value, 'RateLimitError');
  }
}

/** What a request was doing when its deadline came. */
export type RequestPhase = 'queue' | 'response' | 'backoff';

/** The request's deadline came; it covers queue, retries and body. */
export class RequestTimeoutError extends DiscordRestError {
  /** The deadline, in ms from the call. */
  readonly timeoutMs: number;
  /** Where the time went last. */
  readonly phase: RequestPhase;

  constructor(message: string, init: RestErrorInit & { readonly timeoutMs: number; readonly phase: RequestPhase }) {
    super(message, init, 'RequestTimeoutError');
    this.timeoutMs = init.timeoutMs;
    this.phase = init.phase;
  }

  static override is(value: unknown): value is RequestTimeoutError {
    return isErrorNamed(value, 'RequestTimeoutError');
  }
}

/** The caller's AbortSignal fired; `cause` is its reason. */
export class RequestAbortedError extends DiscordRestError {
  constructor(message: string, init: RestErrorInit) {
    super(message, init, 'RequestAbortedError');
  }

  static override is(value: unknown): value is RequestAbortedError {
    return isErrorNamed(value, 'RequestAbortedError');
  }
}

/** No usable answer after all retries: refused, reset, stalled. */
export class NetworkError extends DiscordRestError {
  /** The system's or undici's code: `ECONNREFUSED`, `UND_ERR_SOCKET`; `''` when there was none. */
  readonly systemCode: string;

  constructor(message: string, init: RestErrorInit & { readonly systemCode: string }) {
    super(message, init, 'NetworkError');
    this.systemCode = init.systemCode;
  }

  static override is(value: unknown): value is NetworkError {
    return isErrorNamed(value, 'NetworkError');
  }
}

/** So many requests were invalid that Discord would soon ban the address: this one was not sent. */
export class InvalidRequestBudgetError extends DiscordRestError {
  /** Invalid requests in the last ten minutes. */
  readonly count: number;
  /** When the oldest are forgotten, in ms from now. */
  readonly retryAfterMs: number;

  constructor(message: string, init: RestErrorInit & { readonly count: number; readonly retryAfterMs: number }) {
    super(message, init, 'InvalidRequestBudgetError');
    this.count = init.count;
    this.retryAfterMs = init.retryAfterMs;
  }

  static override is(value: unknown): value is InvalidRequestBudgetError {
    return isErrorNamed(value, 'InvalidRequestBudgetError');
  }
}

/** One field of an input that was refused before anything was sent. */
export interface InputIssue {
  /** `name`, `permissionOverwrites[0].id`; `''` for the input as a whole. */
  readonly path: string;
  readonly message: string;
}

/** An argument is not what the method takes; nothing was sent. */
export class InvalidInputError extends DiscordRestError {
  /** Which fields, and why. */
  readonly issues: readonly InputIssue[];

  constructor(message: string, issues: readonly InputIssue[]) {
    super(
      message,
      { code: 'ERR_REST_INPUT_INVALID', method: '', route: '', requestId: '', attempts: 0 },
      'InvalidInputError',
    );
    this.issues = issues;
  }

  static override is(value: unknown): value is InvalidInputError {
    return isErrorNamed(value, 'InvalidInputError');
  }
}
