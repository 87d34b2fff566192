/** Owns received video: a receiver for each stream, what is asked of senders, and who listens. */
import { check, resolveOptions, type Unsubscribe } from '@guildkit/core';
import {
  createUnwrapper,
  fromRtx,
  type ReceptionReport,
  type RtcpPacket,
  type RtpPacket,
  type SenderReport,
  type Unwrapper,
} from '@guildkit/rtp';
import { VIDEO_PAYLOAD_TYPES, type VideoCodec } from '../../protocol/voice-codecs.js';
import type { InboundStats } from '../media-stats.js';
import { createRateMeter } from '../protocol/rate-meter.js';
import { createReception } from '../protocol/reception.js';
import type { StreamOwner } from '../protocol/ssrc-table.js';
import { type AssembledFrame, createVideoReceiver } from '../protocol/video-receiver.js';
import type { MediaTransport } from '../transport.js';
import type { ReceivedVideo, ReceiveVideoOptions } from '../video-types.js';
import { createTicker } from './ticker.js';

const CLOCK_RATE = 90_000;
/** Steps of what waits for time: requests for lost packets and for keyframes. */
const STEP_MS = 10;
/** Until one is measured. */
const DEFAULT_ROUND_TRIP_MS = 60;
/** Every so many requests that went unanswered, one is a demand (FIR). */
const DEMAND_EVERY = 4;

const CODECS = new Map<number, { readonly codec: VideoCodec; readonly isRtx: boolean }>(
  (Object.keys(VIDEO_PAYLOAD_TYPES) as VideoCodec[]).flatMap((codec) => [
    [VIDEO_PAYLOAD_TYPES[codec].payloadType, { codec, isRtx: false }],
    [VIDEO_PAYLOAD_TYPES[codec].rtxPayloadType, { codec, isRtx: true }],
  ]),
);

/** What an input is made of. */
export interface VideoInputInit {
  readonly transport: MediaTransport;
  /** Round trip to the server, ms. */
  roundTripMs(): number | undefined;
  /** Calls a listener; what it throws is caught. */
  call(listener: () => void): void;
}

interface Stream {
  owner: StreamOwner;
  readonly receiver: ReturnType<typeof createVideoReceiver>;
  readonly reception: ReturnType<typeof createReception>;
  readonly meter: ReturnType<typeof createRateMeter>;
  readonly timestamps: Unwrapper;
  firstTimestamp: number | undefined;
  /** Since the last keyframe. */
  requests: number;
  /** Sequence number of the last demand. */
  demand: number;
}

interface Listener {
  readonly callback: (frame: ReceivedVideo) => void;
  readonly userId: string | undefined;
}

const DEFAULTS: { readonly userId: string | undefined } = { userId: undefined };

/** Receives the video of one client. */
export class VideoInput {
  private readonly streams = new Map<number, Stream>();
  private readonly listeners = new Set<Listener>();
  private readonly ticker;

  constructor(private readonly init: VideoInputInit) {
    this.ticker = createTicker({
      clock: init.transport.clock,
      intervalMs: STEP_MS,
      maxCatchUp: 0,
      onTick: () => this.step(),
    });
  }

  listen(callback: (frame: ReceivedVideo) => void, options: ReceiveVideoOptions | undefined): Unsubscribe {
    const { userId } = resolveOptions('onVideo', DEFAULTS, options, { userId: check.optional(check.text()) });
    const listener = { callback, userId };
    this.listeners.add(listener);
    if (this.listeners.size === 1) this.want(100);
    return () => {
      if (this.listeners.delete(listener) && this.listeners.size === 0) {
        this.want(0);
        // What comes without a listener is not put together: a listener after that begins with a keyframe.
        this.streams.clear();
      }
    };
  }

  onRtp(packet: RtpPacket, owner: StreamOwner, arrivedAt: number): void {
    const type = CODECS.get(packet.payloadType);
    if (type === undefined) return;
    if (owner.kind === 'rtx' || type.isRtx) this.onRetransmission(packet, owner, type.codec, arrivedAt);
    else this.onPacket(packet, owner, type.codec, arrivedAt);
  }

  onSenderReport(report: SenderReport, owner: StreamOwner, arrivedAt: number): void {
    this.streams.get(owner.ssrc)?.reception.onSenderReport(report.ntpTime, report.rtpTimestamp, arrivedAt);
  }

  onEnded(owner: StreamOwner): void {
    this.streams.delete(owner.ssrc);
  }

  /** The names of streams may change without their numbers. */
  onOwner(owner: StreamOwner): void {
    const stream = this.streams.get(owner.ssrc);
    if (stream !== undefined) stream.owner = owner;
  }

  requestKeyframe(owners: readonly StreamOwner[]): void {
    for (const { ssrc } of owners) {
      const stream = this.streams.get(ssrc);
      if (stream === undefined) continue;
      stream.receiver.requestKeyframe();
      this.poll(stream);
    }
  }

  reports(now: number): ReceptionReport[] {
    return [...this.streams.values()].flatMap(({ owner, reception }) => reception.report(owner.ssrc, now) ?? []);
  }

  stats(now: number): InboundStats[] {
    return [...this.streams.values()].map(({ owner, receiver, reception, meter }) => {
      const { counts, codec } = receiver;
      return {
        kind: 'video',
        ssrc: owner.ssrc,
        userId: owner.userId,
        codec,
        packets: reception.packets,
        bytes: reception.bytes,
        bitrate: meter.rate(now),
        lost: reception.lost,
        late: counts.late,
        duplicates: counts.duplicates,
        jitterMs: reception.jitterMs,
        frames: counts.frames,
        decryptFailures: counts.decryptFailures,
        concealedMs: 0,
        silencedMs: 0,
        targetDelayMs: 0,
        keyframes: counts.keyframes,
        droppedFrames: counts.dropped,
        nacks: counts.nacks,
        recovered: counts.recovered,
        keyframeRequests: counts.keyframeRequests,
      };
    });
  }

