import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { IdentifyLedger } from '../../src/protocol/gateway/identify-ledger.js';

const DAY = 86_400_000;

test('one IDENTIFY in five seconds for each bucket of shards', () => {
  const ledger = new IdentifyLedger({ maxConcurrency: 2, bucketMs: 5_000, total: 1_000, enforced: true });
  ledger.record('bot', 0, 0);
  expect([0, 1, 2, 3].map((shard) => ledger.judge('bot', shard, 4_999))).toEqual([
    'tooSoon',
    'allowed',
    'tooSoon',
    'allowed',
  ]);
  expect(ledger.judge('bot', 2, 5_000)).toBe('allowed');
  expect(ledger.judge('other', 0, 0)).toBe('allowed');
});

test('in no 24 hours begun by an IDENTIFY are there more than the total', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: DAY }), { maxLength: 60 }), (gaps) => {
      const ledger = new IdentifyLedger({ maxConcurrency: 1, bucketMs: 0, total: 4, enforced: true });
      let now = 0;
      let window = { from: -1, used: 0 };
      for (const gap of gaps) {
        now += gap;
        if (window.from < 0 || now >= window.from + DAY) window = { from: -1, used: 0 };
        const verdict = ledger.judge('bot', 0, now);
        expect(verdict).toBe(window.used >= 4 ? 'exhausted' : 'allowed');
        const { remaining, reset_after } = ledger.startLimit('bot', now);
        expect([remaining, reset_after]).toEqual([4 - window.used, window.used === 0 ? 0 : window.from + DAY - now]);
        if (verdict !== 'allowed') continue;
        ledger.record('bot', 0, now);
        window = { from: window.used === 0 ? now : window.from, used: window.used + 1 };
      }
    }),
  );
});

test('limits that are off count all the same', () => {
  const ledger = new IdentifyLedger({ maxConcurrency: 1, bucketMs: 0, total: 1, enforced: false });
  for (let n = 0; n < 3; n += 1) {
    expect(ledger.judge('bot', 0, n)).toBe('allowed');
    ledger.record('bot', 0, n);
  }
  expect(ledger.startLimit('bot', 2).remaining).toBe(0);
});
