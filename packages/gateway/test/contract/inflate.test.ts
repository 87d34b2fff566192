/** Every inflater passes the same suite: messages of one stream, whole or in pieces, and streams that are broken. */
import { constants, createDeflate } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  chooseInflater,
  createNativeInflater,
  createPortableInflater,
  type Inflater,
  nativeInflateWorks,
} from '../../src/codec/inflate.js';

/** One stream over all texts, flushed after each, as Discord does. */
async function compress(texts: readonly string[], level = 6): Promise<Buffer[]> {
  const deflate = createDeflate({ level });
  const messages: Buffer[] = [];
  let chunks: Buffer[] = [];
  deflate.on('data', (chunk: Buffer) => chunks.push(chunk));
  for (const text of texts) {
    deflate.write(text);
    await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    messages.push(Buffer.concat(chunks));
    chunks = [];
  }
  deflate.destroy();
  return messages;
}

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

describe.each([
  ['native', createNativeInflater],
  ['portable', createPortableInflater],
])('%s inflater', (_name, create) => {
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

  test('levels and stored blocks', async () => {
    for (const level of [0, 1, 9]) {
      const inflater = create();
      const texts = [noise(70_000), 'short', noise(10)];
      for (const [index, message] of (await compress(texts, level)).entries()) {
        expect(read(inflater, message) === texts[index]).toBe(true);
      }
      inflater.close();
    }
  });

  test.each([
    ['no zlib header', Buffer.from('000102030000ffff', 'hex')],
    ['a preset dictionary', Buffer.from('78bb000000000000ffff', 'hex')],
    ['text', Buffer.concat([Buffer.from('{"op":11}'), Buffer.from('0000ffff', 'hex')])],
  ])('%s is corrupt, and stays it', async (_what, bytes) => {
    const inflater = create();
    expect(read(inflater, bytes)).toBe('corrupt');
    const [message] = await compress(['fine']);
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

  test('a small message that inflates without bounds is refused', async () => {
    const bomb = await compress(['0'.repeat(101 * 1024 * 1024)]);
    const inflater = create();
    expect(inflater.push(bomb[0] as Buffer).status).toBe('corrupt');
    inflater.close();
  });
});

test('the native one is taken when the internals are as expected, else the portable one', () => {
  expect(nativeInflateWorks()).toBe(true);
  expect(chooseInflater()).toBe(createNativeInflater);
  expect(nativeInflateWorks(createPortableInflater)).toBe(true);
  const wrong = () => ({ push: () => ({ status: 'message', data: new Uint8Array() }) as const, close() {} });
  expect(nativeInflateWorks(wrong)).toBe(false);
  expect(
    nativeInflateWorks(() => {
      throw new TypeError('handle is undefined');
    }),
  ).toBe(false);
});
