import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bucketHash, limitBody, limitHeaders, RateLimiter, take } from '../../src/protocol/rest/rate-limit.js';

const RULE = { limit: 3, windowMs: 1000 };
const request = { who: 'bot', bucket: 'b', major: '1', rule: RULE, now: 0 };

test('a window lets its limit through, then nothing until it is over', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 40 }), (gaps) => {
      let now = 0;
      let window: Parameters<typeof take>[0];
      const passed: number[] = [];
      for (const gap of gaps) {
        now += gap;
        const result = take(window, RULE, now);
        expect(result.allowed || now < result.window.resetAt).toBe(true);
        window = result.window;
        if (result.allowed) passed.push(now);
      }
      // Fixed windows: at most two of them meet in any stretch as long as one.
      for (const at of passed) {
        expect(passed.filter((other) => other >= at && other < at + RULE.windowMs).length).toBeLessThanOrEqual(
          2 * RULE.limit,
        );
      }
    }),
  );
});

describe('the limiter', () => {
  test('counts by bot, bucket and major parameter', () => {
    const limiter = new RateLimiter(1);
    for (let n = 0; n < 3; n += 1) expect(limiter.check(request).allowed).toBe(true);
    expect(limiter.check(request)).toMatchObject({ allowed: false, scope: 'user', retryAfterMs: 1000 });
    for (const other of [{ who: 'other' }, { bucket: 'c' }, { major: '2' }]) {
      expect(limiter.check({ ...request, ...other }).allowed).toBe(true);
    }
    expect(limiter.check({ ...request, now: 999 }).allowed).toBe(false);
    expect(limiter.check({ ...request, now: 1000 })).toMatchObject({ allowed: true, state: { remaining: 2 } });
  });

  test('is global too, and a refused request does not count into its bucket', () => {
    const limiter = new RateLimiter(1);
    for (let n = 0; n < 50; n += 1) expect(limiter.check({ ...request, major: String(n) }).allowed).toBe(true);
    expect(limiter.check({ ...request, major: 'x', now: 400 })).toMatchObject({
      allowed: false,
      scope: 'global',
      retryAfterMs: 600,
      state: { remaining: 3 },
    });
    expect(limiter.check({ ...request, who: 'other' }).allowed).toBe(true);
  });

  test('scales', () => {
    const limiter = new RateLimiter(0.5);
    expect(limiter.check(request)).toMatchObject({ allowed: true, state: { limit: 2, remaining: 1 } });
    const least = new RateLimiter(0.001);
    expect(least.check(request)).toMatchObject({ allowed: true, state: { limit: 1, remaining: 0 } });
  });

  test('holds a bounded number of windows', () => {
    const limiter = new RateLimiter(1);
    for (let n = 0; n < 25_000; n += 1) limiter.check({ ...request, who: String(n), now: 0 });
    expect(limiter.size).toBeLessThanOrEqual(10_000);
  });
});

test('headers and body say the same wait; body and header never say less than it', () => {
  const limiter = new RateLimiter(1);
  for (let n = 0; n < 3; n += 1) limiter.check(request);
  const verdict = limiter.check({ ...request, now: 0.4 });
  if (verdict.allowed) throw new Error('expected a refusal');
  expect(limitBody(verdict)).toEqual({ message: 'You are being rate limited.', retry_after: 1, global: false });
  expect(limitHeaders(verdict, 5_000)).toEqual({
    'x-ratelimit-limit': '3',
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': '6.000',
    'x-ratelimit-reset-after': '1.000',
    'x-ratelimit-bucket': 'b',
    'retry-after': '1',
    'x-ratelimit-scope': 'user',
    via: '1.1 guildkit-sandbox',
  });
});

test('a bucket hash depends on the route and nothing else', () => {
  expect(bucketHash('GET /a')).toBe(bucketHash('GET /a'));
  expect(bucketHash('GET /a')).not.toBe(bucketHash('POST /a'));
  expect(bucketHash('GET /a')).toMatch(/^[0-9a-f]{32}$/);
});

test('401, 403 and 429 count as invalid, but for scope shared', () => {
  const limiter = new RateLimiter(0.0005);
  const at = (status: number, scope?: string) => {
    limiter.countInvalid(status, scope, 0);
    return limiter.bannedFor(0) !== undefined;
  };
  expect([at(401), at(403), at(429, 'user'), at(429, 'shared'), at(404), at(500)]).not.toContain(true);
  expect([at(429, 'global'), at(401)]).toEqual([false, true]);
  expect([limiter.bannedFor(1), limiter.bannedFor(600_000)]).toEqual([599_999, undefined]);
});
