/**
 * Owns feedback messages: NACK and transport-wide feedback (RTPFB), PLI, FIR and REMB (PSFB). A format that is not
 * known stays an unknown packet.
 */
import { RtpError, requireInteger } from '../errors.js';
import { putU16, putU24, putU32, U8, U16, U32, u8, u16, u24, u32 } from './bytes.js';
import { failure, type PacketFailure } from './result.js';
import type {
  FullIntraRequest,
  Nack,
  PictureLossIndication,
  ReceiverEstimatedBitrate,
  RtcpBody,
  RtcpPacket,
  TransportFeedback,
} from './rtcp-types.js';

/** RTPFB (RFC 4585 section 6.2). */
export const TRANSPORT_FEEDBACK = 205;
/** PSFB (RFC 4585 section 6.3). */
export const PAYLOAD_FEEDBACK = 206;

/** Formats of RTPFB. */
const NACK = 1;
const TRANSPORT_CC = 15;
/** Formats of PSFB. */
const PLI = 1;
const FIR = 4;
const APPLICATION = 15;

const HEAD_BYTES = 8;
/** `REMB` in ASCII (draft-alvestrand-rmcat-remb-03 section 2.2). */
const REMB_ID = 0x52454d42;
/** A NACK entry covers a sequence number and the sixteen after it. */
const NACK_SPAN = 16;

type FeedbackPacket = Nack | TransportFeedback | PictureLossIndication | FullIntraRequest | ReceiverEstimatedBitrate;

export function parseFeedback(part: RtcpBody): RtcpPacket | PacketFailure {
  const { packetType, count, body } = part;
  if (body.length < HEAD_BYTES) return failure('length');
  const head = { senderSsrc: u32(body, 0), mediaSsrc: u32(body, 4) };
  if (packetType === TRANSPORT_FEEDBACK) {
    if (count === NACK && body.length < HEAD_BYTES + 4) return failure('length');
    if (count === NACK) return { type: 'nack', ...head, sequenceNumbers: parseNack(body) };
    if (count === TRANSPORT_CC) return { type: 'transportFeedback', ...head, data: body.subarray(HEAD_BYTES) };
    return { type: 'unknown', ...part };
  }
  if (count === PLI) return { type: 'pictureLossIndication', ...head };
  if (count === FIR) return { type: 'fullIntraRequest', ...head, requests: parseFir(body) };
  if (count === APPLICATION && body.length >= 16 && u32(body, 8) === REMB_ID) return parseRemb(head, body);
  return { type: 'unknown', ...part };
}

export function feedbackBody(packet: FeedbackPacket): RtcpBody {
  const [packetType, count, body] = parts(packet);
  requireInteger('senderSsrc', packet.senderSsrc, U32);
  requireInteger('mediaSsrc', packet.mediaSsrc, U32);
  putU32(body, 0, packet.senderSsrc);
  putU32(body, 4, packet.mediaSsrc);
  return { packetType, count, body };
}

/** Packet type, format, and a body whose first eight bytes are still to be written. */
function parts(packet: FeedbackPacket): readonly [number, number, Uint8Array] {
  switch (packet.type) {
    case 'nack':
      return [TRANSPORT_FEEDBACK, NACK, nackBody(packet.sequenceNumbers)];
    case 'transportFeedback': {
      const body = new Uint8Array(HEAD_BYTES + packet.data.length);
      body.set(packet.data, HEAD_BYTES);
      return [TRANSPORT_FEEDBACK, TRANSPORT_CC, body];
    }
    case 'pictureLossIndication':
      return [PAYLOAD_FEEDBACK, PLI, new Uint8Array(HEAD_BYTES)];
    case 'fullIntraRequest':
      return [PAYLOAD_FEEDBACK, FIR, firBody(packet.requests)];
    case 'receiverEstimatedBitrate':
      return [PAYLOAD_FEEDBACK, APPLICATION, rembBody(packet)];
  }
}

