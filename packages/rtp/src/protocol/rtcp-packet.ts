/**
 * Owns the framing of compound RTCP datagrams (RFC 3550 section 6.1). Accepts any order and number of packets: the
 * rule that a report comes first is relaxed by RFC 5506, and nothing here depends on it.
 */
import { requireInteger } from '../errors.js';
import { joined, putU16, U5, U16, u16, words } from './bytes.js';
import { looksLikeRtcp } from './demux.js';
import { failure, type PacketFailure, type Parsed } from './result.js';
import { feedbackBody, PAYLOAD_FEEDBACK, parseFeedback, TRANSPORT_FEEDBACK } from './rtcp-feedback.js';
import { parseReport, RECEIVER_REPORT, reportBody, SENDER_REPORT } from './rtcp-reports.js';
import {
  GOODBYE,
  goodbyeBody,
  parseGoodbye,
  parseSourceDescription,
  SOURCE_DESCRIPTION,
  sourceDescriptionBody,
} from './rtcp-sources.js';
import type { RtcpBody, RtcpPacket } from './rtcp-types.js';

/** A packet's header without its SSRC. */
const HEADER_BYTES = 4;
const PADDING = 0x20;

/**
 * Reads a plain RTCP datagram: one packet or several. All of it has to be sound, or none is returned.
 *
 * @param bytes One whole datagram, already opened.
 */
export function parseRtcp(bytes: Uint8Array): Parsed<readonly RtcpPacket[]> {
  if (bytes.length < HEADER_BYTES) return failure('truncated');
  const packets: RtcpPacket[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + HEADER_BYTES > bytes.length) return failure('truncated');
    const rest = bytes.subarray(at);
    const first = rest[0] as number;
    if (first >> 6 !== 2) return failure('version');
    if (!looksLikeRtcp(rest)) return failure('kind');
    const size = HEADER_BYTES + u16(rest, 2) * 4;
    if (size > rest.length) return failure('truncated');
    let end = size;
    if ((first & PADDING) !== 0) {
      const padding = size > HEADER_BYTES ? (rest[size - 1] as number) : 0;
      // Unlike RFC 3550 section 6.4.1 says, not always a multiple of four: transport feedback ends in one to three bytes.
      if (padding === 0 || padding > size - HEADER_BYTES) return failure('padding');
      end = size - padding;
    }
    const packet = parseBody({
      packetType: rest[1] as number,
      count: first & U5,
      body: rest.subarray(HEADER_BYTES, end),
    });
    if ('ok' in packet) return packet;
    packets.push(packet);
    at += size;
  }
  return { ok: true, value: packets };
}

/**
 * Writes one RTCP packet, or several into one compound datagram.
 *
 * @throws RtpError `ERR_RTP_FIELD_INVALID` when a field does not fit its bits.
 */
export function buildRtcp(packets: RtcpPacket | readonly RtcpPacket[]): Uint8Array {
  const list: readonly RtcpPacket[] = 'type' in packets ? [packets] : packets;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (const packet of list) {
    const { packetType, count, body } = bodyOf(packet);
    requireInteger(`${packet.type}: count of entries`, count, U5);
    const length = words(body.length);
    requireInteger(`${packet.type}: length in words`, length / 4, U16);
    const padding = length - body.length;
    const header = new Uint8Array(HEADER_BYTES);
    header[0] = 0x80 | (padding > 0 ? PADDING : 0) | count;
    header[1] = packetType;
    putU16(header, 2, length / 4);
    pieces.push(header, body);
    size += HEADER_BYTES + length;
    if (padding > 0) pieces.push(Uint8Array.from({ length: padding }, (_, n) => (n === padding - 1 ? padding : 0)));
  }
  return joined(pieces, size);
}

function parseBody(part: RtcpBody): RtcpPacket | PacketFailure {
  switch (part.packetType) {
    case SENDER_REPORT:
    case RECEIVER_REPORT:
      return parseReport(part);
    case SOURCE_DESCRIPTION:
      return parseSourceDescription(part);
    case GOODBYE:
      return parseGoodbye(part);
    case TRANSPORT_FEEDBACK:
    case PAYLOAD_FEEDBACK:
      return parseFeedback(part);
    default:
      return { type: 'unknown', ...part };
  }
}

function bodyOf(packet: RtcpPacket): RtcpBody {
  switch (packet.type) {
    case 'senderReport':
    case 'receiverReport':
      return reportBody(packet);
    case 'sourceDescription':
      return sourceDescriptionBody(packet);
    case 'goodbye':
      return goodbyeBody(packet);
    case 'unknown':
      requireInteger('packetType', packet.packetType, 223, 192);
      return packet;
    default:
      return feedbackBody(packet);
  }
}
