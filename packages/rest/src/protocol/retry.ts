/** Owns whether and when a failed attempt is made again. Refuses to wait: it only tells how long. */
import { backoffDelay } from '@guildkit/core';

/** How an attempt failed. */
export type AttemptFailure =
  /** 429: nothing was done. */
  | { readonly kind: 'rateLimited'; readonly retryAfterMs: number | undefined }
  /** 5xx. */
  | { readonly kind: 'server'; readonly retryAfterMs?: number | undefined }
  /** The connection failed. `neverSent`: before a byte of the request went out. */
  | { readonly kind: 'network'; readonly neverSent: boolean };

/** What the decision rests on. */
export interface RetryContext {
  readonly failure: AttemptFailure;
  /** Retries made so far after 5xx and network failures. */
  readonly retries: number;
  /** 429s met so far. */
  readonly rateLimits: number;
  readonly maxRetries: number;
  /** Whether repeating the request cannot do a thing twice. */
  readonly repeatable: boolean;
  readonly random: number;
}

/** Delays of a 429 that names none, in ms. */
const RATE_LIMIT_STEPS_MS = [1_000, 2_000, 4_000, 8_000, 16_000] as const;
/** Full jitter: clients that failed together do not come back together. 250 ms at least, so that three are not gone at once. */
const BACKOFF = { baseMs: 1_000, capMs: 16_000, minMs: 250 } as const;

/** The delay before the next attempt in ms, `undefined` when there should be none. */
export function retryDelay(context: RetryContext): number | undefined {
  const { failure, retries, rateLimits, maxRetries, repeatable, random } = context;
  if (failure.kind === 'rateLimited') {
    // Bounded by the request's deadline, not by a count: a 429 has done nothing, waiting is all it asks for.
    const step = RATE_LIMIT_STEPS_MS[Math.min(rateLimits, RATE_LIMIT_STEPS_MS.length - 1)];
    return failure.retryAfterMs ?? step;
  }
  if (retries >= maxRetries) return undefined;
  if (!repeatable && !(failure.kind === 'network' && failure.neverSent)) return undefined;
  const own = backoffDelay(retries, random, BACKOFF);
  return failure.kind === 'server' ? Math.max(own, failure.retryAfterMs ?? 0) : own;
}

/**
 * Methods that may be repeated. Unlike RFC 9110 PATCH is among them: Discord's PATCH bodies set absolute values, so
 * doing one twice leaves what doing it once leaves.
 */
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH']);

/** Whether a request may be sent again when it is unknown what became of the first. */
export function isRepeatable(method: string, body: unknown): boolean {
  if (REPEATABLE.has(method)) return true;
  if (typeof body !== 'object' || body === null) return false;
  // Create Message: with enforce_nonce Discord returns the message that exists instead of making another.
  const { nonce, enforce_nonce: enforced } = body as { readonly nonce?: unknown; readonly enforce_nonce?: unknown };
  return enforced === true && (typeof nonce === 'string' || typeof nonce === 'number') && nonce !== '';
}
