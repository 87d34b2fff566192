import { CLOSE_CODES, closeActionOf } from '@guildkit/core/wire';
import { describe, expect, it } from 'vitest';

describe('closeActionOf', () => {
  it('follows the table', () => {
    for (const [code, { action }] of Object.entries(CLOSE_CODES)) expect(closeActionOf(Number(code))).toBe(action);
    expect(closeActionOf(4401)).toBe('refreshToken');
    expect(closeActionOf(4503)).toBe('reconnectUncounted');
    expect(closeActionOf(4403)).toBe('stop');
  });

  it('reconnects after any other code', () => {
    for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4000, 4999, -1, Number.NaN]) {
      expect(closeActionOf(code)).toBe('reconnect');
    }
  });
});
