/** Owns recording received video: into IVF as it is, or with sound into WebM. */

import { RtcError } from '../errors.js';
import type { ReceivedAudio } from '../media/audio-types.js';
import { frameSizeOf } from '../media/protocol/video-header.js';
import type { ReceivedVideo } from '../media/video-types.js';
import { createFileSink, type FileSink } from './io/file-sink.js';
import { type Bunny, type BunnySource, loadBunny } from './io/mediabunny.js';
import { ivfFrame, ivfHeader } from './protocol/ivf.js';

/** Timestamps of RTP video. */
const RATE = 90_000;
const MAX_WAITING_FRAMES = 1_000;

/** A recording of one user's video. */
export interface VideoRecorder {
  /** Takes a frame; may be given to `onVideo` as it is. Frames of one stream only. Never throws. */
  readonly write: (frame: ReceivedVideo) => void;
  readonly frames: number;
  /** Ends the file. Calling it again gives the same promise. @throws (rejects) What went wrong while writing. */
  close(): Promise<void>;
}

/** Records one user's frames into an IVF file: `rtc.onVideo(recorder.write, { userId })`. Begins with the first keyframe. */
export function recordIvf(path: string): VideoRecorder {
  const sink: FileSink = createFileSink(path);
  let frames = 0;
  return {
    get frames() {
      return frames;
    },
    write({ codec, data, keyframe, timestampUs }) {
      if (frames === 0) {
        if (!keyframe) return;
        const { width, height } = frameSizeOf(codec, data) ?? { width: 0, height: 0 };
        sink.write(ivfHeader({ codec, width, height, rate: RATE, scale: 1 }));
      }
      frames += 1;
      sink.write(ivfFrame({ data, timestamp: Math.round((timestampUs * RATE) / 1_000_000) }));
    },
    close: () => sink.close(),
  };
}

/** A recording with sound. */
export interface WebmRecorder extends VideoRecorder {
  /** Takes a frame; may be given to `onAudio` as it is. Frames of one user only. Never throws. */
  readonly writeAudio: (frame: ReceivedAudio) => void;
}

/** What a WebM recording holds. */
export interface WebmOptions {
  /** @defaultValue no video */
  readonly video?: 'VP8' | 'VP9' | undefined;
  /** @defaultValue true */
  readonly audio?: boolean | undefined;
}

/**
 * Records one user's video and Opus into a WebM file, without decoding. Needs the package mediabunny. Tracks are put together
 * by when their packets came, counted from the first one.
 *
 * @throws RtcError (rejects) `ERR_RTC_FILE_READER_MISSING`
 */
export async function recordWebm(path: string, { video, audio = true }: WebmOptions = {}): Promise<WebmRecorder> {
  const bunny = await loadBunny();
  const output = new bunny.Output({ format: new bunny.WebMOutputFormat(), target: new bunny.FilePathTarget(path) });
  const audioSource = audio ? new bunny.EncodedAudioPacketSource('opus') : undefined;
  const videoSource =
    video === undefined ? undefined : new bunny.EncodedVideoPacketSource(video === 'VP8' ? 'vp8' : 'vp9');
  if (audioSource !== undefined) output.addAudioTrack(audioSource);
  if (videoSource !== undefined) output.addVideoTrack(videoSource);
  const queue = createQueue();
  queue.add(() => output.start());
  let firstArrival: number | undefined;
  let frames = 0;
  let audioTrack: { readonly at: number; readonly timestamp: number } | undefined;
  let videoOffset: number | undefined;
  let hasAudio = false;
  let lastAudio = -1;
  let closing: Promise<void> | undefined;

  const since = (arrivedAt: number): number => {
    firstArrival ??= arrivedAt;
    return Math.max(0, (arrivedAt - firstArrival) / 1_000);
  };
  const add = (source: BunnySource, packet: InstanceType<Bunny['EncodedPacket']>, meta: object | undefined): void =>
    queue.add(() => source.add(packet, meta));

  return {
    get frames() {
      return frames;
    },
    write({ codec, data, keyframe, timestampUs, arrivedAt }) {
      if (videoSource === undefined || codec !== video || (frames === 0 && !keyframe)) return;
      videoOffset ??= since(arrivedAt) - timestampUs / 1_000_000;
      const size = frames === 0 ? frameSizeOf(codec, data) : undefined;
      const meta = frames === 0 && {
        decoderConfig: {
          codec: video === 'VP8' ? 'vp8' : 'vp09.00.10.08',
          codedWidth: size?.width ?? 640,
          codedHeight: size?.height ?? 360,
        },
      };
      frames += 1;
      const at = Math.max(0, videoOffset + timestampUs / 1_000_000);
      add(videoSource, new bunny.EncodedPacket(data, keyframe ? 'key' : 'delta', at, 1 / 30), meta || undefined);
    },
    writeAudio({ opus, samples, timestamp, rtp }) {
      if (audioSource === undefined || opus === undefined || rtp === undefined) return;
      audioTrack ??= { at: since(rtp.arrivedAt), timestamp };
      const at = audioTrack.at + ((timestamp - audioTrack.timestamp) | 0) / 48_000;
      // A stream that began anew: what does not come after is no part of the file.
      if (at <= lastAudio) return;
      lastAudio = at;
      const meta = hasAudio ? undefined : { decoderConfig: { codec: 'opus', numberOfChannels: 2, sampleRate: 48_000 } };
      hasAudio = true;
      add(audioSource, new bunny.EncodedPacket(opus, 'key', at, samples / 48_000), meta);
    },
    close() {
      closing ??= queue.end(() => output.finalize());
      return closing;
    },
  };
}

/** Runs one after another; the first failure ends it. */
function createQueue(): { add(work: () => Promise<void>): void; end(work: () => Promise<void>): Promise<void> } {
  let waiting = 0;
  let failure: unknown;
  let tail: Promise<void> = Promise.resolve();
  const add = (work: () => Promise<void>): void => {
    if (failure !== undefined) return;
    if (waiting >= MAX_WAITING_FRAMES) {
      failure = new RtcError('ERR_RTC_RECORDING_FAILED', 'the disk is slower than the recording');
      return;
    }
    waiting += 1;
    tail = tail
      .then(() => (failure === undefined ? work() : undefined))
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => {
        waiting -= 1;
      });
  };
  return {
    add,
    async end(work) {
      await tail;
      if (failure !== undefined) throw failure;
      await work();
    },
  };
}
