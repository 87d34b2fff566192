/**
 * Owns Discord's `zlib-stream` transport compression (Discord docs, Gateway: Transport Compression): one zlib stream
 * over all messages of a connection, each ending in a sync flush (00 00 FF FF).
 */
import { constants, deflateRawSync } from 'node:zlib';
import type { Compressor } from './compressor.js';

/** Header of a zlib stream: 32 KiB window, default level (RFC 1950 §2.2). */
const ZLIB_HEADER = Buffer.from([0x78, 0x9c]);
/** How far back a stream may refer (RFC 1951 §2). */
const WINDOW_BYTES = 32 * 1024;

/**
 * Makes a compressor for one connection. A sync flush ends on a byte, so each message can be deflated by itself with
 * the 32 KiB before it as the dictionary: the blocks refer back as those of one context would, and are made
 * synchronously, in order, by documented functions.
 */
export function createZlibStream(): Compressor {
  let window: Buffer = Buffer.alloc(0);
  let started = false;
  return {
    compress(text) {
      const message = Buffer.from(text);
      const blocks = deflateRawSync(message, {
        finishFlush: constants.Z_SYNC_FLUSH,
        // An empty one is refused.
        ...(window.length === 0 ? {} : { dictionary: window }),
      });
      if (message.length >= WINDOW_BYTES) window = Buffer.from(message.subarray(-WINDOW_BYTES));
      else window = Buffer.concat([window, message]).subarray(-WINDOW_BYTES);
      if (started) return blocks;
      started = true;
      return Buffer.concat([ZLIB_HEADER, blocks]);
    },
    close() {},
  };
}
