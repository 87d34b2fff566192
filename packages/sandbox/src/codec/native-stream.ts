/**
 * Owns the driving of one native context of `node:zlib` without its stream: synchronously, a flush after each message.
 * Whoever uses it checks first that this Node's zlib has inside what is expected here.
 */
import type { Compressor } from './compressor.js';

/** What is used of `node:zlib` beyond its documented interface: the same that its own synchronous functions use. */
export interface NativeStream {
  readonly _handle: {
    onerror: (message: string) => void;
    writeSync(
      flush: number,
      input: Uint8Array,
      inputOffset: number,
      inputLength: number,
      output: Uint8Array,
      outputOffset: number,
      outputLength: number,
    ): void;
  };
  /** Filled by `writeSync`: room left in the output, bytes left of the input. */
  readonly _writeState: Uint32Array;
  close(): void;
}

const OUTPUT_BYTES = 64 * 1024;
/** One for all: nothing stays in it between two calls. */
const output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);

/** Makes a compressor of a native context. `flush`: what makes it give out all it has. */
export function createNativeCompressor(stream: NativeStream, flush: number): Compressor {
  const { _handle: handle, _writeState: left } = stream;
  let failure: string | undefined;
  handle.onerror = (message) => {
    failure = message;
  };
  return {
    compress(message) {
      const input = typeof message === 'string' ? Buffer.from(message) : message;
      let compressed: Buffer | undefined;
      let offset = 0;
      let room = 0;
      do {
        handle.writeSync(flush, input, offset, input.length - offset, output, 0, OUTPUT_BYTES);
        if (failure !== undefined) throw new Error(`compression failed: ${failure}`);
        room = left[0] ?? 0;
        offset = input.length - (left[1] ?? 0);
        const piece = output.subarray(0, OUTPUT_BYTES - room);
        compressed = compressed === undefined ? Buffer.from(piece) : Buffer.concat([compressed, piece]);
        // A full output means that more of it waits inside.
      } while (room === 0 || offset < input.length);
      return compressed;
    },
    close: () => stream.close(),
  };
}

/** Whether a compressor gives a stream that reads back, tried with two messages of which the second refers back. */
export function readsBack(create: () => Compressor, read: (stream: Buffer) => string): boolean {
  try {
    const stream = create();
    const texts = ['{"op":11,"probe":"guildkit"}', '{"op":11,"probe":"guildkit again"}'];
    const bytes = Buffer.concat(texts.map((text) => stream.compress(text)));
    stream.close();
    return read(bytes) === texts.join('');
  } catch {
    return false;
  }
}
