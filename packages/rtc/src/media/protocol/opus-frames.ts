/** Owns taking an Opus packet of several frames apart into packets of one frame each (RFC 6716 section 3.2). */

/** A frame's length takes one byte below this, else two. */
const TWO_BYTES = 252;
const HAS_PADDING = 0x40;
const IS_VARIABLE = 0x80;

/**
 * One packet for each frame, in order. The first byte of each says what the packet's said, but for one frame.
 *
 * @returns `undefined` for what is no Opus packet.
 */
export function splitOpus(packet: Uint8Array): readonly Uint8Array[] | undefined {
  if (packet.length === 0) return undefined;
  const toc = packet[0] as number;
  const body = packet.subarray(1);
  const lengths = lengthsOf(toc & 3, body);
  if (lengths === undefined) return undefined;
  let { at } = lengths;
  return lengths.sizes.map((size) => {
    const frame = new Uint8Array(1 + size);
    frame[0] = toc & 0xfc;
    frame.set(body.subarray(at, at + size), 1);
    at += size;
    return frame;
  });
}

interface Lengths {
  readonly sizes: readonly number[];
  /** Where the first frame begins. */
  readonly at: number;
}

function lengthsOf(code: number, body: Uint8Array): Lengths | undefined {
  if (code === 0) return { sizes: [body.length], at: 0 };
  if (code === 1) return body.length % 2 === 0 ? { sizes: [body.length / 2, body.length / 2], at: 0 } : undefined;
  if (code === 2) {
    const first = lengthAt(body, 0);
    if (first === undefined || first.next + first.size > body.length) return undefined;
    return { sizes: [first.size, body.length - first.next - first.size], at: first.next };
  }
  return countedLengths(body);
}

/** Code 3 (section 3.2.5): a count, perhaps padding, perhaps a length for all frames but the last. */
function countedLengths(body: Uint8Array): Lengths | undefined {
  const head = body[0];
  if (head === undefined) return undefined;
  const count = head & 0x3f;
  let at = 1;
  let end = body.length;
  if ((head & HAS_PADDING) !== 0) {
    // 255 stands for 254 and goes on.
    for (let more = true; more; at += 1) {
      const padding = body[at];
      if (padding === undefined) return undefined;
      more = padding === 255;
      end -= more ? 254 : padding;
    }
  }
  if (count === 0 || end < at) return undefined;
  if ((head & IS_VARIABLE) === 0) {
    const size = (end - at) / count;
    return Number.isInteger(size) ? { sizes: Array.from({ length: count }, () => size), at } : undefined;
  }
  const sizes: number[] = [];
  let total = 0;
  for (let n = 1; n < count; n += 1) {
    const length = lengthAt(body, at);
    if (length === undefined) return undefined;
    sizes.push(length.size);
    total += length.size;
    at = length.next;
  }
  if (at + total > end) return undefined;
  sizes.push(end - at - total);
  return { sizes, at };
}

function lengthAt(body: Uint8Array, at: number): { readonly size: number; readonly next: number } | undefined {
  const first = body[at];
  if (first === undefined) return undefined;
  if (first < TWO_BYTES) return { size: first, next: at + 1 };
  const second = body[at + 1];
  return second === undefined ? undefined : { size: second * 4 + first, next: at + 2 };
}
