/** Every inflater passes the same suite: messages of one stream, whole or in pieces, and streams that are broken. */
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Inflater, InflaterFactory } from '../../src/codec/inflater.js';
import { createNativeInflater, createPortableInflater } from '../../src/codec/zlib-stream.js';
import { createNativeZstdInflater } from '../../src/codec/zstd-native.js';
import { createPortableZstdInflater } from '../../src/codec/zstd-stream.js';
import { compressStream, type StreamName } from '../support/compress.js';

function read(inflater: Inflater, chunk: Uint8Array): string {
  const inflated = inflater.push(chunk);
  return inflated.status === 'message' ? Buffer.from(inflated.data).toString() : inflated.status;
}

/** Text that compresses badly. */
function noise(length: number): string {
  let state = 1;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return String.fromCharCode(32 + (state % 90));
  }).join('');
}

/** Tests run where node:zlib has zstd; where it has not, the portable one is all there is. */
const nativeZstd: InflaterFactory = createNativeZstdInflater ?? createPortableZstdInflater;

describe.each<[string, StreamName, InflaterFactory]>([
  ['native zlib', 'zlib-stream', createNativeInflater],
  ['portable zlib', 'zlib-stream', createPortableInflater],
  ['native zstd', 'zstd-stream', nativeZstd],
  ['portable zstd', 'zstd-stream', createPortableZstdInflater],
])('%s inflater', (_name, stream, create) => {
  const compress = (texts: readonly string[], level?: number) => compressStream(stream, texts, level);

  test('reads messages that refer back into earlier ones', async () => {
    const texts = ['{"op":10,"d":{"heartbeat_interval":41250}}', '{"op":11}', '{"op":11}', 'ä€🎲'.repeat(9)];
    const inflater = create();
    for (const [index, message] of (await compress(texts)).entries()) {
      expect(read(inflater, message)).toBe(texts[index]);
    }
    inflater.close();
  });

  test('reads messages far larger than its buffers, and references across them', async () => {
    const large = noise(40_000);
    const texts = [large, 'x'.repeat(1_000_000), large, noise(300_000), large.slice(-2_000), '', 'y'.repeat(65_536)];
    const inflater = create();
    for (const [index, message] of (await compress(texts)).entries()) {
      if (message.length > 0) expect(read(inflater, message) === texts[index]).toBe(true);
    }
    inflater.close();
  });

  test('a message may come in any pieces', async () => {
    const texts = ['first message', 'second message', noise(500), 'second message'];
    const messages = await compress(texts);
    fc.assert(
      fc.property(fc.infiniteStream(fc.integer({ min: 1, max: 40 })), (sizes) => {
        const inflater = create();
        for (const [index, message] of messages.entries()) {
          for (let at = 0; at < message.length; ) {
            const end = Math.min(message.length, at + sizes.next().value);
            expect(read(inflater, message.subarray(at, end))).toBe(end < message.length ? 'more' : texts[index]);
            at = end;
          }
        }
        inflater.close();
      }),
      { numRuns: 30, seed: 4 },
    );
  });

  test('what it returned is not overwritten by the next message', async () => {
    const [first, second] = await compress(['one one one', 'two two two']);
    const inflater = create();
    const inflated = inflater.push(first as Buffer);
    inflater.push(second as Buffer);
    expect(inflated.status === 'message' && Buffer.from(inflated.data).toString()).toBe('one one one');
    inflater.close();
  });

  test('levels, fast and thorough, and what cannot be compressed', async () => {
    for (const level of [0, 1, 9]) {
      const inflater = create();
      const texts = [noise(70_000), 'short', noise(10)];
      for (const [index, message] of (await compress(texts, level)).entries()) {
        expect(read(inflater, message) === texts[index]).toBe(true);
      }
      inflater.close();
    }
  });

  test('a message that breaks off at any byte is no message, and nothing is lost when the rest comes', async () => {
    const texts = ['{"op":10}', '{"op":0,"t":"MESSAGE_CREATE","d":{"content":"hello hello hello"}}', '{"op":11}'];
    const messages = await compress(texts);
    const [first, second, third] = messages as [Buffer, Buffer, Buffer];
    for (let at = 0; at < second.length; at += 1) {
      const inflater = create();
      expect(read(inflater, first)).toBe(texts[0]);
      expect(read(inflater, second.subarray(0, at))).toBe('more');
      expect(read(inflater, second.subarray(at))).toBe(texts[1]);
      expect(read(inflater, third)).toBe(texts[2]);
      inflater.close();
    }
  });

  test('what comes after the end is not read', async () => {
    const [message] = await compress(['late']);
    const inflater = create();
    inflater.close();
    inflater.close();
    expect(read(inflater, message as Buffer)).toBe('corrupt');
  });

  test('no bytes are no message', () => {
    const inflater = create();
    expect(read(inflater, Buffer.alloc(0))).toBe('more');
    inflater.close();
  });

  test('what is no stream is corrupt, and stays it', async () => {
    const [message] = await compress(['fine']);
    for (const hex of ['000102030000ffff', '78bb000000000000ffff', '7b226f70223a31317d0000ffff', '28b52ffd80']) {
      const inflater = create();
      const first = inflater.push(Buffer.from(hex, 'hex')).status;
      expect(['corrupt', 'more']).toContain(first);
      if (first === 'more') continue;
      expect(read(inflater, message as Buffer)).toBe('corrupt');
      inflater.close();
    }
    const inflater = create();
    expect(read(inflater, Buffer.from('{"op":11} is not compressed\u0000\u0000\u00ff\u00ff', 'latin1'))).toBe(
      'corrupt',
    );
    expect(read(inflater, message as Buffer)).toBe('corrupt');
    inflater.close();
  });

  test('a flipped byte is corrupt or another message, never an exception', async () => {
    const [message] = await compress(['{"op":0,"t":"MESSAGE_CREATE","s":7,"d":{"content":"hello hello hello"}}']);
    for (let at = 0; at < (message?.length ?? 0); at += 1) {
      const broken = Buffer.from(message as Buffer);
      broken[at] = (broken[at] ?? 0) ^ 0x5a;
      const inflater = create();
      expect(['message', 'more', 'corrupt']).toContain(inflater.push(broken).status);
      inflater.close();
    }
  });

  test('arbitrary damage is corrupt or another message, never an exception, and what is corrupt stays it', async () => {
    const messages = await compress([noise(300), '{"op":11}', 'z'.repeat(5_000), noise(40), '{"op":11}']);
    const whole = Buffer.concat(messages);
    const damage = fc.record({
      at: fc.nat(whole.length - 1),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
      kind: fc.constantFrom('replace', 'insert', 'remove'),
      cut: fc.integer({ min: 1, max: 400 }),
    });
    fc.assert(
      fc.property(damage, ({ at, bytes, kind, cut }) => {
        const rest = kind === 'insert' ? at : at + bytes.length;
        const middle = kind === 'remove' ? [] : [bytes];
        const broken = Buffer.concat([whole.subarray(0, at), ...middle, whole.subarray(rest)]);
        const inflater = create();
        let wasCorrupt = false;
        for (let start = 0; start < broken.length; start += cut) {
          const { status } = inflater.push(broken.subarray(start, start + cut));
          if (wasCorrupt) expect(status).toBe('corrupt');
          wasCorrupt = status === 'corrupt';
        }
        inflater.close();
      }),
      { numRuns: 300, seed: 8 },
    );
  });

  test('a small message that inflates without bounds is refused', async () => {
    const [bomb] = await compress(['0'.repeat(101 * 1024 * 1024)]);
    expect(bomb?.length).toBeLessThan(200_000);
    const inflater = create();
    expect(inflater.push(bomb as Buffer)).toEqual({ status: 'corrupt', problem: expect.stringMatching(/large/i) });
    inflater.close();
  });
});

