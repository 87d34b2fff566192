/**
 * Owns what an exchange means: for the limits, from the head alone, and for the caller, from all of it. Refuses to act on
 * it, and leaves 429s to the executor.
 */
import { createRedactor } from '@guildkit/core';
import type { DiscordRestError } from '../errors.js';
import type { ResponseSchema } from '../options.js';
import { bucketHash, observe, type ResponseHeaders, tooMany } from '../protocol/rate-limit-headers.js';
import type { AttemptFailure } from '../protocol/retry.js';
import type { Verdict } from './limiter.js';
import { secretsIn } from './prepare.js';
import { apiError, malformedError, networkError, oversizedError, parseJson, type Run } from './run.js';
import type { TransportFailure } from './transport.js';

/** The value of a 2xx: parsed JSON, `undefined` without a body. */
export interface Answer {
  readonly status: number;
  readonly value: unknown;
}

/** A failed attempt that may be made again. */
export interface Failed {
  readonly failure: AttemptFailure;
  readonly status?: number | undefined;
  /** What the caller gets when it is not. */
  readonly error: DiscordRestError;
}

/** The head and the body of an answer. */
export interface Received {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly text: string;
}

/** What the limits learn from an answer that is no 429. */
export function verdictOf(status: number, headers: ResponseHeaders): Verdict {
  const observed = observe(headers);
  // A 401 and a 5xx come from before the limits: their lack of headers says nothing about the route.
  const proper = status < 500 && status !== 401;
  const hash = bucketHash(headers);
  return {
    spent: true,
    done: status < 300,
    hash,
    observed: observed ?? (proper ? 'none' : undefined),
    block: undefined,
  };
}

/** Cloudflare's id of the request: what Discord's support asks for. */
export function rayOf(headers: ResponseHeaders): string | undefined {
  const value = headers['cf-ray'];
  return typeof value === 'string' && /^[\w-]{1,64}$/.test(value) ? value : undefined;
}

/**
 * What an answer that is no 429 is to the caller.
 *
 * @param redact Removes the client's secrets from what Discord wrote.
 * @throws DiscordRestError that must not be tried again.
 */
export function outcomeOf(
  run: Run,
  { status, headers, text }: Received,
  redact: (text: string) => string,
): Answer | Failed {
  if (status >= 200 && status < 300) {
    if (text === '') return { status, value: undefined };
    const value = parseJson(text);
    if (value === undefined) throw malformedError(run, status, 'a body that is not JSON');
    return { status, value };
  }
  const own = createRedactor(secretsIn(run.request));
  const error = apiError(run, status, own(redact(text)));
  if (status < 500) throw error;
  const { retryAfterMs } = tooMany(headers, undefined);
  return { failure: { kind: 'server', retryAfterMs }, status, error };
}

/** What a failed exchange is. */
export function brokenOutcome(run: Run, { kind, systemCode, cause }: TransportFailure, maxBytes: number): Failed {
  const error =
    kind === 'oversized'
      ? oversizedError(run, maxBytes)
      : run.attemptExpired
        ? networkError(run, 'ETIMEDOUT', undefined)
        : networkError(run, systemCode, cause);
  return { failure: { kind: 'network', neverSent: kind === 'unsent' }, error };
}

/** What the caller's schema makes of a value. */
export function checkedValue(run: Run, schema: ResponseSchema, { status, value }: Answer): unknown {
  try {
    return schema.parse(value);
  } catch (cause) {
    throw malformedError(run, status, 'something else than expected', cause);
  }
}
