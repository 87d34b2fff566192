/** Tokens: what is accepted, and every way of forging one. */
import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey, sign as signBytes } from 'node:crypto';
import {
  createJwtIssuer,
  createJwtVerifier,
  generatePrivateJwk,
  type Jwks,
  JwtError,
  type JwtErrorCode,
  type JwtVerifierOptions,
} from '@guildkit/server-kit/jwt';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

const ISSUER = 'https://app.example';
const AUDIENCE = 'app';
const NOW = Date.UTC(2026, 0, 1) / 1000;

const b64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = { ...(keys.publicKey.export({ format: 'jwk' }) as { kty: string }), kid: 'ec', alg: 'ES256', use: 'sig' };
const rsaJwk = { ...(rsa.publicKey.export({ format: 'jwk' }) as { kty: string }), kid: 'rsa', use: 'sig' };
const jwks: Jwks = { keys: [jwk, rsaJwk] };

const CLAIMS = { iss: ISSUER, aud: AUDIENCE, sub: '42', exp: NOW + 60, iat: NOW, roles: ['chat:write'] };

/** A token of whatever header and claims, signed as ES256 unless told otherwise. */
function forge(
  claims: Record<string, unknown> = CLAIMS,
  header: Record<string, unknown> = { alg: 'ES256', kid: 'ec' },
  sign: (input: string) => Buffer = (input) =>
    signBytes('sha256', Buffer.from(input), { key: keys.privateKey, dsaEncoding: 'ieee-p1363' }),
): string {
  const input = `${b64(header)}.${b64(claims)}`;
  return `${input}.${sign(input).toString('base64url')}`;
}

const verifierOf = (options: Partial<JwtVerifierOptions> = {}) =>
  createJwtVerifier({ issuer: ISSUER, audience: AUDIENCE, jwks, clock: createVirtualClock(), ...options });

async function codeOf(work: Promise<unknown>): Promise<JwtErrorCode | 'accepted'> {
  try {
    await work;
    return 'accepted';
  } catch (error) {
    if (!JwtError.is(error)) throw error;
    return error.code;
  }
}

describe('a good token', () => {
  it('gives the principal', async () => {
    expect(await verifierOf().verify(forge())).toEqual({
      userId: '42',
      roles: ['chat:write'],
      expiresAt: (NOW + 60) * 1000,
    });
    const { roles: _, ...rest } = CLAIMS;
    expect((await verifierOf().verify(forge(rest))).roles).toEqual([]);
    expect((await verifierOf().verify(forge({ ...CLAIMS, aud: ['x', AUDIENCE] }))).userId).toBe('42');
  });

  it('may be signed with any listed algorithm', async () => {
    const token = forge(CLAIMS, { alg: 'RS256', kid: 'rsa' }, (input) =>
      signBytes('sha256', Buffer.from(input), rsa.privateKey),
    );
    expect(await codeOf(verifierOf().verify(token))).toBe('accepted');
    expect(await codeOf(verifierOf({ algorithms: ['ES256'] }).verify(token))).toBe('ERR_JWT_ALGORITHM_FORBIDDEN');
  });
});

