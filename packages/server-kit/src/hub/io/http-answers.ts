/** Owns how the hub says no over HTTP (protocol document, section 8), and what browsers of other origins may read. */
import type { FieldIssue, HttpErrorBody } from '@guildkit/core/wire';
import { HUB_ERRORS, type HubErrorCode } from '../../errors.js';

/** A whole answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What is read of a request, whichever framework brought it. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Headers;
}

/** What a refusal says. */
export interface HttpRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly fields?: readonly FieldIssue[] | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** HTTP's words for close codes, for a stream that ends before it began. */
const STATUS_OF_CLOSE: Readonly<Record<number, number>> = {
  4400: 400,
  4401: 401,
  4403: 403,
  4413: 413,
  4429: 429,
  4503: 503,
};

/** The status of a stream that is closed before it began. */
export function statusOfClose(code: number): number {
  return STATUS_OF_CLOSE[code] ?? 503;
}

/** A refusal by a code of the hub. */
export function hubRefusal(
  status: number,
  code: HubErrorCode,
  more: Pick<HttpRefusal, 'fields' | 'retryAfterMs'> = {},
): HttpRefusal {
  return { status, code, message: HUB_ERRORS[code].message, ...more };
}

/** The answer that refuses. */
export function refusalAnswer(
  { status, code, message, fields, retryAfterMs }: HttpRefusal,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  const more = { ...(fields && { fields }), ...(retryAfterMs !== undefined && { retryAfterMs }) };
  const body: HttpErrorBody = { error: { code, message, requestId, ...more } };
  // RFC 9110, section 10.2.3: whole seconds; rounded up, so that nobody comes back too early.
  const retry =
    retryAfterMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) };
  return jsonAnswer(status, body, { 'x-request-id': requestId, ...retry, ...headers });
}

/** An answer of JSON, which nobody keeps. */
export function jsonAnswer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
    },
    body: JSON.stringify(body),
  };
}

/** What lets the page of an allowed origin read the answer. */
export function corsHeaders(origin: string | undefined): Readonly<Record<string, string>> {
  if (origin === undefined) return { vary: 'Origin' };
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'retry-after, x-request-id',
    vary: 'Origin',
  };
}

/** The answer to a preflight of an allowed origin. */
export function preflightAnswer(origin: string | undefined, methods: string): HttpAnswer {
  return {
    status: 204,
    headers: {
      ...corsHeaders(origin),
      'access-control-allow-methods': methods,
      'access-control-allow-headers': 'authorization, content-type, last-event-id, cache-control, x-request-id',
      'access-control-max-age': '600',
    },
    body: '',
  };
}
