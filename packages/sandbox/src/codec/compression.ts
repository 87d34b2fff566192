/** Owns the choice of a connection's transport compression (Discord docs, Gateway: Transport Compression). */
import type { Compressor } from './compressor.js';
import { createZlibStream } from './zlib-stream.js';
import { createZstdStream, zstdProblem } from './zstd-stream.js';

/** What a client may ask for in the gateway's query. */
export type Compression = 'none' | 'zlib-stream' | 'zstd-stream';

/** Why a compression is not to be had here; `undefined` when it is. */
export function compressionProblem(compression: Compression): string | undefined {
  return compression === 'zstd-stream' ? zstdProblem() : undefined;
}

/** Makes a connection's compressor, `undefined` for none. {@link compressionProblem} was asked before. */
export function createCompressor(compression: Compression): Compressor | undefined {
  if (compression === 'none') return undefined;
  return compression === 'zlib-stream' ? createZlibStream() : createZstdStream();
}

/**
 * Spoils a compressed message so that every decoder notices: all bits set is a reserved block type for deflate
 * (RFC 1951 §3.2.3) and for zstd (RFC 8878 §3.1.1.2.2), and no header of either.
 */
export function spoil(message: Buffer): Buffer {
  const spoilt = Buffer.from(message);
  spoilt.fill(0xff, 0, Math.min(3, Math.max(1, spoilt.length - 4)));
  return spoilt;
}
