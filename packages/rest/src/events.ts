/** Owns what the client tells: one object per event, without tokens, ids of webhooks' tokens, queries or bodies. */
import type { RateLimitScope } from './protocol/rate-limit-headers.js';

/** An answer came in, whatever its status. */
export interface ResponseEvent {
  readonly method: string;
  /** Route template: `/channels/:id`. */
  readonly route: string;
  readonly status: number;
  /** From sending to the end of the headers, in ms. */
  readonly durationMs: number;
  /** 1 for the first. */
  readonly attempt: number;
  readonly requestId: string;
}

/** A limit holds requests back. */
export interface RateLimitedEvent {
  /** `hit`: Discord answered 429. `wait`: requests are held back so that it does not. */
  readonly kind: 'hit' | 'wait';
  /** Whom it concerns. */
  readonly scope: RateLimitScope | 'bucket' | 'sublimit';
  /** Bucket hash and major id, route template while the hash is unknown, `global` for the global limit. */
  readonly bucket: string;
  /** The request that met the 429; absent for a wait. */
  readonly method?: string | undefined;
  readonly route?: string | undefined;
  /** How long, in ms. */
  readonly retryAfterMs: number;
  /** Requests that wait for this limit. */
  readonly queued: number;
}

/** An attempt failed and is made again. */
export interface RetryEvent {
  readonly method: string;
  readonly route: string;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly reason: 'rateLimited' | 'server' | 'network';
  /** HTTP status, absent where there was no answer. */
  readonly status?: number | undefined;
  readonly delayMs: number;
}

/** A request counted against the 10,000 invalid ones in ten minutes. */
export interface InvalidRequestEvent {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  /** In the last ten minutes. */
  readonly count: number;
  readonly limit: number;
  /** `warning` when a quarter, half, three quarters or nine tenths of the limit was just reached. */
  readonly level: 'counted' | 'warning';
}

/** A route's bucket was learned, or changed. */
export interface BucketEvent {
  /** Method and route template. */
  readonly route: string;
  /** Discord's bucket hash. */
  readonly bucket: string;
  readonly limit: number;
}

/** Events of `DiscordRestClient`. */
export interface RestEvents {
  response: ResponseEvent;
  rateLimited: RateLimitedEvent;
  retry: RetryEvent;
  invalidRequest: InvalidRequestEvent;
  bucket: BucketEvent;
}
