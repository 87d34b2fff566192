/** Owns signing: tokens of an app that has no identity provider of its own, and the key set others verify them by. */
import { type Clock, check, messageOf, resolveOptions, systemClock } from '@guildkit/core';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import { JwtError } from '../errors.js';
import type { Jwk, Jwks, JwtSigningAlgorithm } from './keys.js';

/** Settings of {@link createJwtIssuer}. */
export interface JwtIssuerOptions {
  /** The `iss` claim: usually the app's address. */
  readonly issuer: string;
  /** The `aud` claim: who the tokens are for. */
  readonly audience: string;
  /** A private key to sign with, from {@link generatePrivateJwk}. Without it a fresh one is made, and every token ends with the process. */
  readonly privateJwk?: Jwk | undefined;
  /**
   * Keys of before, private or public: still published, so that what they signed is good until it expires. Take a key out
   * of here `expiresInSeconds` after it was replaced.
   */
  readonly formerJwks?: readonly Jwk[] | undefined;
  /**
   * Algorithm of a generated key; a given key decides for itself.
   * @defaultValue `'ES256'`: every JWT library knows it.
   */
  readonly algorithm?: JwtSigningAlgorithm | undefined;
  /**
   * How long a token lives, in seconds.
   * @defaultValue 900: a stolen token is soon worthless, and clients refresh in band.
   */
  readonly expiresInSeconds?: number | undefined;
  /**
   * How long the key set may be cached, in seconds.
   * @defaultValue 300
   */
  readonly jwksMaxAgeSeconds?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** Who a token is for. */
export interface JwtSubject {
  readonly userId: string;
  readonly roles?: readonly string[] | undefined;
  /** Shown name, as the `name` claim. */
  readonly name?: string | undefined;
}

/** A signed token. */
export interface SignedJwt {
  readonly token: string;
  /** Unix ms. */
  readonly expiresAt: number;
}

/** Signs tokens and publishes the key set. */
export interface JwtIssuer {
  /** Signs a token. */
  sign(subject: JwtSubject): Promise<SignedJwt>;
  /** The public keys: the one that signs, and those of before whose tokens may still be about. */
  jwks(): Jwks;
  /**
   * Signs with another key from now on. The former one stays published until the last token that it signed has expired.
   *
   * @param privateJwk Without it a fresh one is made.
   * @throws `JwtError` with `ERR_JWT_PRIVATE_KEY_INVALID`; the former key goes on then.
   */
  rotate(privateJwk?: Jwk): Promise<void>;
  /** Serves the key set with cache headers, for `GET /.well-known/jwks.json`. Never rejects. */
  handler(request: Request): Promise<Response>;
}

const DEFAULTS = {
  issuer: '',
  audience: '',
  privateJwk: undefined,
  formerJwks: [],
  algorithm: 'ES256',
  expiresInSeconds: 900,
  jwksMaxAgeSeconds: 300,
  clock: systemClock,
} as const satisfies Required<JwtIssuerOptions>;

/** A key that signed before. */
interface FormerKey {
  readonly publicJwk: Jwk;
  /** Unix ms. */
  readonly until: number;
}

const YEAR_SECONDS = 31_536_000;

/**
 * Creates an issuer.
 *
 * @throws TypeError on options out of range, `JwtError` with `ERR_JWT_PRIVATE_KEY_INVALID` on an unusable key.
 *
 * @example
 * ```ts
 * import { createJwtIssuer, createJwtVerifier } from '@guildkit/server-kit/jwt';
 *
 * const issuer = await createJwtIssuer({ issuer: 'https://app.example', audience: 'app' });
 * const { token } = await issuer.sign({ userId: '42', roles: ['chat:write'] });
 * const verifier = createJwtVerifier({ issuer: 'https://app.example', audience: 'app', jwks: issuer.jwks() });
 * const principal = await verifier.verify(token); // { userId: '42', roles: ['chat:write'], expiresAt }
 * ```
 */
export async function createJwtIssuer(options: JwtIssuerOptions): Promise<JwtIssuer> {
  const settings = resolveOptions<Required<JwtIssuerOptions>>('createJwtIssuer', DEFAULTS, options, {
    issuer: check.text(),
    audience: check.text(),
    algorithm: check.oneOf('ES256', 'EdDSA'),
    expiresInSeconds: check.integer(1, YEAR_SECONDS),
    jwksMaxAgeSeconds: check.integer(0, YEAR_SECONDS),
  });
  const {
    issuer,
    audience,
    clock = systemClock,
    expiresInSeconds = 900,
    jwksMaxAgeSeconds,
    formerJwks = [],
  } = settings;
  let signing = await loadKey(settings);
  /** Published beside the signing key, until then. */
  let former: readonly FormerKey[] = await Promise.all(
    formerJwks.map(async (jwk) => ({ publicJwk: await toPublicJwk(jwk), until: Number.POSITIVE_INFINITY })),
  );
  let published = publish();

  function publish(): { readonly keySet: Jwks; readonly body: string; readonly headers: Record<string, string> } {
    const others = former.filter(({ publicJwk }) => publicJwk.kid !== signing.kid).map(({ publicJwk }) => publicJwk);
    const keySet: Jwks = Object.freeze({ keys: Object.freeze([signing.publicJwk, ...others]) });
    // Thumbprints name the content of the keys, so together they name the set's.
    const etag = `"${keySet.keys.map(({ kid }) => kid).join('.')}"`;
    const headers = { 'cache-control': `public, max-age=${jwksMaxAgeSeconds}`, etag };
    return { keySet, body: JSON.stringify(keySet), headers };
  }

  function current(): typeof published {
    const now = clock.wallTime();
    if (former.some(({ until }) => until <= now)) {
      former = former.filter(({ until }) => until > now);
      published = publish();
    }
    return published;
  }

  return {
    async sign({ userId, roles = [], name }) {
      if (typeof userId !== 'string' || userId.length === 0)
        throw new TypeError('sign: userId must be a non-empty string');
      const { key, kid, algorithm } = signing;
      const issuedAt = Math.floor(clock.wallTime() / 1000);
      const token = await new SignJWT({ roles: [...roles], ...(name === undefined ? {} : { name }) })
        .setProtectedHeader({ alg: algorithm, kid, typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userId)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + expiresInSeconds)
        .sign(key);
      return { token, expiresAt: (issuedAt + expiresInSeconds) * 1000 };
    },
    jwks: () => current().keySet,
    async rotate(privateJwk) {
      const next = await loadKey({ ...settings, privateJwk });
      const until = clock.wallTime() + expiresInSeconds * 1000;
      former = [...former, { publicJwk: signing.publicJwk, until }];
      signing = next;
      published = publish();
    },
    async handler(request) {
      const { headers, body } = current();
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return new Response(null, { status: 405, headers: { allow: 'GET, HEAD' } });
      }
      if (request.headers.get('if-none-match') === headers.etag) return new Response(null, { status: 304, headers });
      return new Response(request.method === 'HEAD' ? null : body, {
        // RFC 7517, section 8.5.2.
        headers: { ...headers, 'content-type': 'application/jwk-set+json' },
      });
    },
  };
}

