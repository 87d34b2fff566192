import { GuildkitError } from '@guildkit/core';
import { RTP_ERROR_REMEDIES, RtpError, type RtpErrorCode } from '@guildkit/rtp';
import { describe, expect, it } from 'vitest';

describe('RtpError', () => {
  it('is known by its brand, with a remedy for every code', () => {
    for (const [code, remedy] of Object.entries(RTP_ERROR_REMEDIES)) {
      const error = new RtpError(code as RtpErrorCode, 'what happened', new Error('why'));
      expect(RtpError.is(error)).toBe(true);
      expect(GuildkitError.is(error)).toBe(true);
      expect(error).toMatchObject({ name: 'RtpError', code, retryable: false, message: 'what happened' });
      expect(remedy).toMatch(/^[A-Z].{20,}\.$/);
    }
    expect(RtpError.is(new GuildkitError('OtherError', 'x', { code: 'ERR_OTHER' }))).toBe(false);
  });
});