describe('a bad token', () => {
  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
  const hs = (secret: string | Buffer) => (input: string) => createHmac('sha256', secret).update(input).digest();
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ownKey = (input: string) =>
    signBytes('sha256', Buffer.from(input), { key: stranger.privateKey, dsaEncoding: 'ieee-p1363' });
  const tampered = () => {
    const [head, , signature] = forge().split('.');
    return `${head}.${b64({ ...CLAIMS, sub: '1' })}.${signature}`;
  };

  const ATTACKS: Record<string, [token: () => string, code: JwtErrorCode]> = {
    'alg none': [() => `${b64({ alg: 'none' })}.${b64(CLAIMS)}.`, 'ERR_JWT_ALGORITHM_FORBIDDEN'],
    'alg None': [() => `${b64({ alg: 'None' })}.${b64(CLAIMS)}.`, 'ERR_JWT_ALGORITHM_FORBIDDEN'],
    'no signature': [() => `${forge().split('.').slice(0, 2).join('.')}.`, 'ERR_JWT_SIGNATURE_INVALID'],
    'HMAC with the public key': [
      () => forge(CLAIMS, { alg: 'HS256', kid: 'rsa' }, hs(pem)),
      'ERR_JWT_ALGORITHM_FORBIDDEN',
    ],
    'HMAC with the key’s JSON': [
      () => forge(CLAIMS, { alg: 'HS256', kid: 'ec' }, hs(JSON.stringify(jwk))),
      'ERR_JWT_ALGORITHM_FORBIDDEN',
    ],
    'the right key id, another key': [
      () => forge(CLAIMS, { alg: 'ES256', kid: 'ec' }, ownKey),
      'ERR_JWT_SIGNATURE_INVALID',
    ],
    'its own key in the header': [
      () => forge(CLAIMS, { alg: 'ES256', kid: 'ec', jwk: stranger.publicKey.export({ format: 'jwk' }) }, ownKey),
      'ERR_JWT_SIGNATURE_INVALID',
    ],
    'an address of keys in the header': [
      () => forge(CLAIMS, { alg: 'ES256', kid: 'mine', jku: 'https://evil.example/jwks' }, ownKey),
      'ERR_JWT_KEY_UNKNOWN',
    ],
    'a key id with a path': [() => forge(CLAIMS, { alg: 'ES256', kid: '../../dev/null' }), 'ERR_JWT_KEY_UNKNOWN'],
    'an EC key used as RSA': [() => forge(CLAIMS, { alg: 'RS256', kid: 'ec' }), 'ERR_JWT_KEY_UNKNOWN'],
    'a critical header nobody knows': [
      () => forge(CLAIMS, { alg: 'ES256', kid: 'ec', crit: ['x'], x: 1 }),
      'ERR_JWT_TOKEN_MALFORMED',
    ],
    'altered claims': [tampered, 'ERR_JWT_SIGNATURE_INVALID'],
    'another audience': [() => forge({ ...CLAIMS, aud: 'other' }), 'ERR_JWT_AUDIENCE_MISMATCH'],
    'no audience': [() => forge({ ...CLAIMS, aud: undefined }), 'ERR_JWT_AUDIENCE_MISMATCH'],
    'another issuer': [() => forge({ ...CLAIMS, iss: `${ISSUER}/` }), 'ERR_JWT_ISSUER_MISMATCH'],
    'no issuer': [() => forge({ ...CLAIMS, iss: undefined }), 'ERR_JWT_ISSUER_MISMATCH'],
    expired: [() => forge({ ...CLAIMS, exp: NOW - 6 }), 'ERR_JWT_TOKEN_EXPIRED'],
    'without an end': [() => forge({ ...CLAIMS, exp: undefined }), 'ERR_JWT_CLAIM_INVALID'],
    'an end that is text': [() => forge({ ...CLAIMS, exp: '9999999999' }), 'ERR_JWT_CLAIM_INVALID'],
    'not yet valid': [() => forge({ ...CLAIMS, nbf: NOW + 6 }), 'ERR_JWT_TOKEN_NOT_YET_VALID'],
    'without a subject': [() => forge({ ...CLAIMS, sub: undefined }), 'ERR_JWT_CLAIM_INVALID'],
    'an empty subject': [() => forge({ ...CLAIMS, sub: '' }), 'ERR_JWT_CLAIM_INVALID'],
    'a subject that is a number': [() => forge({ ...CLAIMS, sub: 42 }), 'ERR_JWT_CLAIM_INVALID'],
    'roles that are text': [() => forge({ ...CLAIMS, roles: 'admin' }), 'ERR_JWT_CLAIM_INVALID'],
    'roles that are objects': [() => forge({ ...CLAIMS, roles: [{}] }), 'ERR_JWT_CLAIM_INVALID'],
    'too large': [() => forge({ ...CLAIMS, name: 'x'.repeat(9_000) }), 'ERR_JWT_TOKEN_TOO_LARGE'],
    empty: [() => '', 'ERR_JWT_TOKEN_MALFORMED'],
    'two parts': [() => 'a.b', 'ERR_JWT_TOKEN_MALFORMED'],
    'five parts, as if encrypted': [() => 'a.b.c.d.e', 'ERR_JWT_TOKEN_MALFORMED'],
    'claims that are no object': [() => forge([] as never), 'ERR_JWT_TOKEN_MALFORMED'],
    'no string': [() => ({ toString: () => forge() }) as never, 'ERR_JWT_TOKEN_MALFORMED'],
  };

  for (const [name, [token, code]] of Object.entries(ATTACKS)) {
    it(`is refused: ${name}`, async () => {
      expect(await codeOf(verifierOf().verify(token()))).toBe(code);
    });
  }

  it('is refused by its age, if that is asked', async () => {
    const old = forge({ ...CLAIMS, iat: NOW - 100 });
    expect(await codeOf(verifierOf().verify(old))).toBe('accepted');
    expect(await codeOf(verifierOf({ maxAgeSeconds: 60 }).verify(old))).toBe('ERR_JWT_TOKEN_TOO_OLD');
    const future = forge({ ...CLAIMS, iat: NOW + 100 });
    expect(await codeOf(verifierOf({ maxAgeSeconds: 60 }).verify(future))).toBe('ERR_JWT_TOKEN_NOT_YET_VALID');
    const ageless = forge({ ...CLAIMS, iat: undefined });
    expect(await codeOf(verifierOf({ maxAgeSeconds: 60 }).verify(ageless))).toBe('ERR_JWT_CLAIM_INVALID');
  });

  it('is refused as time goes on, within the tolerance', async () => {
    const clock = createVirtualClock();
    const verifier = verifierOf({ clock, clockToleranceSeconds: 10 });
    clock.jumpWall(69_000);
    expect(await codeOf(verifier.verify(forge()))).toBe('accepted');
    clock.jumpWall(2_000);
    expect(await codeOf(verifier.verify(forge()))).toBe('ERR_JWT_TOKEN_EXPIRED');
  });

  it('never passes and never throws anything but a JwtError, whatever its bytes', async () => {
    const verifier = verifierOf();
    const good = forge();
    const pieces = fc.oneof(
      fc.string(),
      fc.base64String().map((text) => text.replaceAll('=', '')),
      fc.json().map(b64),
    );
    const garbage = fc.oneof(
      fc.string(),
      fc.tuple(pieces, pieces, pieces).map((parts) => parts.join('.')),
      // A good token with one character changed, or cut short. The last character's low bits do not count: left alone.
      fc
        .tuple(fc.nat(good.length - 2), fc.constantFrom(...'AZaz09-_.'))
        .map(([at, char]) => good.slice(0, at) + char + good.slice(at + 1)),
      fc.nat(good.length - 1).map((length) => good.slice(0, length)),
    );
    await fc.assert(
      fc.asyncProperty(garbage, async (token) => {
        fc.pre(token !== good);
        expect(await codeOf(verifier.verify(token))).not.toBe('accepted');
      }),
      { numRuns: 1_000 },
    );
  });

  it('leaves no part of itself in the error', async () => {
    const token = forge({ ...CLAIMS, iss: 'evil', secret: 'hunter2hunter2' });
    const error = (await verifierOf()
      .verify(token)
      .catch((reason: unknown) => reason)) as Error;
    const shown = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
    expect(shown).not.toContain('hunter2');
    expect(shown).not.toContain(token.split('.')[1]);
  });
});

