/**
 * Owns what stands around every handler: request id, origin check, body bound, security headers, errors as answers, one
 * log line. Refuses to route: that is the server's.
 */
import { type Clock, check, type Logger, resolveOptions, silentLogger, systemClock, toLogText } from '@guildkit/core';
import { refusalResponse, requestIdOf } from '../shared/safe-response.js';
import { createOriginPolicy, isOrigin, isPreflight } from './cors.js';
import { toErrorResponse } from './error-response.js';
import { HTTP_ERRORS, HttpError, type HttpErrorCode } from './errors.js';
import { SECURITY_HEADERS, withHeaders } from './security-headers.js';

/** What a handler is told beside the request. */
export interface RequestContext {
  /** Stands in the answer's `X-Request-Id`, in error bodies and in the log. */
  readonly requestId: string;
}

/** A Web-standard handler. */
export type WebHandler<Context = unknown> = (request: Request, context?: Context) => Promise<Response>;

/** Settings of {@link createHandler}. */
export interface HandlerOptions {
  /** Origins of the pages that may call, the app's own included: `https://app.example`. Without any, no page of another origin may. */
  readonly origins?: readonly string[] | undefined;
  readonly logger?: Logger | undefined;
  /** Largest body that may be announced, in bytes; `readJson` counts what comes. @defaultValue 1048576 */
  readonly maxBodyBytes?: number | undefined;
  readonly clock?: Clock | undefined;
}

interface Settings {
  readonly origins: readonly string[];
  readonly logger: Logger;
  readonly maxBodyBytes: number;
  readonly clock: Clock;
}

const DEFAULTS: Settings = { origins: [], logger: silentLogger, maxBodyBytes: 1_048_576, clock: systemClock };

/** Methods that change nothing (RFC 9110, section 9.2.1). */
const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Wraps a handler. The wrapped one never rejects.
 *
 * @throws TypeError on options out of range.
 */
export function createHandler(
  handle: (request: Request, context: RequestContext) => Response | Promise<Response>,
  options?: HandlerOptions,
): WebHandler {
  const { origins, logger, maxBodyBytes, clock } = resolveOptions('createHandler', DEFAULTS, options, {
    origins: originList,
    maxBodyBytes: check.integer(0),
  });
  const policy = createOriginPolicy(origins);

  async function answer(request: Request, requestId: string): Promise<Response> {
    if (isPreflight(request)) {
      const headers = policy.preflight(request);
      if (headers === undefined) throw new HttpError('ERR_HTTP_ORIGIN_FORBIDDEN');
      return new Response(null, { status: 204, headers });
    }
    const origin = request.headers.get('origin');
    // Browsers send it with every request that changes something. Only programs leave it out, and they carry no cookie.
    if (origin !== null && !SAFE_METHODS.includes(request.method) && !policy.allows(origin)) {
      throw new HttpError('ERR_HTTP_ORIGIN_FORBIDDEN');
    }
    if (Number(request.headers.get('content-length') ?? 0) > maxBodyBytes) {
      throw new HttpError('ERR_HTTP_BODY_TOO_LARGE');
    }
    return handle(request, { requestId });
  }

  return async (request) => {
    const startedAt = clock.now();
    const requestId = requestIdOf(request);
    const logFields = { method: request.method, path: pathOf(request) };
    let response: Response;
    try {
      response = await answer(request, requestId);
    } catch (error) {
      response = toErrorResponse(error, { requestId, logger, logFields });
    }
    const tookMs = Math.round(clock.now() - startedAt);
    logger.debug({ ...logFields, requestId, status: response.status, tookMs }, 'request answered');
    return withHeaders(response, {
      'x-request-id': requestId,
      ...SECURITY_HEADERS,
      ...policy.headers(request.headers.get('origin')),
    });
  };
}

/** Answers with an error of `/http`, for places that answer without throwing. */
export function httpRefusal(code: HttpErrorCode, status: number, requestId: string): Response {
  return refusalResponse({ status, code, message: HTTP_ERRORS[code].message }, requestId);
}

function originList(value: unknown): string | undefined {
  return Array.isArray(value) && value.every(isOrigin)
    ? undefined
    : 'must be a list of origins: scheme, host and port, without a path';
}

/** Never the query: codes and tokens travel there. */
function pathOf({ url }: Request): string {
  return toLogText(URL.canParse(url) ? new URL(url).pathname : url.split('?', 1).join(''), 200);
}
