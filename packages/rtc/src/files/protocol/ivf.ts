/** Owns IVF, the plainest container of video: a header, then frames with their size and time. All of it little-endian. */
import type { VideoCodec } from '../../protocol/voice-codecs.js';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 12;
/** Larger than any frame: a length beyond is damage. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

const FOURCC = { VP8: 'VP80', VP9: 'VP90', H264: 'H264' } as const satisfies Readonly<Record<VideoCodec, string>>;

/** What the header tells. */
export interface IvfHeader {
  readonly codec: VideoCodec;
  readonly width: number;
  readonly height: number;
  /** Timestamps count in `scale / rate` seconds. */
  readonly rate: number;
  readonly scale: number;
}

/** One frame. */
export interface IvfFrame {
  readonly data: Uint8Array;
  /** In the header's units. */
  readonly timestamp: number;
}

/** Reads a file in pieces of any size. */
export interface IvfParser {
  /** `undefined` until it has come. */
  readonly header: IvfHeader | undefined;
  /** @returns The frames that are complete now, or what is wrong with the file. */
  push(
    bytes: Uint8Array,
  ): { readonly ok: true; readonly frames: readonly IvfFrame[] } | { readonly ok: false; readonly problem: string };
}

/** Whether a file begins as IVF does. */
export const isIvf = (bytes: Uint8Array): boolean => textAt(bytes, 0) === 'DKIF';

/** Begins to read a file. */
export function createIvfParser(): IvfParser {
  let rest = new Uint8Array(0);
  let header: IvfHeader | undefined;

  return {
    get header() {
      return header;
    },
    push(bytes) {
      const all = new Uint8Array(rest.length + bytes.length);
      all.set(rest);
      all.set(bytes, rest.length);
      const view = new DataView(all.buffer);
      let at = 0;
      if (header === undefined) {
        if (all.length < HEADER_BYTES) {
          rest = all;
          return { ok: true, frames: [] };
        }
        const read = readHeader(all, view);
        if (typeof read === 'string') return { ok: false, problem: read };
        header = read.header;
        at = read.size;
      }
      const frames: IvfFrame[] = [];
      while (at + FRAME_HEADER_BYTES <= all.length) {
        const size = view.getUint32(at, true);
        if (size > MAX_FRAME_BYTES) return { ok: false, problem: `a frame of ${size} bytes` };
        const end = at + FRAME_HEADER_BYTES + size;
        if (end > all.length) break;
        const timestamp = Number(view.getBigUint64(at + 4, true));
        if (size > 0) frames.push({ data: all.slice(at + FRAME_HEADER_BYTES, end), timestamp });
        at = end;
      }
      rest = all.slice(at);
      return { ok: true, frames };
    },
  };
}

/** The header of a file. The number of frames is not known while writing: readers do not rely on it. */
export function ivfHeader({ codec, width, height, rate, scale }: IvfHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  putText(bytes, 0, 'DKIF');
  view.setUint16(6, HEADER_BYTES, true);
  putText(bytes, 8, FOURCC[codec]);
  view.setUint16(12, width, true);
  view.setUint16(14, height, true);
  view.setUint32(16, rate, true);
  view.setUint32(20, scale, true);
  return bytes;
}

/** A frame with its header. */
export function ivfFrame({ data, timestamp }: IvfFrame): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length, true);
  view.setBigUint64(4, BigInt(timestamp), true);
  bytes.set(data, FRAME_HEADER_BYTES);
  return bytes;
}

function readHeader(bytes: Uint8Array, view: DataView): { readonly header: IvfHeader; readonly size: number } | string {
  if (!isIvf(bytes)) return 'it does not begin with DKIF';
  const fourcc = textAt(bytes, 8);
  const codec = (Object.keys(FOURCC) as VideoCodec[]).find((name) => FOURCC[name] === fourcc);
  if (codec === undefined) return `its codec is ${JSON.stringify(fourcc)}`;
  const size = view.getUint16(6, true);
  const rate = view.getUint32(16, true);
  const scale = view.getUint32(20, true);
  if (size !== HEADER_BYTES || rate === 0 || scale === 0) return 'its header contradicts itself';
  return { header: { codec, width: view.getUint16(12, true), height: view.getUint16(14, true), rate, scale }, size };
}

const textAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

function putText(bytes: Uint8Array, at: number, text: string): void {
  for (let n = 0; n < text.length; n += 1) bytes[at + n] = text.charCodeAt(n);
}
