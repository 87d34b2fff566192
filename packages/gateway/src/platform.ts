/** Owns what this package takes of Node. `platform.browser.ts` stands in its place in the bundle for browsers. */
import type { InflaterFactory } from './codec/inflater.js';
import type { CompressionName } from './options.js';

export { type FileSessionStoreOptions, fileSessionStore } from './io/file-session-store.js';

/** What reads a compressed connection; `undefined` for one that is not. Loaded when it is wanted. */
export async function inflaterFor(compression: CompressionName): Promise<InflaterFactory | undefined> {
  switch (compression) {
    case 'none':
      return undefined;
    case 'zlib-stream':
      return (await import('./codec/zlib-stream.js')).chooseZlibInflater();
    case 'zstd-stream':
      return (await import('./codec/zstd-native.js')).chooseZstdInflater();
  }
}
