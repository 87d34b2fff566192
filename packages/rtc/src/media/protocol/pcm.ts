/** Owns PCM: formats to floats and back, channels, chunks to frames, and the sum of several sounds. */
import type { PcmFormat } from '../audio-types.js';

const NO_SAMPLES = new Float32Array(0);

/** Reads chunks of one stream as floats from -1 to 1. Bytes may be cut anywhere. */
export function createPcmReader(format: PcmFormat): (chunk: Int16Array | Float32Array | Uint8Array) => Float32Array {
  const bytesEach = format === 's16le' ? 2 : 4;
  let rest = new Uint8Array(0);
  return (chunk) => {
    if (chunk instanceof Float32Array) return chunk;
    if (chunk instanceof Int16Array) return fromInt16(chunk);
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    const count = Math.floor(bytes.length / bytesEach);
    rest = bytes.slice(count * bytesEach);
    if (count === 0) return NO_SAMPLES;
    const view = new DataView(bytes.buffer);
    const samples = new Float32Array(count);
    for (let n = 0; n < count; n += 1) {
      samples[n] = format === 's16le' ? view.getInt16(n * 2, true) / 32_768 : view.getFloat32(n * 4, true);
    }
    return samples;
  };
}

/** Whole numbers of 16 bits as floats. */
export function fromInt16(samples: Int16Array): Float32Array {
  const floats = new Float32Array(samples.length);
  for (let n = 0; n < samples.length; n += 1) floats[n] = (samples[n] as number) / 32_768;
  return floats;
}

/** Floats as whole numbers of 16 bits, cut at full scale. What was made of such numbers comes back the same. */
export function toInt16(samples: Float32Array): Int16Array {
  const whole = new Int16Array(samples.length);
  for (let n = 0; n < samples.length; n += 1) {
    const value = Math.round((samples[n] as number) * 32_768);
    // NaN becomes 0.
    whole[n] = Math.max(-32_768, Math.min(32_767, value));
  }
  return whole;
}

/** Both channels the same. */
export function toStereo(mono: Float32Array): Float32Array {
  const stereo = new Float32Array(mono.length * 2);
  for (let n = 0; n < mono.length; n += 1) {
    const sample = mono[n] as number;
    stereo[n * 2] = sample;
    stereo[n * 2 + 1] = sample;
  }
  return stereo;
}

/** Multiplies in place. */
export function scale(samples: Float32Array, by: number): void {
  if (by === 1) return;
  for (let n = 0; n < samples.length; n += 1) samples[n] = (samples[n] as number) * by;
}

/** Loudness of a frame in -dBov, 0 (full) to 127 (silent), as RFC 6464 counts it. */
export function audioLevel(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / Math.max(1, samples.length));
  return rms <= 0 ? 127 : Math.min(127, Math.max(0, Math.round(-20 * Math.log10(rms))));
}

/** Cuts chunks of any length into frames. */
export interface FrameCutter {
  push(samples: Float32Array): void;
  /** The next frame; with `isEnd` also a last one that is filled up with silence. */
  take(isEnd?: boolean): Float32Array | undefined;
  /** Samples that wait. */
  readonly length: number;
}

/** @param size Samples of a frame, of all channels together. */
export function createFrameCutter(size: number): FrameCutter {
  let chunks: Float32Array[] = [];
  let offset = 0;
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(samples) {
      if (samples.length === 0) return;
      chunks.push(samples);
      length += samples.length;
    },
    take(isEnd = false) {
      if (length < size && !(isEnd && length > 0)) return undefined;
      const frame = new Float32Array(size);
      let at = 0;
      let used = 0;
      while (at < size && used < chunks.length) {
        const chunk = chunks[used] as Float32Array;
        const part = chunk.subarray(offset, offset + size - at);
        frame.set(part, at);
        at += part.length;
        offset += part.length;
        if (offset === chunk.length) {
          used += 1;
          offset = 0;
        }
      }
      if (used > 0) chunks = chunks.slice(used);
      length -= at;
      return frame;
    },
  };
}

/** Above this a sum is bent instead of cut. */
const KNEE = 0.8;

/**
 * The sum of sounds of the same length. Peaks beyond {@link KNEE} are bent towards full scale: cutting them would be heard
 * as crackling. One sound alone comes out as it is.
 */
export function mix(sounds: readonly Float32Array[], length: number): Float32Array {
  const sum = new Float32Array(length);
  for (const sound of sounds) {
    const count = Math.min(length, sound.length);
    for (let n = 0; n < count; n += 1) sum[n] = (sum[n] as number) + (sound[n] as number);
  }
  if (sounds.length < 2) return sum;
  for (let n = 0; n < length; n += 1) {
    const value = sum[n] as number;
    const size = Math.abs(value);
    if (size > KNEE) sum[n] = Math.sign(value) * (KNEE + (1 - KNEE) * Math.tanh((size - KNEE) / (1 - KNEE)));
  }
  return sum;
}
