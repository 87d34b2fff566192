/**
 * Owns Discord's `zstd-stream` transport compression (Discord docs, Gateway: Transport Compression): one zstd frame
 * over all messages of a connection, flushed after each. Node has zstd from 22.15 on.
 */
import * as zlib from 'node:zlib';
import type { Compressor } from './compressor.js';

/** What this Node's `node:zlib` may have beyond the types of the oldest supported Node. */
interface ZstdModule {
  createZstdCompress(): ZstdInternals;
  zstdDecompressSync(input: Uint8Array, options: { finishFlush: number }): Buffer;
}

/** What is used of it beyond its documented interface: the same that its own synchronous functions use. */
interface ZstdInternals {
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

/** `ZSTD_e_continue` and `ZSTD_e_flush` (RFC 8878 has no name for them; zstd.h has). */
const CONTINUE = 0;
const FLUSH = 1;
const OUTPUT_BYTES = 64 * 1024;

const zstd = zlib as unknown as Partial<ZstdModule>;

/** Drives one native context directly, so that a message is compressed synchronously and the frame stays open. */
export function createZstdStream(): Compressor {
  const stream = (zstd as ZstdModule).createZstdCompress();
  const { _handle: handle, _writeState: left } = stream;
  const output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  let failure: string | undefined;
  handle.onerror = (message) => {
    failure = message;
  };
  return {
    compress(text) {
      const input = Buffer.from(text);
      const pieces: Buffer[] = [];
      let offset = 0;
      let room = 0;
      do {
        handle.writeSync(FLUSH, input, offset, input.length - offset, output, 0, OUTPUT_BYTES);
        if (failure !== undefined) throw new Error(`zstd: ${failure}`);
        room = left[0] ?? 0;
        offset = input.length - (left[1] ?? 0);
        pieces.push(Buffer.from(output.subarray(0, OUTPUT_BYTES - room)));
        // A full output means that more of it waits inside.
      } while (room === 0 || offset < input.length);
      return Buffer.concat(pieces);
    },
    close: () => stream.close(),
  };
}

/** Whether this Node's zlib has inside what {@link createZstdStream} expects there. */
export function nativeZstdWorks(create: () => Compressor = createZstdStream): boolean {
  try {
    const stream = create();
    const texts = ['{"op":11,"probe":"guildkit"}', '{"op":11,"probe":"guildkit again"}'];
    const bytes = Buffer.concat(texts.map((text) => stream.compress(text)));
    stream.close();
    const read = (zstd as ZstdModule).zstdDecompressSync(bytes, { finishFlush: CONTINUE }).toString();
    return read === texts.join('');
  } catch {
    return false;
  }
}

let problem: string | undefined | null = null;

/** Why there is no zstd here; `undefined` when there is. */
export function zstdProblem(): string | undefined {
  if (problem !== null) return problem;
  if (zstd.createZstdCompress === undefined) {
    problem = `zstd-stream needs Node 22.15 or newer: this is ${process.version}.`;
  } else {
    problem = nativeZstdWorks() ? undefined : `zstd-stream cannot be driven on Node ${process.version}.`;
  }
  return problem;
}
