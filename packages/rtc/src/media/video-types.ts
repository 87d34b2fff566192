/** Owns the shapes of video that goes out and comes in. Types only. */
import type { VideoCodec } from '../protocol/voice-codecs.js';
import type { DeferredSource, MediaInput, SenderState } from './audio-types.js';

/** One encoded frame. */
export interface VideoFrame {
  /** VP8 and VP9: the frame; H.264: an Annex B stream with parameter sets before each keyframe. */
  readonly data: Uint8Array;
  readonly keyframe: boolean;
  /** Microseconds from any beginning, growing. */
  readonly timestamp: number;
}

/** WebCodecs' `EncodedVideoChunk`, as far as it is used. */
export interface VideoChunk {
  readonly type: 'key' | 'delta';
  /** Microseconds. */
  readonly timestamp: number;
  readonly byteLength: number;
  /** Writes the frame. */
  copyTo(destination: Uint8Array): void;
}

/** Encoded video of one codec. */
export interface VideoTrack {
  readonly codec: VideoCodec;
  readonly frames: MediaInput<VideoFrame | VideoChunk>;
  /** Told to others. @defaultValue read from the first keyframe of VP8 and VP9, else 1280 × 720 */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** What `sendVideo` takes: one track, one that is opened when it is wanted, or several of which the call's codec decides. */
export type VideoSource = VideoTrack | DeferredSource<VideoTrack> | readonly VideoTrack[];

/** Settings of one `sendVideo`. */
export interface SendVideoOptions {
  /** Ends it; `finished` rejects with `ERR_RTC_SEND_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * When a frame is sent: as its timestamp says, or as soon as the source gives it.
   *
   * @defaultValue `timestamps`
   */
  readonly pacing?: 'timestamps' | 'arrival' | undefined;
  /**
   * Someone needs a keyframe: tell the encoder. At most twice a second. Until the next keyframe comes they see nothing.
   */
  readonly onKeyframeRequest?: (() => void) | undefined;
  /** What the server wants of this stream, 0 to 100 (opcode 15). */
  readonly onWanted?: ((quality: number) => void) | undefined;
  /** Which of the streams the server offers, by simulcast id. @defaultValue the best one */
  readonly rid?: string | undefined;
  /** Bits a second, told to others. @defaultValue 2,500,000 */
  readonly maxBitrate?: number | undefined;
  /** Told to others. @defaultValue 30 */
  readonly maxFramerate?: number | undefined;
}

/** One source being sent. */
export interface VideoSender {
  readonly state: SenderState;
  /**
   * Resolves when all was sent, or after `stop()`. Rejects with RtcError `ERR_RTC_SEND_ABORTED`, `ERR_RTC_SOURCE_FAILED`,
   * `ERR_RTC_SOURCE_INVALID` or `ERR_RTC_CODEC_UNAVAILABLE`. It may be ignored: that is no unhandled rejection.
   */
  readonly finished: Promise<void>;
  /** What is sent; `undefined` before the first frame. */
  readonly codec: VideoCodec | undefined;
  /** Frames that were sent. */
  readonly sentFrames: number;
  /** Stops where it is. Resuming goes on with the next keyframe. */
  pause(): void;
  /** Goes on with the next keyframe. */
  resume(): void;
  /** Ends it and tells others. */
  stop(): void;
}

/** One whole frame of a user's video, decrypted. */
export interface ReceivedVideo {
  readonly userId: string;
  readonly ssrc: number;
  /** Simulcast id of its stream; empty when there is one stream only. */
  readonly rid: string;
  readonly codec: VideoCodec;
  readonly data: Uint8Array;
  readonly keyframe: boolean;
  /** RTP timestamp, 90 kHz. */
  readonly timestamp: number;
  /** Microseconds since the stream's first frame: for WebCodecs. */
  readonly timestampUs: number;
  /** Unix time in ms by the sender's clock, once it has told its time: for synchrony with its audio. */
  readonly senderTime: number | undefined;
  /** Frames between the one before and this one are missing. Only before keyframes: nothing else can be decoded then. */
  readonly discontinuity: boolean;
  /** When its last packet came, on the transport's clock, ms. */
  readonly arrivedAt: number;
}

/** Settings of one `onVideo`. */
export interface ReceiveVideoOptions {
  /** Only of this user. */
  readonly userId?: string | undefined;
}
