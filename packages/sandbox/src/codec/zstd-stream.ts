/**
 * Owns Discord's `zstd-stream` transport compression (Discord docs, Gateway: Transport Compression): one zstd frame
 * over all messages of a connection, flushed after each. Node has zstd from 22.15 on.
 */
import * as zlib from 'node:zlib';
import type { Compressor } from './compressor.js';
import { createNativeCompressor, type NativeStream, readsBack } from './native-stream.js';

/** What this Node's `node:zlib` may have beyond the types of the oldest supported Node. */
interface ZstdModule {
  createZstdCompress(options: { params: Record<number, number> }): NativeStream;
  zstdDecompressSync(input: Uint8Array, options: { finishFlush: number }): Buffer;
}

/** `ZSTD_e_continue`, `ZSTD_e_flush` and parameters of zstd.h. */
const CONTINUE = 0;
const FLUSH = 1;
const COMPRESSION_LEVEL = 100;
const WINDOW_LOG = 101;
/** A window of 128 KiB: a default context takes over a megabyte a connection. */
const SMALL = { [COMPRESSION_LEVEL]: 1, [WINDOW_LOG]: 17 };

const zstd = zlib as unknown as Partial<ZstdModule>;

/** Makes a compressor for one connection. */
export function createZstdStream(): Compressor {
  return createNativeCompressor((zstd as ZstdModule).createZstdCompress({ params: SMALL }), FLUSH);
}

/** Whether this Node's zlib has inside what {@link createZstdStream} expects there. */
export function nativeZstdWorks(create: () => Compressor = createZstdStream): boolean {
  return readsBack(create, (stream) =>
    (zstd as ZstdModule).zstdDecompressSync(stream, { finishFlush: CONTINUE }).toString(),
  );
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
