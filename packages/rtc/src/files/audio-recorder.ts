/** Owns recording received audio: Opus as it came into Ogg, PCM into WAV. Pauses are kept, so that the file is in time. */
import { opus as opusFormat } from '@guildkit/rtp';
import type { MixedAudio, ReceivedAudio } from '../media/audio-types.js';
import { createFileSink } from './io/file-sink.js';
import { createOggMuxer } from './protocol/ogg.js';
import { wavHeader } from './protocol/wav.js';

const RATE = 48_000;
const FRAME_SAMPLES = 960;
const WAV_HEADER_BYTES = 44;
/** Longer pauses are cut to this: a forgotten recording shall not fill a disk with silence. */
const MAX_PAUSE_SAMPLES = 10 * 60 * RATE;

/** A recording. */
export interface AudioRecorder<Frame> {
  /** Takes a frame; may be given to `onAudio` as it is. Frames of one user only. Never throws. */
  readonly write: (frame: Frame) => void;
  /** Length so far, in ms. */
  readonly durationMs: number;
  /** Ends the file. Calling it again gives the same promise. @throws (rejects) What went wrong while writing. */
  close(): Promise<void>;
}

/**
 * Records one user's Opus packets into an Ogg file, without decoding: `rtc.onAudio(recorder.write, { userId })`. Lost frames
 * are marked as lost, so that players conceal them.
 */
export function recordOgg(path: string): AudioRecorder<ReceivedAudio> {
  const sink = createFileSink(path);
  const muxer = createOggMuxer({ channels: 2, serial: 1 });
  sink.write(muxer.header());
  let samples = 0;
  let toc = 0xfc;
  const pause = createPauseWatch();
  const put = (packet: Uint8Array, count: number): void => {
    sink.write(muxer.write(packet, count));
    samples += count;
  };
  let closing: Promise<void> | undefined;
  return {
    get durationMs() {
      return (samples * 1_000) / RATE;
    },
    write(frame) {
      for (let silent = pause(frame); silent >= FRAME_SAMPLES; silent -= FRAME_SAMPLES)
        put(opusFormat.silence, FRAME_SAMPLES);
      if (frame.opus !== undefined) {
        toc = frame.opus[0] as number;
        put(frame.opus, frame.samples);
        return;
      }
      // A packet that ends behind its first byte is a frame that was not sent (RFC 6716 section 2.1.9).
      const each = opusFormat.samplesOf(Uint8Array.of(toc & 0xfc)) as number;
      for (let left = frame.samples; left >= each; left -= each) put(Uint8Array.of(toc & 0xfc), each);
    },
    close() {
      closing ??= Promise.resolve().then(() => {
        sink.write(muxer.end());
        return sink.close();
      });
      return closing;
    },
  };
}

/**
 * Records PCM into a WAV file of 48 kHz and 16 bits: one user's (`rtc.onAudio(recorder.write, { userId, format: 'pcm' })`) or
 * everyone's (`rtc.onMixedAudio(recorder.write)`). Files end at 4 GiB, six hours of stereo.
 */
export function recordWav(path: string, channels: 1 | 2 = 2): AudioRecorder<ReceivedAudio | MixedAudio> {
  const sink = createFileSink(path);
  sink.write(wavHeader(RATE, channels, 0));
  let bytes = 0;
  const pause = createPauseWatch();
  const put = (pcm: Int16Array): void => {
    if (bytes + pcm.byteLength > 0xffff_ffff - WAV_HEADER_BYTES) return;
    // A copy: the frame is the listener's, and the disk is slow. WAV and every machine that runs Node are little-endian.
    sink.write(new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength).slice());
    bytes += pcm.byteLength;
  };
  return {
    get durationMs() {
      return (bytes * 1_000) / (RATE * channels * 2);
    },
    write(frame) {
      if (frame.pcm === undefined) return;
      if ('timestamp' in frame) {
        let silent = pause(frame);
        for (; silent > 0; silent -= RATE) put(new Int16Array(Math.min(silent, RATE) * channels));
      }
      put(frame.pcm);
    },
    close: () => sink.close(wavHeader(RATE, channels, bytes)),
  };
}

/** Samples between the end of the frame before and this one. */
function createPauseWatch(): (frame: ReceivedAudio) => number {
  let end: number | undefined;
  return ({ timestamp, samples, talkStart }) => {
    const gap = end === undefined ? 0 : (timestamp - end) | 0;
    end = (timestamp + samples) >>> 0;
    // Only pauses count: what lies between frames of one talk is the sender's rounding.
    return talkStart && gap > 0 ? Math.min(gap, MAX_PAUSE_SAMPLES) : 0;
  };
}
