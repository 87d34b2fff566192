/** Owns reading `zstd-stream` with node:zlib, where it has zstd: Node 22.15 and later. */
import * as zlib from 'node:zlib';
import type { InflaterFactory } from './inflater.js';
import { driveContext, inflatesAsExpected } from './native-context.js';
import { trackBlocks } from './zstd-blocks.js';
import { createPortableZstdInflater } from './zstd-stream.js';

/** Newer than the types that this package is compiled against. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: (() => object) | undefined };
/** Ignored in this direction: a decompressor gives out all it can. */
const ZSTD_CONTINUE = 0;

/** One native zstd context, `undefined` where Node has none. */
export const createNativeZstdInflater: InflaterFactory | undefined =
  createZstdDecompress && (() => driveContext(createZstdDecompress(), ZSTD_CONTINUE, trackBlocks()));

/** Two messages, the second of which refers back into the first. */
const PROBE_TEXT = '{"op":11,"probe":"guildkit"}';
const PROBE = ['28b52ffd0058e000007b226f70223a31312c2270726f6265223a226775696c646b6974227d', '340000000100cf4c20'];

/** The faster inflater that works here. */
export function chooseZstdInflater(native: InflaterFactory | undefined = createNativeZstdInflater): InflaterFactory {
  return native !== undefined && inflatesAsExpected(native, PROBE, PROBE_TEXT, 'ffffff')
    ? native
    : createPortableZstdInflater;
}
