/**
 * Owns the reading side of `zstd-stream` (Discord docs, Gateway: Transport Compression) in JavaScript alone, by fzstd:
 * one zstd frame over all messages of a connection, each flushed to the end of a block. Runs everywhere; slower than
 * `zstd-native.ts`, which Node gets where it can.
 */
import { Decompress } from 'fzstd';
import { corrupt, type Inflater, joined, MAX_MESSAGE_BYTES, MORE } from './inflater.js';
import { trackBlocks } from './zstd-blocks.js';

/** fzstd does not begin a frame before it has so many bytes; a first message can be shorter. */
const FZSTD_START_BYTES = 18;
/** Six raw blocks of no bytes (RFC 8878 section 3.1.1.2): within a frame they yield nothing. */
const EMPTY_BLOCKS = new Uint8Array(FZSTD_START_BYTES);
/** A frame to be skipped, of ten bytes (section 3.1.2): the same between frames. */
const SKIPPED_FRAME = Uint8Array.from([0x50, 0x2a, 0x4d, 0x18, 10, ...new Array<number>(13).fill(0)]);

/** Reads zstd-stream in JavaScript. */
export function createPortableZstdInflater(): Inflater {
  const boundary = trackBlocks();
  let pieces: Uint8Array[] = [];
  let size = 0;
  let failure: string | undefined;
  const stream = new Decompress((piece) => {
    size += piece.length;
    // Stops the decompressor in the middle of what it was given.
    if (size > MAX_MESSAGE_BYTES) throw new RangeError('message too large');
    pieces.push(piece);
  });

  return {
    close() {
      failure ??= 'the stream is closed';
    },
    push(chunk) {
      if (failure !== undefined) return corrupt(failure);
      const isComplete = boundary.after(chunk);
      failure = boundary.problem;
      try {
        // What it is given it may keep, and the caller's bytes may be used again.
        if (failure === undefined) stream.push(chunk.slice());
        if (isComplete && failure === undefined && boundary.frameBytes < FZSTD_START_BYTES) {
          stream.push(boundary.isInFrame ? EMPTY_BLOCKS.slice() : SKIPPED_FRAME.slice());
        }
      } catch {
        failure = size > MAX_MESSAGE_BYTES ? 'message too large' : 'invalid zstd data';
      }
      if (failure !== undefined) {
        pieces = [];
        return corrupt(failure);
      }
      if (!isComplete) return MORE;
      const data = joined(pieces);
      pieces = [];
      size = 0;
      return { status: 'message', data };
    },
  };
}
