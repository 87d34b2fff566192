/**
 * Owns what an encrypted frame looks like from outside (DAVE whitepaper, "Payload Format", "Protocol Frame Check"). Stricter
 * than the library that decrypts: only what passes here is given to it.
 */

/** The Opus packet that is let through as it is ("Silence Packets"). */
const SILENCE = [0xf8, 0xff, 0xfe] as const;

/** The last two bytes. */
const MARKER = 0xfa;
const TAG_BYTES = 8;
/** The marker and, before it, the size. */
const TAIL_BYTES = 3;
/** Tag, the shortest nonce, size and marker. */
const MIN_SUPPLEMENTAL_BYTES = TAG_BYTES + 1 + TAIL_BYTES;

/** Whether a frame is silence that a server may have made. */
export const isSilence = (frame: Uint8Array): boolean =>
  frame.length === SILENCE.length && SILENCE.every((byte, at) => frame[at] === byte);

/** Reads one ULEB128 number of at most 32 bits; where it ends, or -1. */
function readUleb(bytes: Uint8Array, from: number, end: number, out: { value: number }): number {
  let value = 0;
  let scale = 1;
  for (let at = from; at < end && at < from + 5; at += 1) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte < 0x80) {
      out.value = value;
      return value <= 0xffff_ffff ? at + 1 : -1;
    }
  }
  return -1;
}

/** Whether a frame passes the protocol frame check: it is, but for chance, an encrypted one. */
export function isProtocolFrame(frame: Uint8Array): boolean {
  const { length } = frame;
  if (length < MIN_SUPPLEMENTAL_BYTES || frame[length - 1] !== MARKER || frame[length - 2] !== MARKER) return false;
  const supplemental = frame[length - TAIL_BYTES] as number;
  if (supplemental < MIN_SUPPLEMENTAL_BYTES || supplemental > length) return false;
  const mediaEnd = length - supplemental;
  const end = length - TAIL_BYTES;
  const number = { value: 0 };
  let at = readUleb(frame, mediaEnd + TAG_BYTES, end, number);
  let covered = 0;
  while (at >= 0 && at < end) {
    at = readUleb(frame, at, end, number);
    if (at < 0) return false;
    const offset = number.value;
    at = readUleb(frame, at, end, number);
    if (at < 0 || offset < covered) return false;
    covered = offset + number.value;
    if (covered > mediaEnd) return false;
  }
  return at === end;
}