describe('options', () => {
  it('cannot name an algorithm that a public key would break', () => {
    for (const algorithm of ['HS256', 'none', 'HS512', '']) {
      expect(() => verifierOf({ algorithms: [algorithm as never] })).toThrow(TypeError);
    }
    expect(() => verifierOf({ algorithms: [] })).toThrow(TypeError);
  });

  it('name exactly one source of keys, over a safe way', () => {
    expect(() => verifierOf({ jwks: undefined })).toThrow('exactly one');
    expect(() => verifierOf({ jwksUrl: 'https://a.example/jwks' })).toThrow('exactly one');
    for (const jwksUrl of ['http://a.example/jwks', 'ftp://a', 'jwks', 'file:///etc/passwd']) {
      expect(() => verifierOf({ jwks: undefined, jwksUrl })).toThrow('https');
    }
    expect(() => verifierOf({ jwks: {} as never })).toThrow(JwtError);
    expect(() => verifierOf({ issuer: '' })).toThrow(TypeError);
    expect(() => verifierOf({ audience: [] })).toThrow(TypeError);
  });

  it('refuse a key set that holds a private or a shared key', async () => {
    const priv = { ...(keys.privateKey.export({ format: 'jwk' }) as { kty: string }), kid: 'ec', alg: 'ES256' };
    expect(await codeOf(verifierOf({ jwks: { keys: [priv] } }).verify(forge()))).toBe('ERR_JWT_JWKS_INVALID');
    const oct = { kty: 'oct', k: b64('x'.repeat(32)), kid: 'oct', alg: 'HS256' };
    const token = forge(CLAIMS, { alg: 'HS256', kid: 'oct' }, (input) =>
      createHmac('sha256', 'x'.repeat(32)).update(input).digest(),
    );
    expect(await codeOf(verifierOf({ jwks: { keys: [oct] } }).verify(token))).toBe('ERR_JWT_ALGORITHM_FORBIDDEN');
  });
});

