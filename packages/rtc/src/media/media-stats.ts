/** Owns the shapes of the figures of media. Types only. */
import type { VideoCodec } from '../protocol/voice-codecs.js';

/** One stream that is sent. */
export interface OutboundStats {
  readonly kind: 'audio' | 'video';
  readonly ssrc: number;
  readonly codec: 'opus' | VideoCodec | undefined;
  readonly packets: number;
  /** Of payload. */
  readonly bytes: number;
  readonly frames: number;
  /** Bits a second, over the last seconds. */
  readonly bitrate: number;
  readonly keyframes: number;
  /** Packets sent again. */
  readonly retransmitted: number;
  /** Packets asked for again (NACK). */
  readonly nacks: number;
  /** Keyframes asked for (PLI, FIR). */
  readonly keyframeRequests: number;
  /** Frames that could not be encrypted or packetized. */
  readonly droppedFrames: number;
  /** From the receiver's last report: share lost, 0 to 1. */
  readonly remoteLoss: number | undefined;
  /** From the receiver's last report. */
  readonly remoteJitterMs: number | undefined;
  readonly roundTripMs: number | undefined;
}

/** One stream that is received. */
export interface InboundStats {
  readonly kind: 'audio' | 'video';
  readonly ssrc: number;
  readonly userId: string;
  readonly codec: 'opus' | VideoCodec | undefined;
  readonly packets: number;
  /** Of payload. */
  readonly bytes: number;
  /** Bits a second, over the last seconds. */
  readonly bitrate: number;
  /** Packets that never came (RFC 3550 appendix A.3); retransmitted ones came. */
  readonly lost: number;
  /** Came too late to be of use. */
  readonly late: number;
  readonly duplicates: number;
  /** RFC 3550 section 6.4.1. */
  readonly jitterMs: number;
  readonly frames: number;
  /** Frames that DAVE could not decrypt. */
  readonly decryptFailures: number;
  /** Audio made up for lost packets. */
  readonly concealedMs: number;
  /** Audio lost beyond that, played as silence. */
  readonly silencedMs: number;
  /** What the jitter buffer aims at now. */
  readonly targetDelayMs: number;
  readonly keyframes: number;
  /** Frames not handed out: incomplete, or behind a gap. */
  readonly droppedFrames: number;
  /** Packets that were asked for again. */
  readonly nacks: number;
  /** Packets that came by retransmission. */
  readonly recovered: number;
  /** Keyframes that were asked for. */
  readonly keyframeRequests: number;
}

/** All figures of media. */
export interface MediaStats {
  readonly outbound: readonly OutboundStats[];
  readonly inbound: readonly InboundStats[];
  /** Packets of SSRCs that no one has announced, dropped. */
  readonly unknownPackets: number;
}
