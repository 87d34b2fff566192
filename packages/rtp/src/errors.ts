/**
 * Owns every error of the package and its code. What arrives from the network is no error: parsers and `open` return a
 * failure with its reason (`protocol/result.ts`). These are for calls that cannot be carried out.
 */
import { GuildkitError, isErrorNamed } from '@guildkit/core';

/** Every code that {@link RtpError} may carry, with its remedy. */
export const RTP_ERROR_REMEDIES = {
  ERR_RTP_FIELD_INVALID: 'Correct the field the message names: it does not fit the packet format.',
  ERR_RTP_FRAME_INVALID: 'Pass a whole encoded frame of that codec; H.264 as an Annex B stream.',
  ERR_RTP_FRAME_OVERSIZED: 'Encode smaller frames, or raise mtu.',
  ERR_RTP_PACKET_INVALID:
    'Seal whole plain RTP or RTCP packets of at most 65,000 bytes, as buildRtp and buildRtcp make.',
  ERR_RTP_MODE_UNKNOWN: 'Choose one of ENCRYPTION_MODES.',
  ERR_RTP_KEY_INVALID: 'Pass the 32 bytes of secret_key from the session description.',
  ERR_RTP_NONCE_EXHAUSTED: 'All nonces of this key are used: have a new session description sent, make a new cipher.',
  ERR_RTP_CIPHER_UNAVAILABLE: 'The cipher library could not be loaded: cause says why; reinstall libsodium-wrappers.',
} as const satisfies Readonly<Record<string, string>>;

/** Code of a {@link RtpError}. */
export type RtpErrorCode = keyof typeof RTP_ERROR_REMEDIES;

/** Every error the package throws. It holds no packet bytes and no key. */
export class RtpError extends GuildkitError<RtpErrorCode> {
  constructor(code: RtpErrorCode, message: string, cause?: unknown) {
    super('RtpError', message, { code, cause });
  }

  /** Whether a value is an error of this package, of whichever copy or module format. */
  static override is(value: unknown): value is RtpError {
    return isErrorNamed(value, 'RtpError');
  }
}

/** Refuses a field of what is to be built: `sequenceNumber must be an integer from 0 to 65535`. */
export function requireInteger(name: string, value: number, max: number, min = 0): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RtpError('ERR_RTP_FIELD_INVALID', `${name} must be an integer from ${min} to ${max}`);
}