/**
 * Makes a private key to keep, for instance as `JWT_PRIVATE_JWK`. Whoever has it can sign as the app.
 */
export async function generatePrivateJwk(algorithm: JwtSigningAlgorithm = 'ES256'): Promise<Jwk> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, kty: jwk.kty as string, alg: algorithm, kid: await calculateJwkThumbprint(jwk) };
}

/** The public members of the two key types (RFC 7518, section 6.2.1; RFC 8037, section 2): `d` never gets out. */
const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y'] as const;

async function loadKey({ privateJwk, algorithm: wanted }: JwtIssuerOptions) {
  const jwk = privateJwk ?? (await generatePrivateJwk(wanted));
  const algorithm = algorithmOf(jwk);
  if (algorithm === undefined || typeof jwk.d !== 'string') throw new JwtError('ERR_JWT_PRIVATE_KEY_INVALID');
  try {
    const key = await importJWK({ ...jwk, alg: algorithm } as Parameters<typeof importJWK>[0], algorithm);
    const publicJwk = await toPublicJwk(jwk);
    return { key, publicJwk, algorithm, kid: publicJwk.kid as string };
  } catch (cause) {
    // The cause may quote the key: only its message, which jose and WebCrypto keep free of key material, is passed on.
    throw new JwtError('ERR_JWT_PRIVATE_KEY_INVALID', { detail: messageOf(cause) });
  }
}

/** The public half of a key, named by its thumbprint (RFC 7638). */
async function toPublicJwk(jwk: Jwk): Promise<Jwk> {
  const alg = algorithmOf(jwk);
  if (alg === undefined) throw new JwtError('ERR_JWT_PRIVATE_KEY_INVALID');
  const members = PUBLIC_MEMBERS.flatMap((name) => (jwk[name] === undefined ? [] : [[name, jwk[name]] as const]));
  const bare = Object.fromEntries(members);
  const kid = await calculateJwkThumbprint(bare as Parameters<typeof calculateJwkThumbprint>[0]);
  return Object.freeze({ ...bare, kty: jwk.kty, kid, alg, use: 'sig' });
}

function algorithmOf({ kty, crv }: Jwk & { readonly crv?: unknown }): JwtSigningAlgorithm | undefined {
  if (kty === 'EC' && crv === 'P-256') return 'ES256';
  if (kty === 'OKP' && crv === 'Ed25519') return 'EdDSA';
  return undefined;
}
