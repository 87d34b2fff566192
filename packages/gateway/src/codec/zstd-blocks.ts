/**
 * Owns the outer structure of a zstd stream (RFC 8878 section 3.1.1): frame headers and the lengths of blocks. It
 * tells where messages can end and what a frame would need, before anything is decompressed.
 */
import type { Boundary } from './inflater.js';

/** The most that a frame may look back: what libzstd itself accepts unless told otherwise (ZSTD_WINDOWLOG_LIMIT_DEFAULT). */
export const MAX_WINDOW_BYTES = 2 ** 27;

const MAGIC = 0xfd2fb528;
/** Magic number and frame header descriptor. */
const START_BYTES = 5;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;
/** Section 3.1.1.2: raw, RLE, compressed; the fourth is reserved. */
const RLE = 1;
const RESERVED = 3;

/** Where a stream is. */
export interface BlockBoundary extends Boundary {
  /** How much of the newest frame has come. */
  readonly frameBytes: number;
  /** Whether that frame goes on. */
  readonly isInFrame: boolean;
}

type Part = 'start' | 'header' | 'block' | 'checksum';

/** Follows a stream. Discord flushes each message to the end of a block and never ends the frame; one may end all the same. */
export function trackBlocks(): BlockBoundary {
  /** Bytes of the part that is being read, and how many it has. */
  const held = new Uint8Array(32);
  let have = 0;
  let need = START_BYTES;
  let part: Part = 'start';
  /** Bytes of a block's body that are still to come. */
  let body = 0;
  let hasChecksum = false;
  let isLast = false;
  /** Whether a block has ended since the last message did. */
  let anyBlock = false;
  let frameBytes = 0;
  let problem: string | undefined;

  function begin(next: Part, bytes: number): void {
    part = next;
    need = bytes;
    have = 0;
  }

  function endBlock(): void {
    anyBlock = true;
    if (!isLast) begin('block', BLOCK_HEADER_BYTES);
    else if (hasChecksum) begin('checksum', CHECKSUM_BYTES);
    else begin('start', START_BYTES);
  }

  function read(): void {
    switch (part) {
      case 'start': {
        if (littleEndian(held, 0, 4) !== MAGIC) problem = 'not a zstd frame';
        // The descriptor says how long the rest of the header is: window, dictionary id, content size.
        part = 'header';
        need = START_BYTES + headerBytes(held[4] ?? 0);
        if (need === START_BYTES) read();
        return;
      }
      case 'header': {
        const descriptor = held[4] ?? 0;
        hasChecksum = (descriptor & 0x04) !== 0;
        if ((descriptor & 0x08) !== 0) problem = 'reserved bit in the frame header';
        else if ((descriptor & 0x03) !== 0) problem = 'a dictionary is needed';
        else if (windowBytes(held, descriptor) > MAX_WINDOW_BYTES) problem = 'window too large';
        begin('block', BLOCK_HEADER_BYTES);
        return;
      }
      case 'block': {
        const header = littleEndian(held, 0, BLOCK_HEADER_BYTES);
        const type = (header >> 1) & 3;
        isLast = (header & 1) !== 0;
        if (type === RESERVED) problem = 'reserved block type';
        // The body of an RLE block is the one byte that is repeated.
        body = type === RLE ? 1 : header >> 3;
        have = 0;
        if (body === 0) endBlock();
        return;
      }
      case 'checksum':
        begin('start', START_BYTES);
    }
  }

  return {
    get problem() {
      return problem;
    },
    get frameBytes() {
      return frameBytes;
    },
    get isInFrame() {
      return part !== 'start';
    },
    after(chunk) {
      for (let at = 0; at < chunk.length && problem === undefined; ) {
        if (body > 0) {
          const skipped = Math.min(body, chunk.length - at);
          body -= skipped;
          at += skipped;
          frameBytes += skipped;
          if (body === 0) endBlock();
          continue;
        }
        if (part === 'start' && have === 0) frameBytes = 0;
        held[have] = chunk[at] ?? 0;
        have += 1;
        at += 1;
        frameBytes += 1;
        if (have === need) read();
      }
      const isBetweenBlocks = body === 0 && have === 0;
      if (!anyBlock || !isBetweenBlocks) return false;
      anyBlock = false;
      return true;
    },
  };
}

/** Section 3.1.1.1: what follows the descriptor. */
function headerBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  return (isSingleSegment ? 0 : 1) + dictionary + contentSizeBytes(sizeFlag, isSingleSegment);
}

function contentSizeBytes(sizeFlag: number, isSingleSegment: boolean): number {
  return sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 2 ** sizeFlag;
}

/** Section 3.1.1.1.2; a single segment's window is its whole content. */
function windowBytes(header: Uint8Array, descriptor: number): number {
  if ((descriptor & 0x20) === 0) {
    const window = header[START_BYTES] ?? 0;
    const base = 2 ** (10 + (window >> 3));
    return base + (base / 8) * (window & 7);
  }
  const sizeFlag = descriptor >> 6;
  const size = littleEndian(header, START_BYTES, contentSizeBytes(sizeFlag, true));
  // Section 3.1.1.1.4: two bytes count from 256.
  return sizeFlag === 1 ? size + 256 : size;
}

function littleEndian(bytes: Uint8Array, start: number, length: number): number {
  let value = 0;
  for (let index = length - 1; index >= 0; index -= 1) value = value * 256 + (bytes[start + index] ?? 0);
  return value;
}
