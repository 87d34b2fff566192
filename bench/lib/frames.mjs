// Prepared bytes: WebSocket frames and transport compression, made once and written raw, so that a server's own work
// does not stand in the figures of its clients.
import zlib from 'node:zlib';

/** A whole WebSocket message of a server: one frame, not masked (RFC 6455 section 5.2). */
export function frame(payload, isBinary) {
  const length = payload.length;
  const headLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(headLength + length);
  bytes[0] = isBinary ? 0x82 : 0x81;
  if (length < 126) {
    bytes[1] = length;
  } else if (length < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  payload.copy(bytes, headLength);
  return bytes;
}

/** Joins frames into buffers of about a quarter of a megabyte. */
export function joined(frames) {
  const buffers = [];
  let waiting = [];
  let size = 0;
  for (const bytes of frames) {
    waiting.push(bytes);
    size += bytes.length;
    if (size < 262_144) continue;
    buffers.push(Buffer.concat(waiting));
    waiting = [];
    size = 0;
  }
  if (waiting.length > 0) buffers.push(Buffer.concat(waiting));
  return buffers;
}

const STREAMS = {
  'zlib-stream': { create: () => zlib.createDeflate({ chunkSize: 65_536 }), flush: zlib.constants.Z_SYNC_FLUSH },
  'zstd-stream': { create: () => zlib.createZstdCompress(), flush: zlib.constants.ZSTD_e_flush },
};

/** Whether this Node can make such a stream. */
export const canCompress = (name) => name !== 'zstd-stream' || typeof zlib.createZstdCompress === 'function';

/**
 * Compresses texts as one stream with a flush behind each (Discord docs, Gateway: Transport Compression).
 *
 * @returns The bytes of each text.
 */
export async function compressed(name, texts) {
  const { create, flush } = STREAMS[name];
  const stream = create();
  const messages = [];
  let pieces = [];
  stream.on('data', (piece) => pieces.push(piece));
  for (const text of texts) {
    stream.write(text);
    await new Promise((resolve) => stream.flush(flush, resolve));
    messages.push(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces));
    pieces = [];
  }
  return messages;
}
