/** Owns tokens in front of a handler: `Authorization: Bearer`, refused with the right status, counted and logged. */
import { type Logger, messageOf, silentLogger, toLogText } from '@guildkit/core';
import { JwtError, type JwtErrorCode } from '../errors.js';
import type { Principal } from '../principal.js';
import { refusalResponse, requestIdOf } from '../shared/safe-response.js';
import type { JwtVerifier } from './verifier.js';

/** Settings of {@link createJwtGuard}. */
export interface JwtGuardOptions {
  readonly verifier: JwtVerifier;
  readonly logger?: Logger | undefined;
}

/** What a guard has counted. */
export interface JwtGuardStats {
  readonly accepted: number;
  /** No token, or no Bearer one. */
  readonly missing: number;
  /** The token is good and its roles do not suffice. */
  readonly forbidden: number;
  readonly refused: Readonly<Partial<Record<JwtErrorCode, number>>>;
}

/** Stands in front of handlers. */
export interface JwtGuard {
  /**
   * Wraps a handler: it is called with the principal, or not at all. 401 without a good token, 403 without the roles, 502
   * while the keys of the issuer cannot be had.
   */
  protect(
    handler: (request: Request, context: { readonly principal: Principal }) => Response | Promise<Response>,
    options?: { readonly roles?: readonly string[] | undefined },
  ): (request: Request) => Promise<Response>;
  /** What was counted so far. */
  stats(): JwtGuardStats;
}

/** RFC 6750, section 2.1: one scheme, one token. Two headers are joined by a comma, which no token has. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * Creates a guard.
 *
 * @example
 * ```ts
 * import { createJwtGuard, createJwtIssuer, createJwtVerifier } from '@guildkit/server-kit/jwt';
 *
 * const names = { issuer: 'https://app.example', audience: 'app' };
 * const issuer = await createJwtIssuer(names);
 * const guard = createJwtGuard({ verifier: createJwtVerifier({ ...names, getJwks: async () => issuer.jwks() }) });
 * export const handler = guard.protect((_request, { principal }) => Response.json(principal), { roles: ['chat:write'] });
 * ```
 */
export function createJwtGuard(options: JwtGuardOptions): JwtGuard {
  const { verifier, logger = silentLogger } = options;
  const counts = { accepted: 0, missing: 0, forbidden: 0 };
  const refused: Partial<Record<JwtErrorCode, number>> = {};

  function unauthorized(requestId: string, challenge: string, code: string, message: string): Response {
    return refusalResponse({ status: 401, code, message }, requestId, { 'www-authenticate': challenge });
  }

  function ofError(error: unknown, requestId: string): Response {
    if (!JwtError.is(error)) throw error;
    const { code, message } = error;
    refused[code] = (refused[code] ?? 0) + 1;
    if (code === 'ERR_JWT_JWKS_UNAVAILABLE' || code === 'ERR_JWT_JWKS_INVALID') {
      // The message may name an address of the inside.
      logger.error({ code, requestId, reason: toLogText(messageOf(error)) }, 'tokens cannot be verified');
      const said = { status: 502, code, message: 'Tokens cannot be verified now.', retryAfterMs: 1_000 };
      return refusalResponse(said, requestId);
    }
    logger.warn({ code, requestId }, 'token refused');
    return unauthorized(requestId, 'Bearer error="invalid_token"', code, message);
  }

  return {
    protect:
      (handler, { roles = [] } = {}) =>
      async (request) => {
        const requestId = requestIdOf(request);
        const token = BEARER.exec(request.headers.get('authorization') ?? '')?.[1];
        if (token === undefined) {
          counts.missing += 1;
          logger.debug({ requestId }, 'request without a token');
          // RFC 6750, section 3.1: whoever sent none is told no error.
          return unauthorized(requestId, 'Bearer', 'ERR_HTTP_AUTH_REQUIRED', 'Authentication is required.');
        }
        let principal: Principal;
        try {
          principal = await verifier.verify(token);
        } catch (error) {
          return ofError(error, requestId);
        }
        const missing = roles.filter((role) => !principal.roles.includes(role));
        if (missing.length > 0) {
          counts.forbidden += 1;
          logger.warn({ requestId, userId: principal.userId, missing }, 'role missing');
          const said = { status: 403, code: 'ERR_HTTP_FORBIDDEN', message: 'This is not allowed.' };
          return refusalResponse(said, requestId, { 'www-authenticate': 'Bearer error="insufficient_scope"' });
        }
        counts.accepted += 1;
        return handler(request, { principal });
      },
    stats: () => ({ ...counts, refused: { ...refused } }),
  };
}
