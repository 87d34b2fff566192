/** Tokens in front of a handler, and keys that change: attacks are refused with the right status, counted and logged. */
import { generateKeyPairSync } from 'node:crypto';
import {
  createJwtGuard,
  createJwtIssuer,
  createJwtVerifier,
  generatePrivateJwk,
  type JwtErrorCode,
  type JwtIssuerOptions,
} from '@guildkit/server-kit/jwt';
import { createVirtualClock } from '@guildkit/testkit';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { keepingLogger } from '../support/log-lines.js';

const NAMES = { issuer: 'https://app.example', audience: 'app' };

async function subject(options: Partial<JwtIssuerOptions> = {}) {
  const clock = createVirtualClock();
  const logger = keepingLogger();
  const issuer = await createJwtIssuer({ ...NAMES, clock, ...options });
  const keys = { fetches: 0, down: false };
  const verifier = createJwtVerifier({
    ...NAMES,
    clock,
    getJwks: async () => {
      keys.fetches += 1;
      if (keys.down) throw new Error('connect ECONNREFUSED 10.1.2.3:443');
      return issuer.jwks();
    },
  });
  const guard = createJwtGuard({ verifier, logger });
  const handler = guard.protect(async (_request, { principal }) => Response.json(principal.userId), {
    roles: ['chat:write'],
  });
  const ask = (authorization?: string) =>
    handler(new Request('https://app.example/api', authorization === undefined ? {} : { headers: { authorization } }));
  return { clock, logger, issuer, keys, guard, ask, verifier };
}

describe('guard', () => {
  it('lets good tokens through, with their principal', async () => {
    const { issuer, ask, guard } = await subject();
    const { token } = await issuer.sign({ userId: '42', roles: ['chat:write', 'other'] });
    const answer = await ask(`Bearer ${token}`);
    expect([answer.status, await answer.json()]).toEqual([200, '42']);
    expect((await ask(`bearer  ${token}`)).status).toBe(200);
    expect(guard.stats()).toEqual({ accepted: 2, missing: 0, forbidden: 0, refused: {} });
  });

  it('answers 401 without a token, 403 without the role, as RFC 6750 has it', async () => {
    const { issuer, ask, guard } = await subject();
    for (const header of [undefined, '', 'Bearer', 'Bearer ', 'Basic abc', 'Bearer a, Bearer b', 'Bearer a b', 'abc']) {
      const answer = await ask(header);
      expect([answer.status, answer.headers.get('www-authenticate')], header).toEqual([401, 'Bearer']);
    }
    const { token } = await issuer.sign({ userId: '42', roles: ['chat:read'] });
    const answer = await ask(`Bearer ${token}`);
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([403, 'Bearer error="insufficient_scope"']);
    expect(guard.stats()).toMatchObject({ accepted: 0, missing: 8, forbidden: 1 });
  });

  it('refuses attacks with 401, counted and logged, the token in neither', async () => {
    const { issuer, ask, guard, logger, clock, keys } = await subject();
    const at = Math.floor(clock.wallTime() / 1000);
    const { token } = await issuer.sign({ userId: '42', roles: ['chat:write'] });
    const [head = '', body = '', signature = ''] = token.split('.');
    const { kid } = issuer.jwks().keys[0] as { kid: string };
    const claims = { iss: NAMES.issuer, aud: NAMES.audience, sub: '42', roles: ['chat:write'], exp: at + 60 };
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = (header: object) =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg: 'ES256', ...header }).sign(other.privateKey);
    // The public key taken for a shared secret.
    const confused = await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'HS256', kid })
      .sign(new TextEncoder().encode(JSON.stringify(issuer.jwks().keys[0])));
    const attacks: [string, string, JwtErrorCode][] = [
      ['alg none', new UnsecuredJWT({ ...claims }).encode().replace(/\.$/, '.x'), 'ERR_JWT_ALGORITHM_FORBIDDEN'],
      ['alg none, signed', `${part({ alg: 'none', kid })}.${body}.${signature}`, 'ERR_JWT_ALGORITHM_FORBIDDEN'],
      ['key confusion', confused, 'ERR_JWT_ALGORITHM_FORBIDDEN'],
      ['another key under the right id', await signed({ kid }), 'ERR_JWT_SIGNATURE_INVALID'],
      ['an unknown id', await signed({ kid: 'unknown' }), 'ERR_JWT_KEY_UNKNOWN'],
      ['an id that is a path', await signed({ kid: '../../../dev/null' }), 'ERR_JWT_KEY_UNKNOWN'],
      ['an id that is SQL', await signed({ kid: "' OR 1=1 --" }), 'ERR_JWT_KEY_UNKNOWN'],
      [
        'a key of its own',
        await signed({ kid, jwk: other.publicKey.export({ format: 'jwk' }) }),
        'ERR_JWT_SIGNATURE_INVALID',
      ],
      ['a key set of its own', await signed({ kid, jku: 'https://evil.example/jwks' }), 'ERR_JWT_SIGNATURE_INVALID'],
      ['altered claims', `${head}.${part({ ...claims, sub: '1' })}.${signature}`, 'ERR_JWT_SIGNATURE_INVALID'],
      [
        'for someone else',
        (await (await createJwtIssuer({ ...NAMES, audience: 'other', clock })).sign({ userId: '42' })).token,
        'ERR_JWT_KEY_UNKNOWN',
      ],
      ['too large', 'a'.repeat(9_000), 'ERR_JWT_TOKEN_TOO_LARGE'],
      ['garbage', 'a.b.c', 'ERR_JWT_TOKEN_MALFORMED'],
    ];
    for (const [name, attack, code] of attacks) {
      const answer = await ask(`Bearer ${attack}`);
      expect([answer.status, answer.headers.get('www-authenticate')], name).toEqual([
        401,
        'Bearer error="invalid_token"',
      ]);
      expect(((await answer.json()) as { error: { code: string } }).error.code, name).toBe(code);
    }
    const counted = Object.values(guard.stats().refused).reduce((sum, n) => sum + n, 0);
    expect(counted).toBe(attacks.length);
    expect(logger.of('warn').map(({ fields }) => fields.code)).toEqual(attacks.map(([, , code]) => code));
    expect(JSON.stringify(logger.lines)).not.toContain(signature);
    // However many unknown ids: the address was asked once.
    expect(keys.fetches).toBe(1);
    await clock.advance(910_000);
    expect((await ask(`Bearer ${token}`)).status).toBe(401);
    expect(guard.stats().refused.ERR_JWT_TOKEN_EXPIRED).toBe(1);
  });

  it('says 502 while keys cannot be had, under a flood asks once a second, and says nothing of the inside', async () => {
    const { issuer, ask, keys, clock, logger } = await subject();
    const { token } = await issuer.sign({ userId: '42', roles: ['chat:write'] });
    keys.down = true;
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask(`Bearer ${token}`)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([502]));
    expect(await (answers[0] as Response).text()).not.toContain('10.1.2.3');
    expect(keys.fetches).toBe(1);
    await clock.advance(1_000);
    await Promise.all(Array.from({ length: 200 }, () => ask(`Bearer ${token}`)));
    expect(keys.fetches).toBe(2);
    expect(JSON.stringify(logger.of('error'))).toContain('10.1.2.3');
    keys.down = false;
    await clock.advance(1_000);
    expect((await ask(`Bearer ${token}`)).status).toBe(200);
  });

  it('passes on what is no verdict on a token', async () => {
    const failing = createJwtGuard({ verifier: { verify: () => Promise.reject(new RangeError('a bug')) } });
    const handler = failing.protect(() => new Response());
    await expect(handler(new Request('https://a.example', { headers: { authorization: 'Bearer a' } }))).rejects.toThrow(
      'a bug',
    );
  });
});

