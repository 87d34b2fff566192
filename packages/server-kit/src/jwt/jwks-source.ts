/**
 * Owns where public keys come from: given ones, or an address with caching, cooldown, timeout and single flight.
 * Refuses to let tokens decide how often the address is asked: unknown key ids are the attacker's to choose.
 */
import { type Clock, messageOf } from '@guildkit/core';
import { createLocalJWKSet } from 'jose';
import { JwtError } from '../errors.js';
import type { Jwks } from './keys.js';

/** jose's lookup by token header. */
export type KeyLookup = ReturnType<typeof createLocalJWKSet>;

/** Gives the current lookup. */
export interface JwksSource {
  current(): Promise<KeyLookup>;
  /** After a key was not found: a newer lookup, or `undefined` when none may be fetched now. */
  refreshed(than: KeyLookup): Promise<KeyLookup | undefined>;
}

/** Settings of {@link fetchedJwks}. */
export interface FetchedJwksOptions {
  readonly load: (signal: AbortSignal) => Promise<unknown>;
  readonly cacheMaxAgeMs: number;
  readonly cooldownMs: number;
  readonly staleIfErrorMs: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** A failed fetch is tried again after this long at the earliest: an outage is not made worse by a flood of tokens. */
const FAILURE_COOLDOWN_MS = 1_000;

/** The largest key set that is read. Real ones have a few kilobytes. */
const MAX_JWKS_BYTES = 262_144;

/** Keys that do not change. */
export function givenJwks(jwks: Jwks): JwksSource {
  const lookup = toLookup(jwks);
  return { current: async () => lookup, refreshed: async () => undefined };
}

/** Keys that are fetched when needed. */
export function fetchedJwks(options: FetchedJwksOptions): JwksSource {
  const { load, cacheMaxAgeMs, cooldownMs, staleIfErrorMs, timeoutMs, clock } = options;
  let cached: { readonly lookup: KeyLookup; readonly at: number } | undefined;
  let failure: { readonly error: JwtError; readonly at: number } | undefined;
  let flight: Promise<KeyLookup> | undefined;

  function fetchOnce(): Promise<KeyLookup> {
    // Single flight: however many tokens wait, the address is asked once.
    flight ??= run().finally(() => {
      flight = undefined;
    });
    return flight;
  }

  async function run(): Promise<KeyLookup> {
    try {
      const lookup = toLookup(await withTimeout(load, timeoutMs, clock));
      cached = { lookup, at: clock.now() };
      failure = undefined;
      return lookup;
    } catch (cause) {
      // Either way the issuer is at fault, not the token: whoever sent it may try again.
      const error = JwtError.is(cause)
        ? new JwtError(cause.code, { cause, retryable: true })
        : new JwtError('ERR_JWT_JWKS_UNAVAILABLE', { cause, retryable: true, detail: messageOf(cause) });
      failure = { error, at: clock.now() };
      throw error;
    }
  }

  function failedRecently(): boolean {
    return failure !== undefined && clock.now() - failure.at < FAILURE_COOLDOWN_MS;
  }

  return {
    async current() {
      const kept = cached;
      if (kept === undefined) {
        if (failure !== undefined && failedRecently()) throw failure.error;
        return fetchOnce();
      }
      const age = clock.now() - kept.at;
      if (age < cacheMaxAgeMs) return kept.lookup;
      if (failedRecently() && age < cacheMaxAgeMs + staleIfErrorMs) return kept.lookup;
      try {
        return await fetchOnce();
      } catch (error) {
        // An outage of the issuer does not log everyone out at once; a key that was withdrawn lives on no longer than this.
        if (age < cacheMaxAgeMs + staleIfErrorMs) return kept.lookup;
        throw error;
      }
    },
    async refreshed(than) {
      if (cached !== undefined && cached.lookup !== than) return cached.lookup;
      if (flight !== undefined) return flight;
      const resting = cached !== undefined && clock.now() - cached.at < cooldownMs;
      return resting || failedRecently() ? undefined : fetchOnce();
    },
  };
}

/** Reads a key set over HTTP, with a bound on its size. */
export async function readJwks(url: string, fetchImpl: typeof fetch, signal: AbortSignal): Promise<unknown> {
  const response = await fetchImpl(url, {
    signal,
    // A redirect would let whoever controls a path of that host choose the keys.
    redirect: 'error',
    headers: { accept: 'application/jwk-set+json, application/json' },
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the address answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > MAX_JWKS_BYTES) throw new JwtError('ERR_JWT_JWKS_INVALID', { detail: 'It is too large.' });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new JwtError('ERR_JWT_JWKS_INVALID', { cause });
  }
}

function toLookup(jwks: unknown): KeyLookup {
  try {
    return createLocalJWKSet(jwks as Parameters<typeof createLocalJWKSet>[0]);
  } catch (cause) {
    throw new JwtError('ERR_JWT_JWKS_INVALID', { cause });
  }
}

async function withTimeout<T>(work: (signal: AbortSignal) => Promise<T>, ms: number, clock: Clock): Promise<T> {
  const controller = new AbortController();
  let timer: unknown;
  const late = new Promise<never>((_, reject) => {
    timer = clock.setTimer(() => {
      controller.abort();
      reject(new Error(`no answer within ${ms} ms`));
    }, ms);
  });
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    clock.clearTimer(timer);
  }
}
