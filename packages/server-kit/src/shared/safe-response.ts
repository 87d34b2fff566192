/**
 * Owns the one shape in which a refusal leaves over HTTP: `{ error: { code, message, requestId, fields?, retryAfterMs? } }`.
 * Refuses to know errors: what may be said is decided by whoever calls.
 */
import { toLogText } from '@guildkit/core';

/** What is wrong with one field of an input. */
export interface FieldProblem {
  /** `name`, `payload.items.0`; `''` for the input as a whole. */
  readonly path: string;
  readonly message: string;
}

/** What a refusal says. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly fields?: readonly FieldProblem[] | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** The body of every error answer. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly requestId: string;
    readonly fields?: readonly FieldProblem[];
    readonly retryAfterMs?: number;
  };
}

const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{7,127}$/;

/** The request's own `X-Request-Id` when it is one that a log line can hold, else a new one. */
export function requestIdOf(request: { readonly headers: Headers }): string {
  const given = request.headers.get('x-request-id');
  return given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID();
}

/** Builds the answer of a refusal. Never cached, never sniffed. */
export function refusalResponse(
  { status, code, message, fields, retryAfterMs }: Refusal,
  requestId: string,
  extra?: Readonly<Record<string, string>>,
): Response {
  const body: ErrorBody = {
    error: {
      code,
      message: toLogText(message, 300),
      requestId,
      ...(fields === undefined ? {} : { fields }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  };
  const headers = new Headers({
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    ...extra,
  });
  // RFC 9110, section 10.2.3: whole seconds; rounded up, so that nobody comes back too early.
  if (retryAfterMs !== undefined) headers.set('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  return new Response(JSON.stringify(body), { status, headers });
}
