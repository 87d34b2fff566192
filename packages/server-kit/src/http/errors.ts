/** Owns the errors of `/http`: what an app throws in a handler, and what reading a request may end with. */
import { GuildkitError, type GuildkitErrorInit, isErrorNamed } from '@guildkit/core';
import type { ErrorEntry } from '../errors.js';
import type { FieldProblem } from '../shared/safe-response.js';

/** Every code of {@link HttpError}. */
export const HTTP_ERRORS = {
  ERR_HTTP_INPUT_INVALID: {
    message: 'The input is not valid.',
    remedy: 'Correct the fields that `fields` names.',
  },
  ERR_HTTP_BODY_MALFORMED: { message: 'The body is not valid JSON.', remedy: 'Send JSON as UTF-8.' },
  ERR_HTTP_BODY_TYPE: {
    message: 'The body must be JSON.',
    remedy: 'Send `Content-Type: application/json`.',
  },
  ERR_HTTP_BODY_TOO_LARGE: { message: 'The body is too large.', remedy: 'Send less, or raise maxBytes.' },
  ERR_HTTP_BODY_UNREADABLE: {
    message: 'The body could not be read.',
    remedy: 'Send the request again; a body can be read once.',
  },
  ERR_HTTP_AUTH_REQUIRED: { message: 'Authentication is required.', remedy: 'Log in, or send a token.' },
  ERR_HTTP_FORBIDDEN: { message: 'This is not allowed.', remedy: 'Ask for the role that the action needs.' },
  ERR_HTTP_ORIGIN_FORBIDDEN: {
    message: 'This origin may not do that.',
    remedy: 'Add the page’s origin (scheme, host and port) to `origins`.',
  },
  ERR_HTTP_NOT_FOUND: { message: 'There is nothing here.', remedy: 'Check the address.' },
  ERR_HTTP_METHOD_UNKNOWN: { message: 'This method is not served here.', remedy: 'Use a method that `Allow` names.' },
  ERR_HTTP_CONFLICT: {
    message: 'This contradicts the present state.',
    remedy: 'Read the present state and decide anew.',
  },
  ERR_HTTP_RATE_LIMITED: { message: 'Too many requests.', remedy: 'Wait for `retryAfterMs`.', retryable: true },
  ERR_HTTP_UPSTREAM_FAILED: {
    message: 'A service behind this one does not answer.',
    remedy: 'Try again later; the log names the service.',
    retryable: true,
  },
  ERR_HTTP_UNAVAILABLE: { message: 'The service cannot answer now.', remedy: 'Try again later.', retryable: true },
  ERR_HTTP_INTERNAL: {
    message: 'Something went wrong.',
    remedy: 'Look up the request id in the log: the cause stands there alone.',
  },
} as const satisfies Record<string, ErrorEntry>;

/** A code of {@link HttpError}. */
export type HttpErrorCode = keyof typeof HTTP_ERRORS;

/** What a handler throws to end in an error answer. Its message reaches the caller. */
export class HttpError extends GuildkitError<HttpErrorCode> {
  /** What is wrong with which field. */
  readonly fields: readonly FieldProblem[] | undefined;
  /** When to try again, ms from now. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: HttpErrorCode,
    init: Omit<GuildkitErrorInit, 'code'> & {
      readonly message?: string | undefined;
      readonly fields?: readonly FieldProblem[] | undefined;
      readonly retryAfterMs?: number | undefined;
    } = {},
  ) {
    const { message = HTTP_ERRORS[code].message, fields, retryAfterMs, ...rest } = init;
    const entry: ErrorEntry = HTTP_ERRORS[code];
    super('HttpError', message, { retryable: entry.retryable, ...rest, code });
    this.fields = fields;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether a value is an `HttpError`, of whichever copy or module format. */
  static override is(value: unknown): value is HttpError {
    return isErrorNamed(value, 'HttpError');
  }
}