  clear(): void {
    this.streams.clear();
    this.ticker.stop();
  }

  close(): void {
    this.clear();
    this.listeners.clear();
  }

  private want(quality: number): void {
    this.init.transport.setSinkWants({ any: quality, ssrcs: {} });
  }

  private onPacket(packet: RtpPacket, owner: StreamOwner, codec: VideoCodec, arrivedAt: number): void {
    const stream = this.streamOf(owner);
    if (stream === undefined) return;
    const bytes = packet.payload.length;
    stream.reception.receive({ sequenceNumber: packet.sequenceNumber, timestamp: packet.timestamp, bytes }, arrivedAt);
    stream.meter.add(bytes, arrivedAt);
    stream.receiver.push(packet, codec, arrivedAt);
    this.poll(stream);
  }

  private onRetransmission(packet: RtpPacket, owner: StreamOwner, codec: VideoCodec, arrivedAt: number): void {
    const stream = this.streams.get(owner.mainSsrc);
    if (stream === undefined) return;
    const { payloadType } = VIDEO_PAYLOAD_TYPES[codec];
    const original = fromRtx(packet, { ssrc: owner.mainSsrc, payloadType });
    // Padding alone: a probe for bandwidth.
    if (!original.ok || original.value.payload.length === 0) return;
    const bytes = original.value.payload.length;
    stream.reception.recover({ sequenceNumber: original.value.sequenceNumber, bytes });
    stream.meter.add(bytes, arrivedAt);
    stream.receiver.push(original.value, codec, arrivedAt);
    this.poll(stream);
  }

  private streamOf(owner: StreamOwner): Stream | undefined {
    const known = this.streams.get(owner.ssrc);
    if (known !== undefined) return known;
    if (!this.isWanted(owner.userId)) return undefined;
    const { transport } = this.init;
    const stream: Stream = {
      owner,
      receiver: createVideoReceiver((codec, frame) => {
        const result = transport.decryptFrame(owner.userId, codec, frame);
        return result.ok ? result.frame : undefined;
      }),
      reception: createReception(CLOCK_RATE),
      meter: createRateMeter(),
      timestamps: createUnwrapper(32),
      firstTimestamp: undefined,
      requests: 0,
      demand: 0,
    };
    this.streams.set(owner.ssrc, stream);
    return stream;
  }

  private isWanted(userId: string): boolean {
    for (const listener of this.listeners) {
      if (listener.userId === undefined || listener.userId === userId) return true;
    }
    return false;
  }

  private step(): void {
    const now = this.init.transport.clock.now();
    let waits = false;
    for (const stream of [...this.streams.values()]) {
      const { nextAt } = stream.receiver;
      if (nextAt === undefined) continue;
      waits = true;
      if (nextAt <= now) this.poll(stream);
    }
    if (!waits) this.ticker.stop();
  }

  private poll(stream: Stream): void {
    const { transport } = this.init;
    const { receiver, owner } = stream;
    const roundTripMs = this.init.roundTripMs() ?? DEFAULT_ROUND_TRIP_MS;
    const { frames, nacks, wantsKeyframe } = receiver.poll(transport.clock.now(), roundTripMs);
    const requests: RtcpPacket[] = [];
    const feedback = { senderSsrc: transport.session?.audioSsrc ?? 0, mediaSsrc: owner.ssrc };
    if (nacks.length > 0) requests.push({ type: 'nack', ...feedback, sequenceNumbers: nacks });
    if (wantsKeyframe) requests.push(this.keyframeRequest(stream, feedback));
    if (requests.length > 0) transport.sendRtcp(requests);
    if (receiver.nextAt !== undefined) this.ticker.start();
    for (const frame of frames) this.deliver(frame, stream);
  }

  private keyframeRequest(stream: Stream, feedback: { senderSsrc: number; mediaSsrc: number }): RtcpPacket {
    stream.requests += 1;
    if (stream.requests % DEMAND_EVERY !== 0) return { type: 'pictureLossIndication', ...feedback };
    stream.demand = (stream.demand + 1) & 0xff;
    // RFC 5104 section 4.3.1.1: the media SSRC of a FIR is 0.
    const requests = [{ ssrc: feedback.mediaSsrc, sequenceNumber: stream.demand }];
    return { type: 'fullIntraRequest', senderSsrc: feedback.senderSsrc, mediaSsrc: 0, requests };
  }

  private deliver(frame: AssembledFrame, stream: Stream): void {
    if (frame.keyframe) stream.requests = 0;
    const extended = stream.timestamps.unwrap(frame.timestamp);
    stream.firstTimestamp ??= extended;
    const { userId, ssrc, rid } = stream.owner;
    const received: ReceivedVideo = {
      userId,
      ssrc,
      rid,
      ...frame,
      timestampUs: Math.round(((extended - stream.firstTimestamp) * 1_000_000) / CLOCK_RATE),
      senderTime: stream.reception.senderTimeOf(frame.timestamp),
    };
    for (const listener of [...this.listeners]) {
      if (listener.userId !== undefined && listener.userId !== userId) continue;
      this.init.call(() => listener.callback(received));
    }
  }
}
