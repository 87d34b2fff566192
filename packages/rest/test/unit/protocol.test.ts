/** The small pure parts: headers, retry, budget, queue, error bodies. Hostile input included. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readApiError } from '../../src/protocol/api-error-body.js';
import { EMPTY_FIFO, insert, peek, shift, toArray, without } from '../../src/protocol/fifo.js';
import {
  agedBudget,
  budgetRelief,
  countInvalid,
  EMPTY_BUDGET,
  INVALID_WINDOW_MS,
} from '../../src/protocol/invalid-budget.js';
import { bucketHash, observe, tooMany } from '../../src/protocol/rate-limit-headers.js';
import { isRepeatable, retryDelay } from '../../src/protocol/retry.js';
import { sublimitsOf, variantOf } from '../../src/protocol/sublimits.js';

describe('headers', () => {
  test('reset-after is taken, the wall-clock reset ignored', () => {
    const headers = {
      'x-ratelimit-limit': '5',
      'x-ratelimit-remaining': '4',
      'x-ratelimit-reset': '1',
      'x-ratelimit-reset-after': '1.2345',
    };
    expect(observe(headers)).toEqual({ limit: 5, remaining: 4, resetAfterMs: 1_235 });
  });

  test('whatever headers and bodies say, delays are bounded numbers or absent', () => {
    const value = fc.oneof(fc.string(), fc.double().map(String), fc.constantFrom('-1', 'NaN', 'Infinity', '1e308', ''));
    const headers = fc.dictionary(
      fc.constantFrom(
        'retry-after',
        'x-ratelimit-limit',
        'x-ratelimit-remaining',
        'x-ratelimit-reset-after',
        'x-ratelimit-bucket',
        'x-ratelimit-scope',
      ),
      value,
    );
    fc.assert(
      fc.property(headers, fc.jsonValue(), (given, body) => {
        const seen = observe(given);
        if (seen !== undefined) {
          expect(seen.limit).toBeGreaterThanOrEqual(1);
          expect(seen.resetAfterMs).toBeLessThanOrEqual(86_400_000);
        }
        const { retryAfterMs = 0 } = tooMany(given, body);
        expect(retryAfterMs).toBeGreaterThanOrEqual(0);
        expect(retryAfterMs).toBeLessThanOrEqual(86_400_000);
        expect(bucketHash(given)?.length ?? 0).toBeLessThanOrEqual(128);
      }),
    );
  });

  test('the body has the fraction, the header the whole seconds', () => {
    expect(tooMany({ 'retry-after': '2', 'x-ratelimit-scope': 'user' }, { retry_after: 1.337 })).toEqual({
      scope: 'user',
      retryAfterMs: 1_337,
    });
    expect(tooMany({ 'retry-after': '2' }, undefined)).toEqual({ scope: 'cloudflare', retryAfterMs: 2_000 });
    expect(tooMany({ 'retry-after': '2' }, { global: true })).toEqual({ scope: 'global', retryAfterMs: 2_000 });
  });
});

describe('retry', () => {
  const base = { retries: 0, rateLimits: 0, maxRetries: 3, repeatable: true, random: 0.5 };

  test('5xx and network failures back off with jitter and end after maxRetries', () => {
    const delays = [0, 1, 2, 3].map((retries) => retryDelay({ ...base, retries, failure: { kind: 'server' } }));
    expect(delays).toEqual([625, 1_125, 2_125, undefined]);
  });

  test('what cannot be repeated is retried only when it was never sent', () => {
    const once = { ...base, repeatable: false };
    expect(retryDelay({ ...once, failure: { kind: 'server' } })).toBeUndefined();
    expect(retryDelay({ ...once, failure: { kind: 'network', neverSent: false } })).toBeUndefined();
    expect(retryDelay({ ...once, failure: { kind: 'network', neverSent: true } })).toBe(625);
    expect(retryDelay({ ...once, failure: { kind: 'rateLimited', retryAfterMs: 70 } })).toBe(70);
  });

  test('isRepeatable', () => {
    expect(['GET', 'PUT', 'DELETE', 'PATCH', 'POST'].map((method) => isRepeatable(method, {}))).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
    expect(isRepeatable('POST', { nonce: 'a', enforce_nonce: true })).toBe(true);
    expect(isRepeatable('POST', { nonce: 'a' })).toBe(false);
    expect(isRepeatable('POST', { nonce: '', enforce_nonce: true })).toBe(false);
    expect(isRepeatable('POST', { enforce_nonce: true })).toBe(false);
  });
});

describe('invalid budget', () => {
  test('forgets after ten minutes, never before', () => {
    let budget = countInvalid(EMPTY_BUDGET, 0);
    budget = countInvalid(budget, 9_000);
    budget = countInvalid(budget, 300_000);
    expect(budget.count).toBe(3);
    expect(agedBudget(budget, 9_000 + INVALID_WINDOW_MS - 1).count).toBe(3);
    expect(budgetRelief(budget, 600_000)).toBe(10_000);
    expect(agedBudget(budget, 610_000).count).toBe(1);
  });
});

describe('fifo', () => {
  test('behaves like a sorted array', () => {
    const operation = fc.oneof(
      fc.record({ type: fc.constant('insert' as const), id: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ type: fc.constant('drop' as const), id: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ type: fc.constant('shift' as const), id: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
        let fifo = EMPTY_FIFO;
        let model: number[] = [];
        for (const { type, id } of operations) {
          if (type === 'insert') {
            fifo = insert(fifo, id);
            model = [...new Set([...model, id])].sort((a, b) => a - b);
          } else if (type === 'drop') {
            fifo = without(fifo, (other) => other === id);
            model = model.filter((other) => other !== id);
          } else {
            fifo = shift(fifo);
            model = model.slice(1);
          }
          expect(toArray(fifo)).toEqual(model);
          expect(fifo.size).toBe(model.length);
          expect(peek(fifo)).toBe(model[0]);
        }
      }),
    );
  });
});

describe('api error bodies', () => {
  test('any JSON gives a bounded result', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.jsonValue({ maxDepth: 6 }), (body, errors) => {
        for (const given of [body, { errors, code: body, message: body }]) {
          const { fields, message } = readApiError(given);
          expect(fields.length).toBeLessThanOrEqual(50);
          expect((message ?? '').length).toBeLessThanOrEqual(301);
        }
      }),
    );
  });

  test('depth and number are bounded', () => {
    let deep: unknown = { _errors: [{ code: 'X', message: 'deep' }] };
    for (let n = 0; n < 5_000; n += 1) deep = { a: deep };
    expect(readApiError({ errors: deep }).fields).toEqual([]);
    const wide = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, n) => [n, { _errors: [{ code: 'X', message: 'm' }] }]),
    );
    expect(readApiError({ errors: { list: wide } }).fields).toHaveLength(50);
  });

  test('OAuth2 errors have another shape', () => {
    expect(readApiError({ error: 'invalid_grant', error_description: 'Invalid "code"' }).message).toBe(
      'Invalid "code"',
    );
  });
});

describe('sublimits', () => {
  test('only a change of name or topic counts', () => {
    expect(sublimitsOf('PATCH /channels/:id', { name: 'x' })).toMatchObject([{ limit: 2, windowMs: 600_000 }]);
    expect(sublimitsOf('PATCH /channels/:id', { topic: null })).toHaveLength(1);
    expect(sublimitsOf('PATCH /channels/:id', { user_limit: 4 })).toEqual([]);
    expect(sublimitsOf('POST /channels/:id/messages', { name: 'x' })).toEqual([]);
    expect(sublimitsOf('PATCH /channels/:id', undefined)).toEqual([]);
  });

  test('deleting a message counts by its age', () => {
    const created = Date.UTC(2026, 0, 1);
    const id = (BigInt(created) - 1_420_070_400_000n) << 22n;
    const variant = (afterMs: number): string =>
      variantOf('DELETE /channels/:id/messages/:id', `/channels/1/messages/${id}`, created + afterMs);
    expect([0, 9_999, 10_000, 1_209_600_000, 1_209_600_001].map(variant)).toEqual(['fresh', 'fresh', '', '', 'old']);
    expect(variantOf('GET /channels/:id/messages/:id', `/channels/1/messages/${id}`, created)).toBe('');
  });
});
