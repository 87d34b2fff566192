/**
 * Owns Discord's `zlib-stream` transport compression (Discord docs, Gateway: Transport Compression): one zlib stream
 * over all messages of a connection, each ending in a sync flush (00 00 FF FF).
 */
import { constants, deflateRawSync } from 'node:zlib';

/** Header of a zlib stream: 32 KiB window, default level (RFC 1950 §2.2). */
const ZLIB_HEADER = Buffer.from([0x78, 0x9c]);

/**
 * Makes a compressor for one connection. Each message is deflated by itself and sync-flushed: whole blocks never
 * refer to earlier ones, so their concatenation is one valid stream, made synchronously and in order.
 */
export function createZlibStream(): (text: string) => Buffer {
  let started = false;
  return (text) => {
    const blocks = deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH });
    if (started) return blocks;
    started = true;
    return Buffer.concat([ZLIB_HEADER, blocks]);
  };
}
