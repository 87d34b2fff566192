/**
 * Owns which frames the encrypting library may be given. It ends the whole process on a frame that is shorter than the header
 * it leaves readable (davey 0.1.12: an empty VP8 frame, a key frame below ten bytes, an H.264 slice that ends within its
 * header, AV1 whose sizes run out), and silently drops what stands before the first start code. Such frames are no frames of their codec.
 */
import type { DaveCodec } from './dave-types.js';

/** RFC 7741 section 4.3: the uncompressed header of a key frame. */
const VP8_KEY_FRAME_HEADER_BYTES = 10;
/** Types of slices (ITU-T H.264 table 7-1). */
const H264_SLICE = 1;
const H264_IDR = 5;

/** Whether a frame can be encrypted as one of its codec. */
export function isEncryptable(codec: DaveCodec, frame: Uint8Array): boolean {
  if (frame.length === 0) return false;
  if (codec === 'vp8') return ((frame[0] as number) & 1) === 1 || frame.length >= VP8_KEY_FRAME_HEADER_BYTES;
  if (codec === 'h264') return isAnnexB(frame);
  // What the library does with a malformed AV1 or H.265 frame was not looked at; neither is sent.
  return codec === 'opus' || codec === 'vp9';
}

/** Where a start code's `00 00 01` begins, from there on; the length when there is none. */
function nextStartCode(frame: Uint8Array, from: number): number {
  for (let at = from; at + 3 <= frame.length; at += 1) {
    if (frame[at] === 0 && frame[at + 1] === 0 && frame[at + 2] === 1) return at;
  }
  return frame.length;
}

/** Whether it is NAL units behind start codes and nothing else, each slice long enough to be read up to its parameter set. */
function isAnnexB(frame: Uint8Array): boolean {
  let start = nextStartCode(frame, 0);
  // `00 00 01` or `00 00 00 01`, with nothing before it.
  if (start > 1 || start === frame.length || (start === 1 && frame[0] !== 0)) return false;
  while (start < frame.length) {
    const unit = start + 3;
    const next = nextStartCode(frame, unit);
    // The zero before a start code of four bytes belongs to it.
    const end = next < frame.length && frame[next - 1] === 0 ? next - 1 : next;
    // A unit has a header and a payload; the library skips one of a single byte at the end.
    if (end - unit < 2) return false;
    const type = (frame[unit] as number) & 0x1f;
    if ((type === H264_SLICE || type === H264_IDR) && unit + 1 + sliceHeadBytes(frame, unit + 1) > end) return false;
    start = next;
  }
  return true;
}

/**
 * How many bytes of a slice stay readable: as far as its third exp-Golomb number (first_mb_in_slice, slice_type,
 * pic_parameter_set_id; ITU-T H.264 section 7.3.3), counted as the library does, and one more.
 */
function sliceHeadBytes(frame: Uint8Array, from: number): number {
  const bits = (frame.length - from) * 8;
  let at = 0;
  let zeros = 0;
  for (let numbers = 0; at < bits && numbers < 3; ) {
    const byte = from + (at >> 3);
    const isEmulation =
      (at & 7) === 0 && at >= 16 && frame[byte] === 3 && frame[byte - 1] === 0 && frame[byte - 2] === 0;
    if (isEmulation) at += 8;
    else if ((((frame[byte] as number) >> (7 - (at & 7))) & 1) === 0) {
      zeros += 1;
      at += 1;
      if (zeros >= 32) return 0;
    } else {
      numbers += 1;
      at += 1 + zeros;
      zeros = 0;
    }
  }
  return (at >> 3) + 1;
}
