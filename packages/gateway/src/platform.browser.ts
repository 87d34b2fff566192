/** Owns what takes the place of Node's parts in a browser. The bundle for browsers has it instead of `platform.ts`. */
import type { InflaterFactory } from './codec/inflater.js';
import { GatewayError } from './errors.js';
import type { FileSessionStoreOptions } from './io/file-session-store.js';
import type { SessionStore } from './io/session-store.js';
import type { CompressionName } from './options.js';

export type { FileSessionStoreOptions } from './io/file-session-store.js';

/** There are no files here: always throws. */
export function fileSessionStore(_options: FileSessionStoreOptions): SessionStore {
  throw new GatewayError('ERR_GATEWAY_PLATFORM_UNSUPPORTED', 'fileSessionStore needs the file system of Node.js');
}

/** As in Node, but zlib-stream needs node:zlib. */
export async function inflaterFor(compression: CompressionName): Promise<InflaterFactory | undefined> {
  switch (compression) {
    case 'none':
      return undefined;
    case 'zlib-stream':
      throw new GatewayError('ERR_GATEWAY_PLATFORM_UNSUPPORTED', 'zlib-stream needs the zlib of Node.js');
    case 'zstd-stream':
      return (await import('./codec/zstd-stream.js')).createPortableZstdInflater;
  }
}
