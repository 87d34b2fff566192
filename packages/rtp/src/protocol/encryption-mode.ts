/**
 * Owns what tells Discord's transport encryption modes apart: what stays clear, where the nonce comes from, what it costs.
 * Refuses to encrypt (`codec/`).
 */

import { looksLikeRtcp } from './demux.js';
import { RTP_HEADER_BYTES } from './rtp-packet.js';

/** What distinguishes a mode. */
export interface ModeTraits {
  /** The cipher. The first two authenticate the clear bytes, too. */
  readonly cipher: 'aes-256-gcm' | 'xchacha20-poly1305' | 'xsalsa20-poly1305';
  /**
   * What of an RTP packet stays clear. `rtpsize`: header, CSRCs and the first four bytes of an extension. `fixed`: the
   * twelve bytes of header, whatever follows.
   */
  readonly clear: 'rtpsize' | 'fixed';
  /** Where the nonce comes from: a counter of four bytes, 24 bytes of its own, or the clear header. */
  readonly nonce: 'counter' | 'suffix' | 'header';
  /** Bytes a sealed packet is longer: tag and nonce. */
  readonly overhead: number;
  /** Discord has refused it since November 2024. */
  readonly legacy: boolean;
}

const TAG_BYTES = 16;

/** Name of a transport encryption mode, as the voice gateway writes it. */
export type EncryptionMode =
  | 'aead_xchacha20_poly1305_rtpsize'
  | 'aead_aes256_gcm_rtpsize'
  | 'xsalsa20_poly1305_lite_rtpsize'
  | 'xsalsa20_poly1305_lite'
  | 'xsalsa20_poly1305_suffix'
  | 'xsalsa20_poly1305';

const MODES = {
  aead_xchacha20_poly1305_rtpsize: {
    cipher: 'xchacha20-poly1305',
    clear: 'rtpsize',
    nonce: 'counter',
    overhead: TAG_BYTES + 4,
    legacy: false,
  },
  aead_aes256_gcm_rtpsize: {
    cipher: 'aes-256-gcm',
    clear: 'rtpsize',
    nonce: 'counter',
    overhead: TAG_BYTES + 4,
    legacy: false,
  },
  xsalsa20_poly1305_lite_rtpsize: {
    cipher: 'xsalsa20-poly1305',
    clear: 'rtpsize',
    nonce: 'counter',
    overhead: TAG_BYTES + 4,
    legacy: true,
  },
  xsalsa20_poly1305_lite: {
    cipher: 'xsalsa20-poly1305',
    clear: 'fixed',
    nonce: 'counter',
    overhead: TAG_BYTES + 4,
    legacy: true,
  },
  xsalsa20_poly1305_suffix: {
    cipher: 'xsalsa20-poly1305',
    clear: 'fixed',
    nonce: 'suffix',
    overhead: TAG_BYTES + 24,
    legacy: true,
  },
  xsalsa20_poly1305: {
    cipher: 'xsalsa20-poly1305',
    clear: 'fixed',
    nonce: 'header',
    overhead: TAG_BYTES,
    legacy: true,
  },
} as const satisfies Readonly<Record<EncryptionMode, ModeTraits>>;

/**
 * Every mode, the one to prefer first: those that authenticate the header before those that do not, then the one that costs
 * less (`docs/benchmarks.md`), legacy modes by how sound their nonces are.
 */
export const ENCRYPTION_MODES: readonly EncryptionMode[] = Object.freeze(Object.keys(MODES) as EncryptionMode[]);

/** Whether a text names a mode that {@link ENCRYPTION_MODES} has. */
export const isEncryptionMode = (text: string): text is EncryptionMode => Object.hasOwn(MODES, text);

/** What distinguishes that mode. */
export const traitsOf = (mode: EncryptionMode): ModeTraits => MODES[mode];

/** RTCP keeps its header and the sender's SSRC clear, in every mode. */
const RTCP_CLEAR_BYTES = 8;

/**
 * How many of a packet's bytes stay clear, plain or sealed: the bytes that tell stay clear themselves.
 *
 * @returns `undefined` when the packet ends before, or is neither RTP nor RTCP.
 */
export function clearLength(rule: ModeTraits['clear'], packet: Uint8Array): number | undefined {
  if (packet.length < RTCP_CLEAR_BYTES) return undefined;
  const first = packet[0] as number;
  if (first >> 6 !== 2) return undefined;
  if (looksLikeRtcp(packet)) return RTCP_CLEAR_BYTES;
  let length = RTP_HEADER_BYTES;
  // CSRCs, and of an extension its profile and length: the body is encrypted.
  if (rule === 'rtpsize') length += (first & 0x0f) * 4 + ((first & 0x10) === 0 ? 0 : 4);
  return length <= packet.length ? length : undefined;
}
