import { format, inspect } from 'node:util';
import { createRedactor, GuildkitError, Redacted } from '@guildkit/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const SECRET = 'mfa.k3e9-Xq7_vB2t';
const token = new Redacted(SECRET);

describe('Redacted', () => {
  it('gives the secret to who asks', () => {
    expect(token.reveal()).toBe(SECRET);
    expect(new Redacted({ a: 1 }).reveal()).toEqual({ a: 1 });
    const { reveal } = token;
    expect(reveal()).toBe(SECRET);
  });

  const error = new GuildkitError('SampleError', 'no', { code: 'ERR_X', cause: token });
  const leaks: readonly (readonly [string, () => string])[] = [
    ['String()', () => String(token)],
    ['a template', () => `Bot ${token}`],
    ['concatenation', () => `${['Bot ', token].join('')}`],
    ['JSON', () => JSON.stringify({ token, list: [token] })],
    ['inspect', () => inspect(token)],
    ['inspect of a holder', () => inspect({ deep: { token } }, { depth: 9, showHidden: true, getters: true })],
    ['inspect without custom methods', () => inspect(token, { customInspect: false, showHidden: true })],
    ['format', () => format('%s %o %O %j %d', token, token, token, token, token)],
    ['a spread', () => inspect({ ...token }, { showHidden: true })],
    ['Object.assign', () => JSON.stringify(Object.assign({}, token))],
    ['own keys and values', () => inspect([Object.keys(token), Object.values(token), Object.entries(token)])],
    [
      'for in',
      () =>
        (() => {
          const seen: string[] = [];
          for (const key in token) seen.push(key);
          return seen.join();
        })(),
    ],
    ['structuredClone', () => inspect(structuredClone({ ...token }), { showHidden: true })],
    ['an error cause', () => inspect(error, { showHidden: true, depth: 9 })],
    ['an error cause in JSON', () => JSON.stringify({ ...error, cause: error.cause })],
    ['the source of reveal', () => token.reveal.toString()],
  ];

  it.each(leaks)('does not leak through %s', (_way, print) => {
    expect(print()).not.toContain(SECRET);
  });

  it('shows that something was there', () => {
    expect([String(token), JSON.stringify(token), inspect(token)]).toEqual([
      '[redacted]',
      '"[redacted]"',
      '[redacted]',
    ]);
  });
});

describe('createRedactor', () => {
  it('replaces every secret wherever it stands', () => {
    const redact = createRedactor(['first-secret', new Redacted(SECRET)]);
    expect(redact(`a first-secret, ${SECRET}${SECRET}, first-secret`)).toBe(
      'a [redacted], [redacted][redacted], [redacted]',
    );
    expect(redact('nothing here')).toBe('nothing here');
  });

  it('takes the longest first, so that a prefix leaves no tail', () => {
    expect(createRedactor(['secret', 'secret-and-more'])('secret-and-more secret')).toBe('[redacted] [redacted]');
  });

  it('ignores secrets too short to be told from words', () => {
    expect(createRedactor(['', 'a', 'token'])('a token')).toBe('a token');
  });

  it('reads no secret as a pattern (fuzz)', () => {
    const secrets = fc.array(fc.string({ minLength: 6, maxLength: 20 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(secrets, fc.string(), fc.string(), (list, before, after) => {
        const clean = createRedactor(list)(list.map((secret) => before + secret + after).join(' '));
        const longest = [...list].sort((a, b) => b.length - a.length)[0] as string;
        fc.pre(!'[redacted]'.includes(longest));
        expect(clean.split('[redacted]').some((part) => part.includes(longest))).toBe(false);
        expect(clean).toContain('[redacted]');
      }),
    );
  });
});
