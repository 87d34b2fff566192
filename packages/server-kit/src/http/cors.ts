/** Owns which pages may call: the configured origins and nobody else (Fetch standard, section 3.2). */

/** Decides on origins. */
export interface OriginPolicy {
  /** Whether this origin is one of the configured. */
  allows(origin: string): boolean;
  /** Headers of an answer to that origin; none for another. */
  headers(origin: string | null): Readonly<Record<string, string>>;
  /** Headers of an answer to a preflight, `undefined` when the origin may not. */
  preflight(request: Request): Readonly<Record<string, string>> | undefined;
}

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const HEADERS = 'authorization, content-type, idempotency-key, last-event-id, x-request-id';
const EXPOSED = 'retry-after, x-request-id';
/** Browsers cap it at two hours or less. */
const MAX_AGE_S = '600';

/** Makes the policy of a list of origins: scheme, host and port, as browsers send them. */
export function createOriginPolicy(origins: readonly string[]): OriginPolicy {
  const allowed = new Set(origins);
  const headers = (origin: string | null): Readonly<Record<string, string>> =>
    origin !== null && allowed.has(origin)
      ? {
          'access-control-allow-origin': origin,
          'access-control-allow-credentials': 'true',
          'access-control-expose-headers': EXPOSED,
          vary: 'Origin',
        }
      : { vary: 'Origin' };
  return {
    allows: (origin) => allowed.has(origin),
    headers,
    preflight(request) {
      const origin = request.headers.get('origin');
      if (origin === null || !allowed.has(origin)) return undefined;
      return {
        ...headers(origin),
        'access-control-allow-methods': METHODS,
        'access-control-allow-headers': HEADERS,
        'access-control-max-age': MAX_AGE_S,
      };
    },
  };
}

/** An origin as a browser sends it, for the check of options: `https://app.example`, no path. */
export function isOrigin(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value;
}

/** Whether a request is a CORS preflight. */
export function isPreflight(request: Request): boolean {
  return request.method === 'OPTIONS' && request.headers.has('access-control-request-method');
}
