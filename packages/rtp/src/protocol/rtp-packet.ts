/**
 * Owns the RTP packet (RFC 3550 section 5.1) with CSRCs, extension and padding. Refuses to look into the payload, and
 * to interpret extension elements (`header-extension.ts`).
 */
import { RtpError, requireInteger } from '../errors.js';
import { putU16, putU32, U7, U16, U32, u16, u32, words } from './bytes.js';
import { looksLikeRtcp } from './demux.js';
import type { HeaderExtension } from './header-extension.js';
import { failure, type Parsed } from './result.js';

/** Bytes of a header without CSRCs and extension. */
export const RTP_HEADER_BYTES = 12;

const MAX_CSRCS = 15;
const NO_CSRCS: readonly number[] = Object.freeze([]);

/** An RTP packet. `payload` and `extension.data` of a parsed one are views of the bytes it was parsed from. */
export interface RtpPacket {
  /** On audio: first packet of a talk spurt. On video: last packet of a frame. */
  readonly marker: boolean;
  /** 0 to 127, but not 64 to 95, which would read as RTCP. */
  readonly payloadType: number;
  /** 16 bits. */
  readonly sequenceNumber: number;
  /** 32 bits, in units of the payload's clock: 48 kHz for Opus, 90 kHz for video. */
  readonly timestamp: number;
  /** 32 bits. */
  readonly ssrc: number;
  /** At most 15. */
  readonly csrcs: readonly number[];
  /** The extension as it stands; `parseHeaderExtensions` reads its elements. */
  readonly extension: HeaderExtension | undefined;
  /** Without padding. */
  readonly payload: Uint8Array;
  /** Bytes of padding behind the payload, its count byte included; 0 for none. */
  readonly paddingLength: number;
}

/** What {@link buildRtp} needs; what is left out is zero, false or absent. */
export interface RtpPacketInit {
  readonly marker?: boolean | undefined;
  readonly payloadType: number;
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly csrcs?: readonly number[] | undefined;
  readonly extension?: HeaderExtension | undefined;
  readonly payload: Uint8Array;
  readonly paddingLength?: number | undefined;
}

/**
 * Reads a plain RTP packet. Extension and padding are taken off the payload; for a packet of Discord that is what has
 * to happen between the transport cipher and DAVE.
 *
 * @param bytes One whole datagram, already opened.
 */
export function parseRtp(bytes: Uint8Array): Parsed<RtpPacket> {
  if (bytes.length < RTP_HEADER_BYTES) return failure('truncated');
  const first = bytes[0] as number;
  const second = bytes[1] as number;
  if (first >> 6 !== 2) return failure('version');
  if (looksLikeRtcp(bytes)) return failure('kind');

  const csrcCount = first & 0x0f;
  let at = RTP_HEADER_BYTES + csrcCount * 4;
  if (at > bytes.length) return failure('truncated');
  const csrcs = csrcCount === 0 ? NO_CSRCS : Array.from({ length: csrcCount }, (_, n) => u32(bytes, 12 + n * 4));

  let extension: HeaderExtension | undefined;
  if ((first & 0x10) !== 0) {
    if (at + 4 > bytes.length) return failure('truncated');
    const start = at + 4;
    at = start + u16(bytes, at + 2) * 4;
    if (at > bytes.length) return failure('truncated');
    extension = { profile: u16(bytes, start - 4), data: bytes.subarray(start, at) };
  }

  let paddingLength = 0;
  if ((first & 0x20) !== 0) {
    // The last byte counts itself. Some senders pad every packet: a padded payload decrypts to nothing.
    paddingLength = bytes.length > at ? (bytes[bytes.length - 1] as number) : 0;
    if (paddingLength === 0 || at + paddingLength > bytes.length) return failure('padding');
  }

  return {
    ok: true,
    value: {
      marker: second >= 0x80,
      payloadType: second & 0x7f,
      sequenceNumber: u16(bytes, 2),
      timestamp: u32(bytes, 4),
      ssrc: u32(bytes, 8),
      csrcs,
      extension,
      payload: bytes.subarray(at, bytes.length - paddingLength),
      paddingLength,
    },
  };
}

/**
 * Writes an RTP packet into a new array.
 *
 * @throws RtpError `ERR_RTP_FIELD_INVALID` when a field does not fit its bits.
 */
export function buildRtp(packet: RtpPacketInit): Uint8Array {
  const { marker = false, csrcs = NO_CSRCS, extension, payload, paddingLength = 0 } = packet;
  checkFields(packet, csrcs, extension, paddingLength);
  const extensionBytes = extension === undefined ? 0 : 4 + words(extension.data.length);
  const start = RTP_HEADER_BYTES + csrcs.length * 4 + extensionBytes;
  const bytes = new Uint8Array(start + payload.length + paddingLength);
  bytes[0] = 0x80 | (paddingLength > 0 ? 0x20 : 0) | (extension === undefined ? 0 : 0x10) | csrcs.length;
  bytes[1] = (marker ? 0x80 : 0) | packet.payloadType;
  putU16(bytes, 2, packet.sequenceNumber);
  putU32(bytes, 4, packet.timestamp);
  putU32(bytes, 8, packet.ssrc);
  let at = RTP_HEADER_BYTES;
  for (const csrc of csrcs) {
    putU32(bytes, at, csrc);
    at += 4;
  }
  if (extension !== undefined) {
    putU16(bytes, at, extension.profile);
    putU16(bytes, at + 2, words(extension.data.length) / 4);
    bytes.set(extension.data, at + 4);
  }
  bytes.set(payload, start);
  if (paddingLength > 0) bytes[bytes.length - 1] = paddingLength;
  return bytes;
}

function checkFields(
  { payloadType, sequenceNumber, timestamp, ssrc }: RtpPacketInit,
  csrcs: readonly number[],
  extension: HeaderExtension | undefined,
  paddingLength: number,
): void {
  requireInteger('payloadType', payloadType, U7);
  if (payloadType >= 64 && payloadType <= 95) {
    throw new RtpError('ERR_RTP_FIELD_INVALID', 'payloadType must not be 64 to 95: receivers would take it for RTCP');
  }
  requireInteger('sequenceNumber', sequenceNumber, U16);
  requireInteger('timestamp', timestamp, U32);
  requireInteger('ssrc', ssrc, U32);
  requireInteger('csrcs.length', csrcs.length, MAX_CSRCS);
  for (const csrc of csrcs) requireInteger('csrc', csrc, U32);
  if (extension !== undefined) {
    requireInteger('extension.profile', extension.profile, U16);
    requireInteger('extension.data.length', extension.data.length, U16 * 4);
  }
  requireInteger('paddingLength', paddingLength, 0xff);
}
