/** Transport compression against Node's own decoders: one stream for a connection, whole messages, detectable damage. */
import * as zlib from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compressionProblem, createCompressor, spoil } from '../../src/codec/compression.js';
import type { Compressor } from '../../src/codec/compressor.js';
import { createNativeZlibStream, createPortableZlibStream } from '../../src/codec/zlib-stream.js';
import { createZstdStream, nativeZstdWorks, zstdProblem } from '../../src/codec/zstd-stream.js';

const { zstdDecompressSync } = zlib as unknown as {
  zstdDecompressSync(data: Uint8Array, options?: { finishFlush: number }): Buffer;
};
const inflate = (stream: Buffer): string => zlib.inflateSync(stream, { finishFlush: 2 }).toString();
const unzstd = (stream: Buffer): string => zstdDecompressSync(stream, { finishFlush: 0 }).toString();

const KINDS: readonly (readonly [string, () => Compressor, (stream: Buffer) => string])[] = [
  ['zlib-stream', createNativeZlibStream, inflate],
  ['zlib-stream, portable', createPortableZlibStream, inflate],
  ['zstd-stream', createZstdStream, unzstd],
];
const dispatch = (seq: number): string =>
  JSON.stringify({
    op: 0,
    t: 'VOICE_STATE_UPDATE',
    s: seq,
    d: { user_id: '1191169165906411525', session_id: 'abcdef' },
  });

describe.each(KINDS)('%s', (name, create, read) => {
  test('is one stream: after each message exactly what was sent can be read', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }),
            fc.nat(99).map(dispatch),
            // Longer than the window, and hardly compressible.
            fc
              .integer({ min: 1, max: 9 })
              .map((n) => Array.from({ length: 20_000 }, (_, at) => (at * n * 7919) % 1000).join()),
          ),
          { minLength: 1, maxLength: 8 },
        ),
        (texts) => {
          const stream = create();
          let bytes = Buffer.alloc(0);
          let sent = '';
          for (const text of texts) {
            const message = stream.compress(text);
            if (name.startsWith('zlib-stream')) expect(message.subarray(-4).toString('hex')).toBe('0000ffff');
            bytes = Buffer.concat([bytes, message]);
            sent += text;
            expect(read(bytes)).toBe(sent);
          }
          stream.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a spoilt message cannot be read, wherever it is', () => {
    for (const at of [0, 1, 3]) {
      const stream = create();
      const messages = [1, 2, 3, 4].map((seq) => stream.compress(dispatch(seq)));
      messages[at] = spoil(messages[at] as Buffer);
      expect(() => read(Buffer.concat(messages))).toThrow();
      stream.close();
    }
  });
});

test.each(KINDS)('%s keeps its context: what came before makes the next one small', (_name, create) => {
  const stream = create();
  const [first, second] = [stream.compress(dispatch(1)), stream.compress(dispatch(2))];
  expect(second.length).toBeLessThan(first.length / 3);
  stream.close();
});

test('zstd is driven directly only where that gives a readable stream', () => {
  expect(nativeZstdWorks()).toBe(true);
  const broken = (): Compressor => ({ compress: (text) => Buffer.from(text), close() {} });
  expect(nativeZstdWorks(broken)).toBe(false);
  expect(zstdProblem()).toBeUndefined();
});

test('a connection has the compression it asked for', () => {
  expect(createCompressor('none')).toBeUndefined();
  for (const kind of ['none', 'zlib-stream', 'zstd-stream'] as const) expect(compressionProblem(kind)).toBeUndefined();
  for (const [kind, read] of [
    ['zlib-stream', inflate],
    ['zstd-stream', unzstd],
  ] as const) {
    const compressor = createCompressor(kind);
    expect(read(compressor?.compress('x') as Buffer)).toBe('x');
    compressor?.close();
  }
});
