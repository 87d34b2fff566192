/** Owns retransmission packets (RFC 4588 section 4): the lost packet in a stream of its own. Keeps no history. */
import { requireInteger } from '../errors.js';
import { putU16, U16, u16 } from './bytes.js';
import { failure, type Parsed } from './result.js';
import type { RtpPacket, RtpPacketInit } from './rtp-packet.js';

/** Whose stream a packet becomes part of. */
export interface RtxTarget {
  readonly ssrc: number;
  readonly payloadType: number;
}

/**
 * The retransmission of a packet: same marker, timestamp and extension; two bytes of original sequence number before
 * the payload.
 *
 * @param target Its `sequenceNumber` is the next one of the retransmission stream.
 * @throws RtpError `ERR_RTP_FIELD_INVALID` when the original sequence number is none.
 */
export function toRtx(packet: RtpPacketInit, target: RtxTarget & { readonly sequenceNumber: number }): RtpPacketInit {
  requireInteger('sequenceNumber', packet.sequenceNumber, U16);
  const payload = new Uint8Array(2 + packet.payload.length);
  putU16(payload, 0, packet.sequenceNumber);
  payload.set(packet.payload, 2);
  const { ssrc, payloadType, sequenceNumber } = target;
  return { ...packet, ssrc, payloadType, sequenceNumber, payload, paddingLength: 0 };
}

/**
 * The packet that a retransmission brings back. A retransmission stream may also carry packets of padding alone; they
 * fail as `truncated`.
 *
 * @param original SSRC and payload type of the stream it was lost from.
 */
export function fromRtx(packet: RtpPacket, original: RtxTarget): Parsed<RtpPacket> {
  if (packet.payload.length < 2) return failure('truncated');
  return {
    ok: true,
    value: {
      ...packet,
      ssrc: original.ssrc,
      payloadType: original.payloadType,
      sequenceNumber: u16(packet.payload, 0),
      payload: packet.payload.subarray(2),
      paddingLength: 0,
    },
  };
}
