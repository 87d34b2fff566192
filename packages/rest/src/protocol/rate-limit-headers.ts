/**
 * Owns what a response says of rate limits: headers, and the body of a 429. Refuses to act on it. All of it is
 * hostile input: a value that makes no sense is taken as absent.
 */
import type { Observation } from './window.js';

/** Response headers by lower-case name. */
export type ResponseHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Whom a 429 concerns (Discord, `X-RateLimit-Scope`); `cloudflare` for one that Discord's edge sent without JSON. */
export type RateLimitScope = 'user' | 'shared' | 'global' | 'cloudflare';

/** A 429. */
export interface TooMany {
  readonly scope: RateLimitScope;
  /** The server's delay in ms, `undefined` when it named none. */
  readonly retryAfterMs: number | undefined;
}

/** A day: no limit of Discord waits longer, and a timer should not be set by a typing error of a proxy. */
const MAX_DELAY_MS = 86_400_000;

/** The bucket a response belongs to: `X-RateLimit-Bucket`. */
export function bucketHash(headers: ResponseHeaders): string | undefined {
  const hash = text(headers, 'x-ratelimit-bucket');
  return hash !== undefined && /^[\w.:-]{1,128}$/.test(hash) ? hash : undefined;
}

/** Limit, remaining and reset of a bucket. The reset is relative: the wall clocks may differ (`X-RateLimit-Reset-After`). */
export function observe(headers: ResponseHeaders): Observation | undefined {
  const limit = number(headers, 'x-ratelimit-limit');
  const remaining = number(headers, 'x-ratelimit-remaining');
  const resetAfter = number(headers, 'x-ratelimit-reset-after');
  if (limit === undefined || limit < 1 || remaining === undefined || resetAfter === undefined) return undefined;
  return {
    limit: Math.floor(limit),
    remaining: Math.floor(remaining),
    resetAfterMs: Math.min(Math.ceil(resetAfter * 1_000), MAX_DELAY_MS),
  };
}

/**
 * What a 429 asks for. The body's `retry_after` has fractions, the header often only whole seconds.
 *
 * @param body The parsed JSON body, `undefined` when it was none.
 */
export function tooMany(headers: ResponseHeaders, body: unknown): TooMany {
  const json = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined;
  const seconds = delaySeconds(json?.retry_after) ?? number(headers, 'retry-after');
  const retryAfterMs = seconds === undefined ? undefined : Math.min(Math.ceil(seconds * 1_000), MAX_DELAY_MS);
  const said = text(headers, 'x-ratelimit-scope');
  if (json?.global === true || said === 'global' || text(headers, 'x-ratelimit-global') === 'true') {
    return { scope: 'global', retryAfterMs };
  }
  if (said === 'shared' || said === 'user') return { scope: said, retryAfterMs };
  // An address that Cloudflare holds back gets no JSON and no X-RateLimit header: it concerns every request.
  const fromDiscord = json !== undefined || bucketHash(headers) !== undefined;
  return { scope: fromDiscord ? 'user' : 'cloudflare', retryAfterMs };
}

function text(headers: ResponseHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

function number(headers: ResponseHeaders, name: string): number | undefined {
  const value = text(headers, name);
  return value === undefined || value === '' ? undefined : delaySeconds(Number(value));
}

function delaySeconds(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}