describe('an issuer', () => {
  for (const algorithm of ['ES256', 'EdDSA'] as const) {
    it(`signs with ${algorithm} what its key set verifies`, async () => {
      const clock = createVirtualClock();
      const issuer = await createJwtIssuer({
        issuer: ISSUER,
        audience: AUDIENCE,
        algorithm,
        expiresInSeconds: 30,
        clock,
      });
      const { token, expiresAt } = await issuer.sign({ userId: '7', roles: ['a'], name: 'Eve' });
      expect(expiresAt).toBe((NOW + 30) * 1000);
      const verifier = verifierOf({ jwks: issuer.jwks(), clock });
      expect(await verifier.verify(token)).toEqual({ userId: '7', roles: ['a'], expiresAt });
      const [head, body] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
      expect(JSON.parse(head as string)).toEqual({ alg: algorithm, kid: issuer.jwks().keys[0]?.kid, typ: 'JWT' });
      expect(JSON.parse(body as string)).toMatchObject({ name: 'Eve', sub: '7', iat: NOW });
      clock.jumpWall(40_000);
      expect(await codeOf(verifier.verify(token))).toBe('ERR_JWT_TOKEN_EXPIRED');
    });
  }

  it('keeps its identity with a given key, names it by its thumbprint, and shows only the public half', async () => {
    const privateJwk = await generatePrivateJwk();
    const [one, two] = await Promise.all([
      createJwtIssuer({ issuer: ISSUER, audience: AUDIENCE, privateJwk }),
      createJwtIssuer({ issuer: ISSUER, audience: AUDIENCE, privateJwk: { ...privateJwk, kid: 'other' } }),
    ]);
    expect(one.jwks()).toEqual(two.jwks());
    expect(one.jwks().keys[0]?.kid).toBe(privateJwk.kid);
    expect(JSON.stringify(one.jwks())).not.toContain(privateJwk.d as string);
    expect(createPublicKey({ key: one.jwks().keys[0] as JsonWebKey, format: 'jwk' }).asymmetricKeyType).toBe('ec');
  });

  it('refuses keys it cannot sign with, and does not quote them', async () => {
    const priv = await generatePrivateJwk();
    const bad = [
      { kty: 'oct', k: 'c2VjcmV0c2VjcmV0' },
      { ...priv, d: undefined },
      { ...priv, d: 'c2VjcmV0c2VjcmV0' },
      { ...priv, crv: 'P-384' },
    ];
    for (const privateJwk of bad) {
      const error = await createJwtIssuer({ issuer: ISSUER, audience: AUDIENCE, privateJwk }).catch(
        (reason: unknown) => reason,
      );
      expect(JwtError.is(error) && error.code).toBe('ERR_JWT_PRIVATE_KEY_INVALID');
      expect((error as Error).message).not.toContain('c2VjcmV0');
    }
    await expect(createJwtIssuer({ issuer: '', audience: 'a' })).rejects.toThrow(TypeError);
    await expect(createJwtIssuer({ issuer: 'a', audience: 'a', algorithm: 'HS256' as never })).rejects.toThrow(
      TypeError,
    );
  });

  it('serves its key set with cache headers', async () => {
    const issuer = await createJwtIssuer({ issuer: ISSUER, audience: AUDIENCE, jwksMaxAgeSeconds: 60 });
    const url = 'https://app.example/.well-known/jwks.json';
    const response = await issuer.handler(new Request(url));
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('public, max-age=60');
    expect(response.headers.get('content-type')).toBe('application/jwk-set+json');
    expect(await response.json()).toEqual(issuer.jwks());
    const etag = response.headers.get('etag') as string;
    const same = await issuer.handler(new Request(url, { headers: { 'if-none-match': etag } }));
    expect([same.status, await same.text()]).toEqual([304, '']);
    const head = await issuer.handler(new Request(url, { method: 'HEAD' }));
    expect([head.status, await head.text()]).toEqual([200, '']);
    const post = await issuer.handler(new Request(url, { method: 'POST' }));
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});

describe('fetched keys', () => {
  const clock = createVirtualClock();
  let current: { issuer: Awaited<ReturnType<typeof createJwtIssuer>>; token: string };
  const rotate = async () => {
    const issuer = await createJwtIssuer({ issuer: ISSUER, audience: AUDIENCE, clock, expiresInSeconds: 86_400 });
    current = { issuer, token: (await issuer.sign({ userId: '1' })).token };
  };
  beforeAll(rotate);

  function setup(options: Partial<JwtVerifierOptions> = {}) {
    const calls = { count: 0, fail: false };
    const verifier = verifierOf({
      jwks: undefined,
      clock,
      getJwks: async () => {
        calls.count += 1;
        if (calls.fail) throw new Error('down');
        return current.issuer.jwks();
      },
      ...options,
    });
    return { verifier, calls };
  }

  it('are fetched once for many tokens at once, and again when they are old', async () => {
    const { verifier, calls } = setup({ jwksCacheMaxAgeMs: 1_000 });
    expect(calls.count).toBe(0);
    await Promise.all(Array.from({ length: 20 }, () => verifier.verify(current.token)));
    expect(calls.count).toBe(1);
    await clock.advance(999);
    await verifier.verify(current.token);
    expect(calls.count).toBe(1);
    await clock.advance(1);
    await Promise.all([verifier.verify(current.token), verifier.verify(current.token)]);
    expect(calls.count).toBe(2);
  });

  it('are fetched anew for an unknown key id, but not more often than the cooldown', async () => {
    const { verifier, calls } = setup();
    const before = current.token;
    await verifier.verify(before);
    await rotate();
    expect(await codeOf(verifier.verify(current.token))).toBe('ERR_JWT_KEY_UNKNOWN');
    await clock.advance(30_000);
    const many = await Promise.all(Array.from({ length: 20 }, () => codeOf(verifier.verify(current.token))));
    expect(new Set(many)).toEqual(new Set(['accepted']));
    expect(calls.count).toBe(2);
    expect(await codeOf(verifier.verify(before))).toBe('ERR_JWT_KEY_UNKNOWN');
    for (let n = 0; n < 50; n += 1) {
      const token = forge(CLAIMS, { alg: 'ES256', kid: `made up ${n}` });
      expect(await codeOf(verifier.verify(token))).toBe('ERR_JWT_KEY_UNKNOWN');
    }
    expect(calls.count).toBe(2);
  });

  it('are not fetched for a forbidden algorithm or for garbage', async () => {
    const { verifier, calls } = setup();
    for (const token of [`${b64({ alg: 'none' })}.${b64(CLAIMS)}.`, 'a.b.c', '', forge(CLAIMS, { alg: 'HS256' })]) {
      expect(await codeOf(verifier.verify(token))).not.toBe('accepted');
    }
    expect(calls.count).toBe(0);
  });

  it('outlive an outage of their address for a while', async () => {
    const { verifier, calls } = setup({ jwksCacheMaxAgeMs: 1_000, jwksStaleIfErrorMs: 10_000 });
    await verifier.verify(current.token);
    calls.fail = true;
    await clock.advance(5_000);
    expect(await codeOf(verifier.verify(current.token))).toBe('accepted');
    // A flood during the outage asks the address once a second.
    for (let n = 0; n < 20; n += 1) await verifier.verify(current.token);
    expect(calls.count).toBe(2);
    await clock.advance(6_000);
    const error = (await verifier.verify(current.token).catch((reason: unknown) => reason)) as JwtError;
    expect([error.code, error.retryable]).toEqual(['ERR_JWT_JWKS_UNAVAILABLE', true]);
    calls.fail = false;
    await clock.advance(1_000);
    expect(await codeOf(verifier.verify(current.token))).toBe('accepted');
  });

  it('that never came are an outage, not a verdict, and are tried again after a second', async () => {
    const { verifier, calls } = setup();
    calls.fail = true;
    for (let n = 0; n < 5; n += 1)
      expect(await codeOf(verifier.verify(current.token))).toBe('ERR_JWT_JWKS_UNAVAILABLE');
    expect(calls.count).toBe(1);
    calls.fail = false;
    await clock.advance(1_000);
    expect(await codeOf(verifier.verify(current.token))).toBe('accepted');
  });

  it('that do not come in time are an outage', async () => {
    let aborted = false;
    const verifier = verifierOf({
      jwks: undefined,
      clock,
      getJwks: (signal) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            aborted = true;
          });
        }),
    });
    const verdict = codeOf(verifier.verify(current.token));
    await clock.advance(2_999);
    expect(aborted).toBe(false);
    await clock.advance(1);
    expect(await verdict).toBe('ERR_JWT_JWKS_UNAVAILABLE');
    expect(aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('come over HTTP with a bound, and neither redirects nor errors are followed', async () => {
    const answers: Record<string, () => Response> = {
      good: () => Response.json(current.issuer.jwks()),
      teapot: () => new Response('no', { status: 418 }),
      text: () => new Response('<html>'),
      wrong: () => Response.json({ keys: 'none' }),
      huge: () => new Response('x'.repeat(300_000)),
    };
    let init: RequestInit | undefined;
    const over = (path: string) =>
      verifierOf({
        jwks: undefined,
        clock,
        jwksUrl: `https://id.example/${path}`,
        fetch: async (_, given) => {
          init = given;
          return (answers[path] as () => Response)();
        },
      });
    expect(await codeOf(over('good').verify(current.token))).toBe('accepted');
    expect(init?.redirect).toBe('error');
    expect(await codeOf(over('teapot').verify(current.token))).toBe('ERR_JWT_JWKS_UNAVAILABLE');
    for (const path of ['text', 'wrong', 'huge']) {
      const error = (await over(path)
        .verify(current.token)
        .catch((reason: unknown) => reason)) as JwtError;
      expect([error.code, error.retryable]).toEqual(['ERR_JWT_JWKS_INVALID', true]);
    }
  });
});