function parseNack(body: Uint8Array): number[] {
  const numbers: number[] = [];
  for (let at = HEAD_BYTES; at + 4 <= body.length; at += 4) {
    const first = u16(body, at);
    numbers.push(first);
    for (let mask = u16(body, at + 2), n = 1; mask !== 0; mask >>>= 1, n += 1) {
      if ((mask & 1) !== 0) numbers.push((first + n) & U16);
    }
  }
  return numbers;
}

/** Entries of a number and a mask of those after it. Ascending input, modulo wrap, gives the fewest entries. */
function nackBody(numbers: readonly number[]): Uint8Array {
  if (numbers.length === 0) throw new RtpError('ERR_RTP_FIELD_INVALID', 'sequenceNumbers must not be empty');
  const entries: { first: number; mask: number }[] = [];
  for (const number of numbers) {
    requireInteger('sequenceNumbers', number, U16);
    const last = entries.at(-1);
    const distance = last === undefined ? 0 : (number - last.first) & U16;
    if (last !== undefined && distance >= 1 && distance <= NACK_SPAN) last.mask |= 1 << (distance - 1);
    else if (last === undefined || distance !== 0) entries.push({ first: number, mask: 0 });
  }
  const body = new Uint8Array(HEAD_BYTES + entries.length * 4);
  entries.forEach(({ first, mask }, n) => {
    putU16(body, HEAD_BYTES + n * 4, first);
    putU16(body, HEAD_BYTES + n * 4 + 2, mask);
  });
  return body;
}

function parseFir(body: Uint8Array): { ssrc: number; sequenceNumber: number }[] {
  const requests: { ssrc: number; sequenceNumber: number }[] = [];
  for (let at = HEAD_BYTES; at + 8 <= body.length; at += 8) {
    requests.push({ ssrc: u32(body, at), sequenceNumber: u8(body, at + 4) });
  }
  return requests;
}

function firBody(requests: FullIntraRequest['requests']): Uint8Array {
  const body = new Uint8Array(HEAD_BYTES + requests.length * 8);
  requests.forEach(({ ssrc, sequenceNumber }, n) => {
    requireInteger('requests.ssrc', ssrc, U32);
    requireInteger('requests.sequenceNumber', sequenceNumber, U8);
    putU32(body, HEAD_BYTES + n * 8, ssrc);
    body[HEAD_BYTES + n * 8 + 4] = sequenceNumber;
  });
  return body;
}

function parseRemb(
  head: { readonly senderSsrc: number; readonly mediaSsrc: number },
  body: Uint8Array,
): ReceiverEstimatedBitrate | PacketFailure {
  const count = u8(body, 12);
  if (body.length < 16 + count * 4) return failure('length');
  const scaled = u24(body, 13);
  return {
    type: 'receiverEstimatedBitrate',
    ...head,
    // Six bits of exponent, eighteen of mantissa: beyond 2^53, but a number all the same.
    bitsPerSecond: (scaled & 0x3ffff) * 2 ** (scaled >> 18),
    ssrcs: Array.from({ length: count }, (_, n) => u32(body, 16 + n * 4)),
  };
}

function rembBody({ bitsPerSecond, ssrcs }: ReceiverEstimatedBitrate): Uint8Array {
  if (!(bitsPerSecond >= 0 && bitsPerSecond < 2 ** 81)) {
    throw new RtpError('ERR_RTP_FIELD_INVALID', 'bitsPerSecond must be a number from 0 to below 2^81');
  }
  requireInteger('ssrcs.length', ssrcs.length, U8);
  let mantissa = bitsPerSecond;
  let exponent = 0;
  while (mantissa >= 2 ** 18) {
    mantissa /= 2;
    exponent += 1;
  }
  const body = new Uint8Array(16 + ssrcs.length * 4);
  putU32(body, 8, REMB_ID);
  body[12] = ssrcs.length;
  putU24(body, 13, (exponent << 18) | Math.floor(mantissa));
  ssrcs.forEach((ssrc, n) => {
    requireInteger('ssrcs', ssrc, U32);
    putU32(body, 16 + n * 4, ssrc);
  });
  return body;
}
