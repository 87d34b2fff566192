/** Owns WAV: the header before PCM, read and written. Samples of 16, 24 and 32 bits and floats are read, 16 bits written. */

/** What the samples are. */
export interface WavFormat {
  readonly sampleRate: number;
  readonly channels: number;
  readonly bits: 16 | 24 | 32;
  readonly isFloat: boolean;
}

/** Reads a file in pieces of any size. */
export interface WavParser {
  /** `undefined` until it has come. */
  readonly format: WavFormat | undefined;
  /** @returns Interleaved samples from -1 to 1, or what is wrong with the file. */
  push(
    bytes: Uint8Array,
  ): { readonly ok: true; readonly samples: Float32Array } | { readonly ok: false; readonly problem: string };
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const HEADER_BYTES = 44;
/** Chunks before the sound, such as cover pictures, are passed over up to this size. */
const MAX_HEAD_BYTES = 16 * 1024 * 1024;

/** Begins to read a file. */
export function createWavParser(): WavParser {
  let rest = new Uint8Array(0);
  let format: WavFormat | undefined;
  /** Bytes of sound still to come; `undefined` before they begin. */
  let left: number | undefined;

  /** Goes to the sound. @returns Where it begins, `undefined` when more bytes are needed, or what is wrong. */
  function readHead(bytes: Uint8Array): number | string | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 12) return undefined;
    if (textAt(bytes, 0) !== 'RIFF' || textAt(bytes, 8) !== 'WAVE') return 'it does not begin with RIFF and WAVE';
    for (let at = 12; at + 8 <= bytes.length; ) {
      const name = textAt(bytes, at);
      const size = view.getUint32(at + 4, true);
      if (name === 'data') {
        if (format === undefined) return 'its sound comes before its format';
        // 0 and all ones: written by a pipe that could not go back; the sound goes on to the end.
        left = size === 0 || size >= 0xffff_fff0 ? Number.POSITIVE_INFINITY : size;
        return at + 8;
      }
      if (name === 'fmt ') {
        if (at + 8 + Math.max(16, size) > bytes.length) return undefined;
        const read = readFormat(view, at + 8, size);
        if (typeof read === 'string') return read;
        format = read;
      }
      at += 8 + size + (size & 1);
      if (at > MAX_HEAD_BYTES) return 'there is no sound in its first 16 MiB';
    }
    return undefined;
  }

  return {
    get format() {
      return format;
    },
    push(bytes) {
      let all = new Uint8Array(rest.length + bytes.length);
      all.set(rest);
      all.set(bytes, rest.length);
      if (left === undefined) {
        const start = readHead(all);
        if (typeof start === 'string') return { ok: false, problem: start };
        if (start === undefined) {
          rest = all;
          return { ok: true, samples: new Float32Array(0) };
        }
        all = all.subarray(start);
      }
      const { bits, isFloat } = format as WavFormat;
      const each = bits / 8;
      const count = Math.floor(Math.min(all.length, left as number) / each);
      const samples = readSamples(all, count, bits, isFloat);
      left = (left as number) - count * each;
      rest = left < each ? new Uint8Array(0) : all.slice(count * each);
      return { ok: true, samples };
    },
  };
}

/** The header of 16-bit PCM. */
export function wavHeader(sampleRate: number, channels: number, dataBytes: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  putText(bytes, 0, 'RIFF');
  view.setUint32(4, Math.min(0xffff_ffff, dataBytes + HEADER_BYTES - 8), true);
  putText(bytes, 8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, PCM, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * channels * 2, true);
  view.setUint16(32, channels * 2, true);
  view.setUint16(34, 16, true);
  putText(bytes, 36, 'data');
  view.setUint32(40, Math.min(0xffff_ffff, dataBytes), true);
  return bytes;
}

function readFormat(view: DataView, at: number, size: number): WavFormat | string {
  let kind = view.getUint16(at, true);
  // The first two bytes of a GUID say what it is.
  if (kind === EXTENSIBLE && size >= 26) kind = view.getUint16(at + 24, true);
  const channels = view.getUint16(at + 2, true);
  const sampleRate = view.getUint32(at + 4, true);
  const bits = view.getUint16(at + 14, true);
  const isFloat = kind === FLOAT;
  const isKnown = isFloat ? bits === 32 : kind === PCM && (bits === 16 || bits === 24 || bits === 32);
  if (!isKnown) return `its samples are of kind ${kind} with ${bits} bits`;
  return { sampleRate, channels, bits: bits as WavFormat['bits'], isFloat };
}

function readSamples(bytes: Uint8Array, count: number, bits: WavFormat['bits'], isFloat: boolean): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const samples = new Float32Array(count);
  for (let n = 0; n < count; n += 1) {
    if (bits === 16) samples[n] = view.getInt16(n * 2, true) / 32_768;
    else if (bits === 24) samples[n] = ((view.getInt16(n * 3 + 1, true) << 8) | view.getUint8(n * 3)) / 8_388_608;
    else samples[n] = isFloat ? view.getFloat32(n * 4, true) : view.getInt32(n * 4, true) / 2_147_483_648;
  }
  return samples;
}

const textAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

function putText(bytes: Uint8Array, at: number, text: string): void {
  for (let n = 0; n < text.length; n += 1) bytes[at + n] = text.charCodeAt(n);
}
