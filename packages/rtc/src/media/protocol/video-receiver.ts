/**
 * Owns one received video stream from packets to frames that can be decoded: order, requests for lost packets, whole frames,
 * decryption, and nothing behind a gap before a keyframe. Sends nothing itself.
 */
import { type Depacketizer, h264, type MediaFrame, type RtpPacket, vp8, vp9 } from '@guildkit/rtp';
import type { VideoCodec } from '../../protocol/voice-codecs.js';
import { createKeyframeGate } from './keyframe-gate.js';
import { createPacketSequencer } from './packet-sequencer.js';
import { hasParameters } from './video-header.js';

/** A whole frame, decrypted. */
export interface AssembledFrame {
  readonly codec: VideoCodec;
  readonly data: Uint8Array;
  readonly keyframe: boolean;
  readonly timestamp: number;
  readonly discontinuity: boolean;
  readonly arrivedAt: number;
}

/** What is to be done now. */
export interface VideoPoll {
  readonly frames: readonly AssembledFrame[];
  /** Sequence numbers to be asked for again. */
  readonly nacks: readonly number[];
  readonly wantsKeyframe: boolean;
}

/** What a stream has counted. */
export interface VideoCounts {
  frames: number;
  keyframes: number;
  dropped: number;
  late: number;
  duplicates: number;
  recovered: number;
  nacks: number;
  keyframeRequests: number;
  decryptFailures: number;
}

/** One received stream. */
export interface VideoReceiver {
  readonly counts: Readonly<VideoCounts>;
  readonly codec: VideoCodec | undefined;
  push(packet: RtpPacket, codec: VideoCodec, arrivedAt: number): void;
  /** Call after `push`, and when `nextAt` has come. */
  poll(now: number, roundTripMs: number): VideoPoll;
  /** Asks for a keyframe with the next `poll`, as often as that is allowed. */
  requestKeyframe(): void;
  readonly nextAt: number | undefined;
}

interface Arrived {
  readonly sequenceNumber: number;
  readonly packet: RtpPacket;
  readonly codec: VideoCodec;
  readonly arrivedAt: number;
}

interface VideoMediaFrame extends MediaFrame {
  readonly keyframe: boolean;
}

const FORMATS = { VP8: vp8, VP9: vp9, H264: h264 } as const;

/**
 * Makes the receiver of one stream.
 *
 * @param decrypt Takes end-to-end encryption off; `undefined` when that fails.
 */
export function createVideoReceiver(
  decrypt: (codec: VideoCodec, frame: Uint8Array) => Uint8Array | undefined,
): VideoReceiver {
  const sequencer = createPacketSequencer<Arrived>();
  let gate = createKeyframeGate();
  const counts: VideoCounts = {
    frames: 0,
    keyframes: 0,
    dropped: 0,
    late: 0,
    duplicates: 0,
    recovered: 0,
    nacks: 0,
    keyframeRequests: 0,
    decryptFailures: 0,
  };
  let codec: VideoCodec | undefined;
  let depacketizer: Depacketizer<VideoMediaFrame> | undefined;
  let isAsked = false;
  /** Parameters of H.264 have come. */
  let isParameterized = false;
  /** Something is missing since the last frame that was handed out. */
  let discontinuity = false;
  /** Frames that the depacketizers of other codecs have dropped. */
  let droppedBefore = 0;

  function formatOf(wanted: VideoCodec): Depacketizer<VideoMediaFrame> {
    if (depacketizer === undefined || codec !== wanted) {
      droppedBefore += depacketizer?.stats.dropped ?? 0;
      codec = wanted;
      depacketizer = FORMATS[wanted].createDepacketizer();
      gate = createKeyframeGate();
      isParameterized = false;
    }
    return depacketizer;
  }

  function admit(frame: VideoMediaFrame, arrived: Arrived): AssembledFrame | undefined {
    if (frame.discontinuity) discontinuity = true;
    // A stream's first packets may be lost unseen: an H.264 keyframe does not tell that its parameters are missing.
    if (arrived.codec === 'H264' && frame.keyframe && !isParameterized) isParameterized = hasParameters(frame.data);
    const isLame = arrived.codec === 'H264' && !isParameterized;
    if (!gate.admits(isLame ? { keyframe: false, discontinuity: true } : frame)) {
      counts.dropped += 1;
      discontinuity = true;
      return undefined;
    }
    const data = decrypt(arrived.codec, frame.data);
    if (data === undefined) {
      counts.decryptFailures += 1;
      counts.dropped += 1;
      discontinuity = true;
      gate.close();
      return undefined;
    }
    counts.frames += 1;
    if (frame.keyframe) counts.keyframes += 1;
    const assembled = {
      codec: arrived.codec,
      data,
      keyframe: frame.keyframe,
      timestamp: frame.timestamp,
      discontinuity,
      arrivedAt: arrived.arrivedAt,
    };
    discontinuity = false;
    return assembled;
  }

  return {
    get counts() {
      return { ...counts, dropped: counts.dropped + droppedBefore + (depacketizer?.stats.dropped ?? 0) };
    },
    get codec() {
      return codec;
    },
    get nextAt() {
      const missing = sequencer.nextAt;
      const keyframe = gate.nextAt;
      if (missing === undefined || keyframe === undefined) return missing ?? keyframe;
      return Math.min(missing, keyframe);
    },
    push(packet, packetCodec, arrivedAt) {
      const { sequenceNumber } = packet;
      const arrival = sequencer.push({ sequenceNumber, packet, codec: packetCodec, arrivedAt }, arrivedAt);
      if (arrival === 'late') counts.late += 1;
      else if (arrival === 'duplicate') counts.duplicates += 1;
      else if (arrival === 'recovered') counts.recovered += 1;
    },
    requestKeyframe() {
      isAsked = true;
    },
    poll(now, roundTripMs) {
      const frames: AssembledFrame[] = [];
      for (let arrived = sequencer.pop(now); arrived !== undefined; arrived = sequencer.pop(now)) {
        for (const frame of formatOf(arrived.codec).push(arrived.packet)) {
          const admitted = admit(frame, arrived);
          if (admitted !== undefined) frames.push(admitted);
        }
      }
      const nacks = sequencer.nacks(now, roundTripMs);
      counts.nacks += nacks.length;
      const wantsKeyframe = gate.wantsKeyframe(now, isAsked);
      isAsked = false;
      if (wantsKeyframe) counts.keyframeRequests += 1;
      return { frames, nacks, wantsKeyframe };
    },
  };
}
