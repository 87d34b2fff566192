/** Owns what can be told of an encoded video frame without decoding it: its size in pixels. */
import type { VideoCodec } from '../../protocol/voice-codecs.js';

/** Pixels. */
export interface FrameSize {
  readonly width: number;
  readonly height: number;
}

/**
 * The size that a plain keyframe tells.
 *
 * @returns `undefined` for other frames, and for H.264, whose parameter sets say it in many words.
 */
export function frameSizeOf(codec: VideoCodec, frame: Uint8Array): FrameSize | undefined {
  if (codec === 'VP8') return vp8Size(frame);
  return codec === 'VP9' ? vp9Size(frame) : undefined;
}

/** RFC 6386 section 9.1: start code, then 14 bits each and 2 bits of scaling. */
function vp8Size(frame: Uint8Array): FrameSize | undefined {
  if (frame.length < 10 || ((frame[0] as number) & 1) !== 0) return undefined;
  if (frame[3] !== 0x9d || frame[4] !== 0x01 || frame[5] !== 0x2a) return undefined;
  const at = (n: number): number => ((frame[n] as number) | ((frame[n + 1] as number) << 8)) & 0x3fff;
  return { width: at(6), height: at(8) };
}

/** VP9 bitstream specification section 6.2: behind the sync code color_config, then 16 bits each, less one. */
function vp9Size(frame: Uint8Array): FrameSize | undefined {
  let position = 0;
  const bits = (count: number): number => {
    let value = 0;
    for (let n = 0; n < count; n += 1) {
      value = (value << 1) | (((frame[position >> 3] ?? 0) >> (7 - (position & 7))) & 1);
      position += 1;
    }
    return value;
  };
  if (bits(2) !== 2) return undefined;
  const profile = bits(1) | (bits(1) << 1);
  if (profile === 3) bits(1);
  const showsExisting = bits(1);
  const isInter = bits(1);
  bits(2);
  if (showsExisting === 1 || isInter === 1 || bits(24) !== 0x498342) return undefined;
  if (profile >= 2) bits(1);
  const isRgb = bits(3) === 7;
  if (!isRgb) bits(1);
  if (profile === 1 || profile === 3) bits(isRgb ? 1 : 3);
  const width = bits(16) + 1;
  const height = bits(16) + 1;
  return (position + 7) >> 3 > frame.length ? undefined : { width, height };
}

/** Whether a plain frame can be decoded without those before. H.264 as an Annex B stream. */
export function isKeyframe(codec: VideoCodec, frame: Uint8Array): boolean {
  const head = frame[0] ?? 0xff;
  if (codec === 'VP8') return (head & 1) === 0;
  if (codec === 'H264') return hasUnit(frame, IDR);
  // Profile 3 is followed by a reserved bit, which moves the others (VP9 bitstream specification section 6.2).
  const flags = (head & 0x30) === 0x30 ? head << 1 : head;
  return head >> 6 === 2 && (flags & 0x0c) === 0;
}

/** Whether an H.264 frame brings its parameters (SPS): without them nothing of a stream can be decoded. */
export const hasParameters = (stream: Uint8Array): boolean => hasUnit(stream, SPS);

/** NAL unit types (H.264 table 7-1). */
const IDR = 5;
const SPS = 7;

function hasUnit(stream: Uint8Array, type: number): boolean {
  for (let at = 3; at < stream.length; at += 1) {
    const startsUnit = stream[at - 1] === 1 && stream[at - 2] === 0 && stream[at - 3] === 0;
    if (startsUnit && ((stream[at] as number) & 0x1f) === type) return true;
  }
  return false;
}