describe('rotation', () => {
  it('signs with the new key at once; what the old one signed is good until it expires', async () => {
    const { issuer, ask, clock, keys } = await subject({ expiresInSeconds: 600 });
    const sign = async () => `Bearer ${(await issuer.sign({ userId: '42', roles: ['chat:write'] })).token}`;
    const old = await sign();
    expect((await ask(old)).status).toBe(200);
    const before = issuer.jwks().keys[0]?.kid;
    await issuer.rotate();
    expect(issuer.jwks().keys.map(({ kid }) => kid)).toEqual([expect.not.stringMatching(before ?? ''), before]);
    expect(issuer.jwks().keys.some((key) => 'd' in key)).toBe(false);
    // The verifier has the old set: within the cooldown a new key is unknown.
    const fresh = await sign();
    expect((await ask(fresh)).status).toBe(401);
    await clock.advance(30_000);
    expect((await ask(fresh)).status).toBe(200);
    expect((await ask(old)).status).toBe(200);
    expect(keys.fetches).toBe(2);
    await clock.advance(600_000);
    expect(issuer.jwks().keys).toHaveLength(1);
    expect((await ask(old)).status).toBe(401);
  });

  it('publishes keys of before that it is given, as public ones, and names the set anew', async () => {
    const [former, next] = [await generatePrivateJwk(), await generatePrivateJwk('EdDSA')];
    const first = await subject({ privateJwk: former });
    const { token } = await first.issuer.sign({ userId: '42', roles: ['chat:write'] });
    const second = await subject({ privateJwk: next, formerJwks: [former, next] });
    expect((await second.ask(`Bearer ${token}`)).status).toBe(200);
    expect(second.issuer.jwks().keys).toHaveLength(2);
    expect(JSON.stringify(second.issuer.jwks())).not.toContain(former.d as string);
    const serve = (etag?: string) =>
      second.issuer.handler(
        new Request('https://app.example/jwks', etag === undefined ? {} : { headers: { 'if-none-match': etag } }),
      );
    const etag = (await serve()).headers.get('etag') ?? '';
    expect((await serve(etag)).status).toBe(304);
    await second.issuer.rotate();
    expect((await serve(etag)).status).toBe(200);
    await expect(second.issuer.rotate({ kty: 'oct', k: 'x' })).rejects.toMatchObject({
      code: 'ERR_JWT_PRIVATE_KEY_INVALID',
    });
    await expect(subject({ formerJwks: [{ kty: 'oct', k: 'x' }] })).rejects.toMatchObject({
      code: 'ERR_JWT_PRIVATE_KEY_INVALID',
    });
  });
});