describe.each<[string, InflaterFactory]>([
  ['native', nativeZstd],
  ['portable', createPortableZstdInflater],
])('%s zstd inflater', (_name, create) => {
  const problemOf = (hex: string): string | undefined => {
    const inflated = create().push(Buffer.from(hex, 'hex'));
    return inflated.status === 'corrupt' ? inflated.problem : inflated.status;
  };

  test.each([
    ['a window of 256 MiB', '28b52ffd0090', 'window too large'],
    ['a single segment of 4 GiB', '28b52ffde00000000001000000', 'window too large'],
    ['a dictionary', '28b52ffd0158e0', 'a dictionary is needed'],
    ['a reserved bit', '28b52ffd0858e0', 'reserved bit in the frame header'],
    ['a reserved block', '28b52ffd0058060000', 'reserved block type'],
    ['another format', '789caa56ca2f', 'not a zstd frame'],
  ])('%s is refused before anything is allocated', (_what, hex, problem) => {
    expect(problemOf(hex)).toBe(problem);
  });

  test('frames that end, of whatever size, with checksums and without, and RLE blocks', () => {
    const { zstdCompressSync, constants } = zlib as unknown as {
      zstdCompressSync(text: string, options: { params: Record<number, number> }): Buffer;
      constants: { ZSTD_c_checksumFlag: number };
    };
    const inflater = create();
    for (const text of ['a', '{"op":11}', 'a'.repeat(9), '{"op":10}', noise(70_000), 'b', 'x'.repeat(300_000), '{}']) {
      for (const checksum of [0, 1]) {
        const frame = zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: checksum } });
        expect(read(inflater, frame) === text).toBe(true);
      }
    }
    inflater.close();
  });
});
