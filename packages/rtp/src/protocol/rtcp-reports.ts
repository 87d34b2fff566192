/** Owns SR and RR (RFC 3550 sections 6.4.1 and 6.4.2). Profile-specific extensions behind the blocks are passed over. */
import { RtpError, requireInteger } from '../errors.js';
import { putU24, putU32, putU64, U8, U32, u8, u24, u32, u64 } from './bytes.js';
import { failure, type PacketFailure } from './result.js';
import type { ReceiverReport, ReceptionReport, RtcpBody, SenderReport } from './rtcp-types.js';

export const SENDER_REPORT = 200;
export const RECEIVER_REPORT = 201;

const SENDER_INFO_BYTES = 20;
const BLOCK_BYTES = 24;
const U64 = 0xffff_ffff_ffff_ffffn;
const MAX_LOST = 0x7f_ffff;

export function parseReport({ packetType, count, body }: RtcpBody): SenderReport | ReceiverReport | PacketFailure {
  const isSender = packetType === SENDER_REPORT;
  const start = 4 + (isSender ? SENDER_INFO_BYTES : 0);
  if (body.length < start + count * BLOCK_BYTES) return failure('length');
  const ssrc = u32(body, 0);
  const reports = Array.from({ length: count }, (_, n) => parseBlock(body, start + n * BLOCK_BYTES));
  if (!isSender) return { type: 'receiverReport', ssrc, reports };
  return {
    type: 'senderReport',
    ssrc,
    ntpTime: u64(body, 4),
    rtpTimestamp: u32(body, 12),
    packetCount: u32(body, 16),
    octetCount: u32(body, 20),
    reports,
  };
}

export function reportBody(packet: SenderReport | ReceiverReport): RtcpBody {
  const isSender = packet.type === 'senderReport';
  const start = 4 + (isSender ? SENDER_INFO_BYTES : 0);
  const body = new Uint8Array(start + packet.reports.length * BLOCK_BYTES);
  requireInteger('ssrc', packet.ssrc, U32);
  putU32(body, 0, packet.ssrc);
  if (isSender) {
    if (typeof packet.ntpTime !== 'bigint' || packet.ntpTime < 0n || packet.ntpTime > U64) {
      throw new RtpError('ERR_RTP_FIELD_INVALID', 'ntpTime must be a bigint of 64 bits');
    }
    putU64(body, 4, packet.ntpTime);
    requireInteger('rtpTimestamp', packet.rtpTimestamp, U32);
    putU32(body, 12, packet.rtpTimestamp);
    requireInteger('packetCount', packet.packetCount, U32);
    putU32(body, 16, packet.packetCount);
    requireInteger('octetCount', packet.octetCount, U32);
    putU32(body, 20, packet.octetCount);
  }
  packet.reports.forEach((report, n) => {
    putBlock(body, start + n * BLOCK_BYTES, report);
  });
  return { packetType: isSender ? SENDER_REPORT : RECEIVER_REPORT, count: packet.reports.length, body };
}

function parseBlock(body: Uint8Array, at: number): ReceptionReport {
  return {
    ssrc: u32(body, at),
    fractionLost: u8(body, at + 4),
    // 24 bits, signed.
    packetsLost: (u24(body, at + 5) << 8) >> 8,
    highestSequenceNumber: u32(body, at + 8),
    jitter: u32(body, at + 12),
    lastSenderReport: u32(body, at + 16),
    delaySinceLastSenderReport: u32(body, at + 20),
  };
}

function putBlock(body: Uint8Array, at: number, report: ReceptionReport): void {
  requireInteger('reports.ssrc', report.ssrc, U32);
  putU32(body, at, report.ssrc);
  requireInteger('fractionLost', report.fractionLost, U8);
  body[at + 4] = report.fractionLost;
  requireInteger('packetsLost', report.packetsLost, MAX_LOST, -MAX_LOST - 1);
  putU24(body, at + 5, report.packetsLost);
  const fields = ['highestSequenceNumber', 'jitter', 'lastSenderReport', 'delaySinceLastSenderReport'] as const;
  fields.forEach((name, n) => {
    requireInteger(name, report[name], U32);
    putU32(body, at + 8 + n * 4, report[name]);
  });
}
