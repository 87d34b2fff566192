import { middleNtp, ntpFromUnixMs, unixMsFromNtp } from '@guildkit/rtp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

describe('NTP times', () => {
  it('count from 1900 (RFC 5905: Unix epoch is 2,208,988,800 s)', () => {
    expect(ntpFromUnixMs(0)).toBe(2_208_988_800n << 32n);
    expect(ntpFromUnixMs(500)).toBe((2_208_988_800n << 32n) + (1n << 31n));
    expect(ntpFromUnixMs(0.5)).toBe((2_208_988_800n << 32n) + (1n << 32n) / 2_000n);
  });

  it('come back to within a microsecond', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2_085_978_495_999, noNaN: true }), (ms) => {
        expect(Math.abs(unixMsFromNtp(ntpFromUnixMs(ms)) - ms)).toBeLessThan(0.001);
      }),
    );
  });

  it('give the middle 32 bits for delays (RFC 3550 section 6.4.1)', () => {
    expect(middleNtp(0xb44db705_20000000n)).toBe(0xb7052000);
  });
});
