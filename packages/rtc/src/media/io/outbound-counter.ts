/** Owns the figures of one stream that is sent, and its sender reports. */
import { ntpFromUnixMs, type ReceptionReport, type SenderReport } from '@guildkit/rtp';
import type { OutboundStats } from '../media-stats.js';
import { createRateMeter } from '../protocol/rate-meter.js';
import { roundTripOf } from '../protocol/reception.js';

/** Counts one stream. Counters are for its owner to raise. */
export class OutboundCounter {
  packets = 0;
  bytes = 0;
  frames = 0;
  keyframes = 0;
  retransmitted = 0;
  nacks = 0;
  keyframeRequests = 0;
  dropped = 0;
  roundTripMs: number | undefined;
  private remoteLoss: number | undefined;
  private remoteJitter: number | undefined;
  private readonly meter = createRateMeter();

  constructor(
    private readonly kind: 'audio' | 'video',
    private readonly clockRate: number,
  ) {}

  /** A packet was sent. */
  count(bytes: number, now: number): void {
    this.packets += 1;
    this.bytes += bytes;
    this.meter.add(bytes, now);
  }

  /** A receiver reports on it. */
  onReport(block: ReceptionReport, wallTime: number): void {
    this.remoteLoss = block.fractionLost / 256;
    this.remoteJitter = (block.jitter * 1_000) / this.clockRate;
    this.roundTripMs = roundTripOf(block, ntpFromUnixMs(wallTime)) ?? this.roundTripMs;
  }

  report(ssrc: number, rtpTimestamp: number, wallTime: number, reports: readonly ReceptionReport[]): SenderReport {
    return {
      type: 'senderReport',
      ssrc,
      ntpTime: ntpFromUnixMs(wallTime),
      rtpTimestamp,
      packetCount: this.packets >>> 0,
      octetCount: this.bytes >>> 0,
      reports,
    };
  }

  stats(ssrc: number, codec: OutboundStats['codec'], now: number): OutboundStats {
    return {
      kind: this.kind,
      ssrc,
      codec,
      packets: this.packets,
      bytes: this.bytes,
      frames: this.frames,
      bitrate: this.meter.rate(now),
      keyframes: this.keyframes,
      retransmitted: this.retransmitted,
      nacks: this.nacks,
      keyframeRequests: this.keyframeRequests,
      droppedFrames: this.dropped,
      remoteLoss: this.remoteLoss,
      remoteJitterMs: this.remoteJitter,
      roundTripMs: this.roundTripMs,
    };
  }
}
