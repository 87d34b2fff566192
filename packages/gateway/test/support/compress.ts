/** The writing side of transport compression: one stream over all messages of a connection, flushed after each. */
import * as zlib from 'node:zlib';

export type StreamName = 'zlib-stream' | 'zstd-stream';

interface Compressor {
  on(event: 'data', listener: (chunk: Buffer) => void): void;
  write(text: string): void;
  flush(kind: number, done: () => void): void;
  destroy(): void;
}

/** What is newer than the types: Node 22.15. */
const zstd = zlib as unknown as {
  createZstdCompress(options: { params: Record<number, number> }): Compressor;
  constants: { ZSTD_e_flush: number; ZSTD_c_compressionLevel: number };
};

/** A compressor for one connection: gives the bytes of each message. */
export function createCompressor(name: StreamName, level?: number) {
  const compressor: Compressor =
    name === 'zlib-stream'
      ? zlib.createDeflate({ level: level ?? 6 })
      : zstd.createZstdCompress({ params: { [zstd.constants.ZSTD_c_compressionLevel]: level ?? 3 } });
  const flush = name === 'zlib-stream' ? zlib.constants.Z_SYNC_FLUSH : zstd.constants.ZSTD_e_flush;
  let chunks: Buffer[] = [];
  compressor.on('data', (chunk) => chunks.push(chunk));
  return {
    async compress(text: string): Promise<Buffer> {
      compressor.write(text);
      await new Promise<void>((resolve) => compressor.flush(flush, resolve));
      const message = Buffer.concat(chunks);
      chunks = [];
      return message;
    },
    close: () => compressor.destroy(),
  };
}

/** All messages of one stream. */
export async function compressStream(name: StreamName, texts: readonly string[], level?: number): Promise<Buffer[]> {
  const compressor = createCompressor(name, level);
  const messages: Buffer[] = [];
  for (const text of texts) messages.push(await compressor.compress(text));
  compressor.close();
  return messages;
}
