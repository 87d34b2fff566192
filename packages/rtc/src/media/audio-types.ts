/** Owns the shapes of audio that goes out and comes in. Types only. */
import type { HeaderExtension } from '@guildkit/rtp';

/** A web stream, as far as it is used. */
export interface WebStream<T> {
  /** Locks the stream for one reader. */
  getReader(): {
    /** The next item. */
    read(): Promise<{ readonly done: boolean; readonly value?: T | undefined }>;
    /** Wants no more. */
    cancel(reason?: unknown): Promise<void>;
  };
}

/** Anything that gives items one after another: an array, a generator, a Node `Readable`, a web `ReadableStream`. */
export type MediaInput<T> = Iterable<T> | AsyncIterable<T> | WebStream<T>;

/** How the bytes of PCM are to be read, least significant byte first. */
export type PcmFormat = 's16le' | 'f32le';

/** Sound that is not encoded. Arrays are interleaved; floats run from -1 to 1. */
export interface PcmSource {
  /** One array, or chunks of any length. Bytes need `format`. */
  readonly pcm: Int16Array | Float32Array | MediaInput<Int16Array | Float32Array | Uint8Array>;
  /** Samples a second of each channel, 4,000 to 384,000. What is not 48,000 is resampled. */
  readonly sampleRate: number;
  readonly channels: 1 | 2;
  /** Of chunks that are bytes; samples may be cut in two by chunks. @defaultValue `s16le` */
  readonly format?: PcmFormat | undefined;
}

/** Opus packets, 48 kHz. They are sent as they are. */
export interface OpusSource {
  /** One packet in each item, of any duration Opus has. */
  readonly opus: MediaInput<Uint8Array>;
}

/** A source that is opened when its turn comes, such as a file. */
export interface DeferredSource<T> {
  /**
   * Opens it.
   *
   * @param signal Fires when the source is no longer wanted.
   */
  open(signal: AbortSignal): Promise<T>;
}

/** What `sendAudio` takes. Items without more ado are Opus packets. */
export type AudioSource = PcmSource | OpusSource | MediaInput<Uint8Array> | DeferredSource<PcmSource | OpusSource>;

/** Settings of one `sendAudio`. */
export interface SendAudioOptions {
  /** Ends it; `finished` rejects with `ERR_RTC_SEND_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * What happens while another source plays: wait for its end, play with it, or end it.
   *
   * @defaultValue `queue`
   */
  readonly whenBusy?: 'queue' | 'mix' | 'replace' | undefined;
  /** 0 to 4. Opus packets are decoded and encoded again for any other than 1. @defaultValue 1 */
  readonly volume?: number | undefined;
  /** What others are told: microphone, or sound of a shared screen. @defaultValue `microphone` */
  readonly speaking?: 'microphone' | 'soundshare' | undefined;
  /** Priority speaker; the bot needs the permission. @defaultValue false */
  readonly priority?: boolean | undefined;
}

/** Where a sender stands. */
export type SenderState = 'waiting' | 'sending' | 'paused' | 'ended';

/** One source being sent. */
export interface AudioSender {
  readonly state: SenderState;
  /**
   * Resolves when all was sent, or after `stop()`. Rejects with RtcError `ERR_RTC_SEND_ABORTED`, `ERR_RTC_SOURCE_FAILED`,
   * `ERR_RTC_SOURCE_INVALID` or `ERR_RTC_OPUS_FAILED`. It may be ignored: that is no unhandled rejection.
   */
  readonly finished: Promise<void>;
  /** Milliseconds of the source that were sent. */
  readonly sentMs: number;
  /** 0 to 4. May be set at any time. */
  volume: number;
  /** Stops where it is. Nothing is pulled from the source meanwhile. */
  pause(): void;
  /** Goes on where it stopped. */
  resume(): void;
  /** Ends it with five frames of silence. */
  stop(): void;
}

/** 20 ms of a user's voice, or as much as one packet holds. */
export interface ReceivedAudio {
  readonly userId: string;
  readonly ssrc: number;
  /** `packet`: it came. `concealed`: it did not, PCM is made up. `silence`: too much was lost, PCM is zeros. */
  readonly kind: 'packet' | 'concealed' | 'silence';
  /** The Opus packet, decrypted; `undefined` when none came. */
  readonly opus: Uint8Array | undefined;
  /** Interleaved 48 kHz samples where PCM was asked for. Yours: nobody writes into it again. */
  readonly pcm: Int16Array | undefined;
  /** Of `pcm`. */
  readonly channels: 1 | 2;
  /** Samples of each channel at 48 kHz: 960 for 20 ms. */
  readonly samples: number;
  /** The first after a pause. */
  readonly talkStart: boolean;
  /** RTP timestamp, 48 kHz. */
  readonly timestamp: number;
  /** RTP metadata; `undefined` when no packet came. */
  readonly rtp:
    | {
        readonly sequenceNumber: number;
        readonly marker: boolean;
        readonly csrcs: readonly number[];
        readonly extension: HeaderExtension | undefined;
        /** On the transport's clock, ms. */
        readonly arrivedAt: number;
      }
    | undefined;
}

/** Settings of one `onAudio`. */
export interface ReceiveAudioOptions {
  /** Only of this user. */
  readonly userId?: string | undefined;
  /** Whether `pcm` is made. @defaultValue `opus`: nothing is decoded */
  readonly format?: 'opus' | 'pcm' | undefined;
  /** Of PCM. @defaultValue 2 */
  readonly channels?: 1 | 2 | undefined;
}

/** 20 ms of everyone together. */
export interface MixedAudio {
  /** Interleaved stereo, 48 kHz, 1,920 samples. Zeros while nobody speaks. */
  readonly pcm: Int16Array;
  /** Who can be heard in it. */
  readonly userIds: readonly string[];
}
