/**
 * Owns Discord's `zlib-stream` transport compression (Discord docs, Gateway: Transport Compression): one zlib stream
 * over all messages of a connection, each ending in a sync flush (00 00 FF FF).
 */
import { constants, createDeflate, deflateRawSync, inflateSync } from 'node:zlib';
import type { Compressor } from './compressor.js';
import { createNativeCompressor, type NativeStream, readsBack } from './native-stream.js';

/** Header of a zlib stream: 32 KiB window, default level (RFC 1950 §2.2). */
const ZLIB_HEADER = Buffer.from([0x78, 0x9c]);
/** How far back a stream may refer (RFC 1951 §2). */
const WINDOW_BYTES = 32 * 1024;

/** Makes a compressor for one connection: one native context. */
export function createNativeZlibStream(): Compressor {
  return createNativeCompressor(createDeflate() as unknown as NativeStream, constants.Z_SYNC_FLUSH);
}

/**
 * The same on documented functions alone, and slower: a context is made for each message. A sync flush ends on a byte, so each message can be deflated by itself with
 * the 32 KiB before it as the dictionary: the blocks refer back as those of one context would, and are made
 * synchronously, in order.
 */
export function createPortableZlibStream(): Compressor {
  let window: Buffer = Buffer.alloc(0);
  let started = false;
  return {
    compress(text) {
      const message = typeof text === 'string' ? Buffer.from(text) : text;
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

let isNative: boolean | undefined;

/** Makes a compressor for one connection, the faster one that works here. */
export function createZlibStream(): Compressor {
  isNative ??= readsBack(createNativeZlibStream, (stream) =>
    inflateSync(stream, { finishFlush: constants.Z_SYNC_FLUSH }).toString(),
  );
  return isNative ? createNativeZlibStream() : createPortableZlibStream();
}
