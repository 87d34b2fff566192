/** Owns the reasons for which a webhook is refused. They go to the log and the counters; the caller is told none. */
import { GuildkitError, type GuildkitErrorInit, isErrorNamed } from '@guildkit/core';
import type { ErrorEntry } from '../errors.js';

/** Every code of {@link HmacError} and of refused webhooks. */
export const HMAC_ERRORS = {
  ERR_HMAC_HEADERS_MISSING: {
    message: 'The request is not signed.',
    remedy: 'Send the headers that signWebhook() makes, and let no proxy take them away.',
  },
  ERR_HMAC_HEADERS_MALFORMED: {
    message: 'The signature headers are malformed.',
    remedy: 'Send each header once: unix seconds in decimal, `sha256=` and 64 hex digits.',
  },
  ERR_HMAC_TIMESTAMP_SKEWED: {
    message: 'The request is too old, or from the future.',
    remedy: 'Sign each attempt anew, and check the clocks of both machines.',
  },
  ERR_HMAC_SIGNATURE_MISMATCH: {
    message: 'The signature is wrong.',
    remedy: 'Compare the secrets of both sides, and verify over the bytes that came, not over parsed JSON.',
  },
  ERR_HMAC_SIGNATURE_REPLAYED: {
    message: 'The signature was seen before.',
    remedy: 'Sign each attempt anew with a later timestamp.',
  },
  ERR_HMAC_BODY_TOO_LARGE: { message: 'The body is too large.', remedy: 'Send less, or raise maxBodyBytes.' },
  ERR_HMAC_BODY_MALFORMED: {
    message: 'The body is no event.',
    remedy: 'Send `{ id, event, payload, ts, epoch, seq, traceId }` as JSON.',
  },
  ERR_HMAC_STORE_FULL: {
    message: 'No further signatures can be remembered.',
    remedy: 'Raise maxEntries of the replay store; none is forgotten early, as it could be replayed.',
    retryable: true,
  },
} as const satisfies Record<string, ErrorEntry>;

/** A code of {@link HmacError} and of a refused webhook. */
export type HmacErrorCode = keyof typeof HMAC_ERRORS;

/** A webhook could not be taken. */
export class HmacError extends GuildkitError<HmacErrorCode> {
  constructor(code: HmacErrorCode, init: Omit<GuildkitErrorInit, 'code'> = {}) {
    const entry: ErrorEntry = HMAC_ERRORS[code];
    super('HmacError', entry.message, { retryable: entry.retryable, ...init, code });
  }

  /** Whether a value is an `HmacError`, of whichever copy or module format. */
  static override is(value: unknown): value is HmacError {
    return isErrorNamed(value, 'HmacError');
  }
}
