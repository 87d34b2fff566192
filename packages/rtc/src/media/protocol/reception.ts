/**
 * Owns what RFC 3550 counts of a received stream: packets, loss, jitter, and the report block of them (section 6.4.1,
 * appendices A.1, A.3 and A.8). Refuses to order packets.
 */
import { createUnwrapper, middleNtp, type ReceptionReport, sequenceDelta } from '@guildkit/rtp';

/** Behind by more than this, or ahead, the sender has begun anew (appendix A.1). */
const MAX_MISORDER = 100;
const MAX_DROPOUT = 3_000;
const MAX_LOST = 0x7f_ffff;

/** What is counted of one stream. */
export interface Reception {
  readonly packets: number;
  /** Of payload. */
  readonly bytes: number;
  /** Expected less received, not below zero. */
  readonly lost: number;
  readonly jitterMs: number;
  /** @param arrivedAt On the local clock, ms. */
  receive(
    packet: { readonly sequenceNumber: number; readonly timestamp: number; readonly bytes: number },
    arrivedAt: number,
  ): void;
  /** A retransmission: it came, but says nothing of jitter. */
  recover(packet: { readonly sequenceNumber: number; readonly bytes: number }): void;
  /** A sender report of this stream came. */
  onSenderReport(ntpTime: bigint, rtpTimestamp: number, arrivedAt: number): void;
  /** The sender's wall clock (Unix ms) for an RTP timestamp; `undefined` before its first report. */
  senderTimeOf(timestamp: number): number | undefined;
  /** The report block; begins a new interval for the fraction lost. `undefined` before the first packet. */
  report(ssrc: number, now: number): ReceptionReport | undefined;
}

/** Counts one stream. */
export function createReception(clockRate: number): Reception {
  const perMs = clockRate / 1_000;
  let unwrapper = createUnwrapper(16);
  let first: number | undefined;
  let received = 0;
  /** Of streams before this one, by the same SSRC. */
  let earlierExpected = 0;
  let packets = 0;
  let bytes = 0;
  let transit: number | undefined;
  let jitter = 0;
  let priorExpected = 0;
  let priorReceived = 0;
  let report: { readonly ntp: bigint; readonly timestamp: number; readonly at: number } | undefined;

  const expected = (): number => (first === undefined ? 0 : earlierExpected + (unwrapper.newest as number) - first + 1);

  function count(sequenceNumber: number, size: number): void {
    packets += 1;
    received += 1;
    bytes += size;
    const newest = unwrapper.newest;
    const delta = newest === undefined ? 0 : sequenceDelta(sequenceNumber, newest & 0xffff);
    if (delta <= -MAX_MISORDER || delta > MAX_DROPOUT) {
      earlierExpected = expected();
      unwrapper = createUnwrapper(16);
      first = undefined;
      transit = undefined;
    }
    const extended = unwrapper.unwrap(sequenceNumber);
    first ??= extended;
    // What came before the first one was expected, too.
    if (extended < first) first = extended;
  }

  return {
    get packets() {
      return packets;
    },
    get bytes() {
      return bytes;
    },
    get lost() {
      return Math.max(0, expected() - received);
    },
    get jitterMs() {
      return jitter / perMs;
    },
    receive({ sequenceNumber, timestamp, bytes: size }, arrivedAt) {
      count(sequenceNumber, size);
      // Differences are what counts, so wrapping does not matter as long as they are cut to 32 bits.
      const now = (Math.round(arrivedAt * perMs) - timestamp) | 0;
      if (transit !== undefined) jitter += (Math.abs((now - transit) | 0) - jitter) / 16;
      transit = now;
    },
    recover({ sequenceNumber, bytes: size }) {
      count(sequenceNumber, size);
    },
    onSenderReport(ntp, timestamp, at) {
      report = { ntp, timestamp, at };
    },
    senderTimeOf(timestamp) {
      if (report === undefined) return undefined;
      const unixMs =
        Number(report.ntp >> 32n) * 1_000 - 2_208_988_800_000 + Number(report.ntp & 0xffff_ffffn) / 4_294_967.296;
      return unixMs + ((timestamp - report.timestamp) | 0) / perMs;
    },
    report(ssrc, now) {
      if (first === undefined) return undefined;
      const total = expected();
      const expectedNow = total - priorExpected;
      const lostNow = expectedNow - (received - priorReceived);
      priorExpected = total;
      priorReceived = received;
      const fraction = expectedNow <= 0 || lostNow <= 0 ? 0 : Math.floor((lostNow * 256) / expectedNow);
      return {
        ssrc,
        fractionLost: Math.min(255, fraction),
        packetsLost: Math.max(-MAX_LOST, Math.min(MAX_LOST, total - received)),
        highestSequenceNumber: (unwrapper.newest as number) >>> 0,
        jitter: Math.min(0xffff_ffff, Math.round(jitter)),
        lastSenderReport: report === undefined ? 0 : middleNtp(report.ntp),
        delaySinceLastSenderReport:
          report === undefined ? 0 : Math.min(0xffff_ffff, Math.round(((now - report.at) / 1_000) * 65_536)),
      };
    },
  };
}

/**
 * Round trip from a report block about a stream of ours (RFC 3550 section 6.4.1), ms.
 *
 * @param arrivedNtp Our NTP time when the report came.
 * @returns `undefined` when the reporter has had no sender report, or its figures contradict each other.
 */
export function roundTripOf(block: ReceptionReport, arrivedNtp: bigint): number | undefined {
  if (block.lastSenderReport === 0) return undefined;
  const units = (middleNtp(arrivedNtp) - block.lastSenderReport - block.delaySinceLastSenderReport) | 0;
  return units < 0 ? (units > -656 ? 0 : undefined) : (units * 1_000) / 65_536;
}
