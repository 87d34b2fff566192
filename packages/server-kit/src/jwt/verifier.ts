/** Owns the verdict on a token: who it speaks for, or the one reason why not. */
import { type Clock, check, resolveOptions, systemClock } from '@guildkit/core';
import { type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { JwtError, type JwtErrorCode } from '../errors.js';
import type { Principal } from '../principal.js';
import { fetchedJwks, givenJwks, type JwksSource, type KeyLookup, readJwks } from './jwks-source.js';
import { JWT_ALGORITHMS, type Jwks, type JwtAlgorithm } from './keys.js';

/** Settings of {@link createJwtVerifier}. Exactly one of `jwks`, `jwksUrl` and `getJwks` must be given. */
export interface JwtVerifierOptions {
  /** What `iss` must equal. */
  readonly issuer: string;
  /** What `aud` must hold: one of these. */
  readonly audience: string | readonly string[];
  /** The public keys themselves. */
  readonly jwks?: Jwks | undefined;
  /** Where the public keys are: an https address, or http on this machine. */
  readonly jwksUrl?: string | undefined;
  /** Fetches the public keys in another way; cached like `jwksUrl`. */
  readonly getJwks?: ((signal: AbortSignal) => Promise<Jwks>) | undefined;
  /**
   * Accepted signature algorithms.
   * @defaultValue `['ES256', 'EdDSA', 'RS256']`: what this package's issuer and the usual identity providers sign with.
   */
  readonly algorithms?: readonly JwtAlgorithm[] | undefined;
  /**
   * How far the clocks of issuer and verifier may differ, in seconds.
   * @defaultValue 5
   */
  readonly clockToleranceSeconds?: number | undefined;
  /** Refuse tokens issued longer ago than this, in seconds, whatever their `exp` says. */
  readonly maxAgeSeconds?: number | undefined;
  /**
   * Largest accepted token, in bytes: nothing of a larger one is decoded.
   * @defaultValue 8192
   */
  readonly maxTokenBytes?: number | undefined;
  /**
   * How long fetched keys are used without asking again, in ms.
   * @defaultValue 600000
   */
  readonly jwksCacheMaxAgeMs?: number | undefined;
  /**
   * Shortest time between two fetches because of an unknown key id, in ms.
   * @defaultValue 30000: a rotated key is found soon, and a flood of invented key ids does no harm.
   */
  readonly jwksCooldownMs?: number | undefined;
  /**
   * How much longer cached keys are used while they cannot be fetched, in ms.
   * @defaultValue 3600000
   */
  readonly jwksStaleIfErrorMs?: number | undefined;
  /**
   * How long a fetch of keys may take, in ms.
   * @defaultValue 3000: within the time that the hub gives `authenticate`, so that a hanging address leaves some for older keys.
   */
  readonly jwksTimeoutMs?: number | undefined;
  /** Fetches the key set. @defaultValue the runtime's own */
  readonly fetch?: typeof fetch | undefined;
  readonly clock?: Clock | undefined;
}

/** Verifies tokens. */
export interface JwtVerifier {
  /**
   * Verifies a token.
   *
   * @throws `JwtError`; `retryable` is set when the keys could not be had, which says nothing about the token.
   */
  verify(token: string): Promise<Principal>;
}

const DEFAULTS = {
  issuer: '',
  audience: '',
  jwks: undefined,
  jwksUrl: undefined,
  getJwks: undefined,
  algorithms: ['ES256', 'EdDSA', 'RS256'],
  clockToleranceSeconds: 5,
  maxAgeSeconds: undefined,
  maxTokenBytes: 8_192,
  jwksCacheMaxAgeMs: 600_000,
  jwksCooldownMs: 30_000,
  jwksStaleIfErrorMs: 3_600_000,
  jwksTimeoutMs: 3_000,
  fetch: undefined,
  clock: systemClock,
} as const satisfies { [K in keyof Required<JwtVerifierOptions>]: JwtVerifierOptions[K] };

type Settings = { [K in keyof typeof DEFAULTS]: JwtVerifierOptions[K] } & {
  readonly clock: Clock;
  readonly maxTokenBytes: number;
  readonly jwksCacheMaxAgeMs: number;
  readonly jwksCooldownMs: number;
  readonly jwksStaleIfErrorMs: number;
  readonly jwksTimeoutMs: number;
};

/**
 * Creates a verifier. Nothing is fetched before the first token.
 *
 * @throws TypeError on options out of range; `JwtError` with `ERR_JWT_JWKS_INVALID` when `jwks` is no key set.
 */
export function createJwtVerifier(options: JwtVerifierOptions): JwtVerifier {
  const settings = resolveOptions<Settings>('createJwtVerifier', DEFAULTS as unknown as Settings, options, {
    issuer: check.text(),
    audience: textOrTexts,
    algorithms: (value) =>
      Array.isArray(value) && value.length > 0 && value.every((name) => JWT_ALGORITHMS.includes(name as JwtAlgorithm))
        ? undefined
        : `must list some of ${JWT_ALGORITHMS.join(', ')}`,
    jwksUrl: check.optional(secureUrl),
    getJwks: check.optional(check.function()),
    clockToleranceSeconds: check.integer(0, 600),
    maxAgeSeconds: check.optional(check.integer(1)),
    maxTokenBytes: check.integer(64, 1_048_576),
    jwksCacheMaxAgeMs: check.integer(0),
    jwksCooldownMs: check.integer(0),
    jwksStaleIfErrorMs: check.integer(0),
    jwksTimeoutMs: check.integer(1),
    fetch: check.optional(check.function()),
  });
  const { clock, maxTokenBytes, audience, maxAgeSeconds } = settings;
  const source = sourceOf(settings);
  const rules: JWTVerifyOptions = {
    issuer: settings.issuer as string,
    audience: typeof audience === 'string' ? audience : [...(audience as readonly string[])],
    algorithms: [...(settings.algorithms as readonly string[])],
    clockTolerance: settings.clockToleranceSeconds as number,
    requiredClaims: ['exp', 'sub'],
    ...(maxAgeSeconds === undefined ? {} : { maxTokenAge: maxAgeSeconds }),
  };

  return {
    async verify(token) {
      if (typeof token !== 'string' || token.length === 0) throw new JwtError('ERR_JWT_TOKEN_MALFORMED');
      // A UTF-16 unit is at least one byte: a longer string is a larger token.
      if (token.length > maxTokenBytes) throw new JwtError('ERR_JWT_TOKEN_TOO_LARGE');
      const currentDate = new Date(clock.wallTime());
      return toPrincipal(await verifyWith(source, token, { ...rules, currentDate }));
    },
  };
}

async function verifyWith(source: JwksSource, token: string, rules: JWTVerifyOptions): Promise<JWTPayload> {
  // The algorithm is judged by jose before the key is looked up, so a forbidden one fetches nothing.
  let used: KeyLookup | undefined;
  const attempt = async (lookup: () => Promise<KeyLookup>): Promise<JWTPayload> => {
    const { payload } = await jwtVerify(
      token,
      async (header, input) => {
        used = await lookup();
        return used(header, input);
      },
      rules,
    );
    return payload;
  };
  try {
    return await attempt(() => source.current());
  } catch (error) {
    if (codeOf(error) !== 'ERR_JWKS_NO_MATCHING_KEY' || used === undefined) throw toJwtError(error);
  }
  const newer = await source.refreshed(used).catch((error: unknown) => {
    throw toJwtError(error);
  });
  if (newer === undefined) throw new JwtError('ERR_JWT_KEY_UNKNOWN');
  try {
    return await attempt(async () => newer);
  } catch (error) {
    throw toJwtError(error);
  }
}

function toPrincipal({ sub, exp, roles }: JWTPayload): Principal {
  if (typeof sub !== 'string' || sub.length === 0)
    throw new JwtError('ERR_JWT_CLAIM_INVALID', { detail: 'Claim: sub.' });
  if (typeof exp !== 'number') throw new JwtError('ERR_JWT_CLAIM_INVALID', { detail: 'Claim: exp.' });
  if (roles !== undefined && !(Array.isArray(roles) && roles.every((role) => typeof role === 'string'))) {
    throw new JwtError('ERR_JWT_CLAIM_INVALID', { detail: 'Claim: roles.' });
  }
  return { userId: sub, roles: Object.freeze([...((roles as string[] | undefined) ?? [])]), expiresAt: exp * 1000 };
}

/** jose's codes and ours. What is not listed is a malformed token. */
const CODES: Readonly<Record<string, JwtErrorCode>> = {
  ERR_JOSE_ALG_NOT_ALLOWED: 'ERR_JWT_ALGORITHM_FORBIDDEN',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'ERR_JWT_SIGNATURE_INVALID',
  ERR_JWKS_NO_MATCHING_KEY: 'ERR_JWT_KEY_UNKNOWN',
  // Two keys fit a token without a key id: guessing is not verifying.
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'ERR_JWT_KEY_UNKNOWN',
  ERR_JWKS_INVALID: 'ERR_JWT_JWKS_INVALID',
  ERR_JWK_INVALID: 'ERR_JWT_JWKS_INVALID',
};

const CLAIMS: Readonly<Record<string, JwtErrorCode>> = {
  iss: 'ERR_JWT_ISSUER_MISMATCH',
  aud: 'ERR_JWT_AUDIENCE_MISMATCH',
  nbf: 'ERR_JWT_TOKEN_NOT_YET_VALID',
};

function toJwtError(error: unknown): JwtError {
  if (JwtError.is(error)) return error;
  const code = codeOf(error);
  const { claim, reason } = error as { claim?: unknown; reason?: unknown };
  // jose's errors of claims carry the payload: they are not passed on as the cause.
  if (code === 'ERR_JWT_EXPIRED') {
    return new JwtError(claim === 'iat' ? 'ERR_JWT_TOKEN_TOO_OLD' : 'ERR_JWT_TOKEN_EXPIRED');
  }
  if (code === 'ERR_JWT_CLAIM_VALIDATION_FAILED') {
    if (reason === 'check_failed' && claim === 'iat') return new JwtError('ERR_JWT_TOKEN_NOT_YET_VALID');
    const mismatch = reason === 'check_failed' || reason === 'missing' ? CLAIMS[String(claim)] : undefined;
    return new JwtError(
      mismatch ?? 'ERR_JWT_CLAIM_INVALID',
      mismatch === undefined ? { detail: `Claim: ${claim}.` } : {},
    );
  }
  const ours = CODES[code] ?? 'ERR_JWT_TOKEN_MALFORMED';
  return new JwtError(ours, { retryable: ours === 'ERR_JWT_JWKS_INVALID' });
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

function sourceOf(settings: Settings): JwksSource {
  const { jwks, jwksUrl, getJwks, clock } = settings;
  if ([jwks, jwksUrl, getJwks].filter((given) => given !== undefined).length !== 1) {
    throw new TypeError('createJwtVerifier: give exactly one of "jwks", "jwksUrl" and "getJwks"');
  }
  if (jwks !== undefined) return givenJwks(jwks as Jwks);
  const fetchImpl = (settings.fetch ?? fetch) as typeof fetch;
  const load =
    (getJwks as ((signal: AbortSignal) => Promise<unknown>) | undefined) ??
    ((signal: AbortSignal) => readJwks(jwksUrl as string, fetchImpl, signal));
  return fetchedJwks({
    load,
    cacheMaxAgeMs: settings.jwksCacheMaxAgeMs,
    cooldownMs: settings.jwksCooldownMs,
    staleIfErrorMs: settings.jwksStaleIfErrorMs,
    timeoutMs: settings.jwksTimeoutMs,
    clock,
  });
}

function textOrTexts(value: unknown): string | undefined {
  const texts = Array.isArray(value) ? value : [value];
  return texts.length > 0 && texts.every((text) => typeof text === 'string' && text.length > 0)
    ? undefined
    : 'must be a non-empty string or an array of them';
}

function secureUrl(value: unknown): string | undefined {
  const problem = 'must be an https URL, or http on this machine';
  if (typeof value !== 'string' || !URL.canParse(value)) return problem;
  const { protocol, hostname } = new URL(value);
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return protocol === 'https:' || (protocol === 'http:' && local) ? undefined : problem;
}
