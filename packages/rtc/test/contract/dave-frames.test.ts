/** The format of encrypted frames (DAVE whitepaper, "Payload Format"), taken apart and put together here, with davey on the other end. */
import { describe, expect, it } from 'vitest';
import { isProtocolFrame, isSilence } from '../../src/protocol/dave/frame.js';
import { type DaveClient, loadDaveLibrary } from '../support/dave-imports.js';
import { DaveRoom, type Member } from '../support/dave-room.js';

const library = await loadDaveLibrary();

type Range = readonly [offset: number, size: number];

interface Parts {
  readonly media: Uint8Array;
  readonly tag: Uint8Array;
  readonly nonce: number;
  readonly ranges: readonly Range[];
}

/** Reads a frame from its end. */
function takeApart(frame: Uint8Array): Parts {
  const end = frame.length - 3;
  expect([...frame.subarray(end + 1)]).toEqual([0xfa, 0xfa]);
  const start = frame.length - (frame[end] ?? 0);
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const byte of frame.subarray(start + 8, end)) {
    value += (byte & 0x7f) * 2 ** shift;
    shift += 7;
    if (byte < 0x80) {
      numbers.push(value);
      value = 0;
      shift = 0;
    }
  }
  const [nonce = -1, ...rest] = numbers;
  const ranges = rest.flatMap((offset, at): Range[] => (at % 2 === 0 ? [[offset, rest[at + 1] ?? -1]] : []));
  return { media: frame.subarray(0, start), tag: frame.subarray(start, start + 8), nonce, ranges };
}

function uleb(value: number): number[] {
  return value < 0x80 ? [value] : [0x80 | (value & 0x7f), ...uleb(Math.floor(value / 0x80))];
}

/** Writes a frame. */
function putTogether({ media, tag, nonce, ranges }: Parts): Uint8Array {
  const numbers = [...uleb(nonce), ...ranges.flatMap(([offset, size]) => [...uleb(offset), ...uleb(size)])];
  return Buffer.concat([media, tag, Buffer.from([...numbers, tag.length + numbers.length + 3, 0xfa, 0xfa])]);
}

function pair() {
  const room = new DaveRoom(library);
  const [a, b] = [room.join(1), room.join(2)] as [Member, Member];
  room.run(1_000);
  expect(room.wrong()).toBeUndefined();
  return { room, a: a.client, b: b.client, from: a.id };
}

const seal = (client: DaveClient, codec: 'opus' | 'vp8' | 'vp9' | 'h264', frame: Uint8Array): Uint8Array => {
  const sealed = client.encrypt(codec === 'opus' ? 'audio' : 'video', codec, frame);
  if (!sealed.ok || !sealed.encrypted) throw new Error('not encrypted');
  return sealed.data;
};

const VP8_KEY = Buffer.from([0x50, 1, 0, 0x9d, 1, 0x2a, 0x80, 2, 0x68, 1, ...Array(300).fill(7)]);
const VP8_DELTA = Buffer.from([0x51, ...Array(100).fill(8)]);
const H264 = Buffer.from([
  ...[0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1e],
  ...[0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80],
  ...[0, 0, 0, 1, 0x65, 0x88, 0x84, 0x21, ...Array(200).fill(0x55)],
]);

describe('what davey writes', () => {
  it('is media, tag, nonce, ranges, size, marker; the nonce counts audio and video together', () => {
    const { a } = pair();
    const first = takeApart(seal(a, 'opus', Buffer.alloc(50, 1))).nonce;
    expect(takeApart(seal(a, 'vp8', VP8_DELTA)).nonce).toBe(first + 1);
    for (let n = 0; n < 130; n += 1) seal(a, 'opus', Buffer.alloc(50, 1));
    // Two bytes of ULEB128 by now.
    expect(takeApart(seal(a, 'opus', Buffer.alloc(50, 1))).nonce).toBe(first + 132);
  });

  it.each([
    ['opus', Buffer.alloc(80, 0x78), []],
    ['vp9', Buffer.alloc(80, 0x83), []],
    ['vp8', VP8_KEY, [[0, 10]]],
    ['vp8', VP8_DELTA, [[0, 1]]],
    // Parameter sets whole, and of the slice: start code, header, and as far as the parameter set's number.
    ['h264', H264, [[0, 23]]],
  ] as const)('of %s leaves readable what the packetiser needs, and nothing else', (codec, frame, ranges) => {
    const { a } = pair();
    const { media, ranges: found } = takeApart(seal(a, codec, frame));
    expect(media.length).toBe(frame.length);
    expect(found.map(([offset, size]) => [offset, size])).toEqual(ranges);
    let at = 0;
    for (const [offset, size] of [...found, [frame.length, 0] as const]) {
      const cipher = Buffer.from(media.subarray(at, offset));
      if (cipher.length > 0) expect(Buffer.compare(cipher, frame.subarray(at, offset))).not.toBe(0);
      expect(Buffer.compare(media.subarray(offset, offset + size), frame.subarray(offset, offset + size))).toBe(0);
      at = offset + size;
    }
  });
});

describe('what davey reads', () => {
  it('is a frame that is put together here from its parts, also with the readable range in pieces', () => {
    const { a, b, from, room } = pair();
    const open = (frame: Uint8Array) => b.decrypt(from, 'video', frame, room.now);
    const sealed = seal(a, 'vp8', VP8_KEY);
    expect(Buffer.compare(putTogether(takeApart(sealed)), sealed)).toBe(0);
    const pieces = {
      ...takeApart(sealed),
      ranges: [
        [0, 4],
        [4, 6],
      ] as const,
    };
    const opened = open(putTogether(pieces));
    expect(opened.ok && Buffer.compare(opened.data, VP8_KEY)).toBe(0);
  });

  it('is not a frame with another range, nonce, tag or readable byte', () => {
    const { a, b, from, room } = pair();
    const parts = takeApart(seal(a, 'vp8', VP8_KEY));
    const changed: Partial<Parts>[] = [
      { ranges: [[0, 9]] },
      { ranges: [] },
      { nonce: parts.nonce + 1 },
      { tag: Uint8Array.from(parts.tag, (byte, at) => (at === 7 ? byte ^ 1 : byte)) },
      { media: Uint8Array.from(parts.media, (byte, at) => (at === 3 ? byte ^ 1 : byte)) },
    ];
    for (const change of changed) {
      expect(b.decrypt(from, 'video', putTogether({ ...parts, ...change }), room.now)).toEqual({
        ok: false,
        reason: 'failed',
      });
    }
    expect(b.decrypt(from, 'video', putTogether(parts), room.now)).toMatchObject({ ok: true });
  });
});

describe('the frame check', () => {
  const base: Parts = { media: Buffer.alloc(30, 1), tag: Buffer.alloc(8, 2), nonce: 5, ranges: [] };
  it.each([
    ['without ranges', base, true],
    ['without media', { ...base, media: Buffer.alloc(0) }, true],
    ['with all media readable', { ...base, ranges: [[0, 30]] }, true],
    ['with the largest nonce', { ...base, nonce: 0xffff_ffff }, true],
    [
      'with ranges that touch',
      {
        ...base,
        ranges: [
          [0, 4],
          [4, 6],
          [20, 1],
        ],
      },
      true,
    ],
    ['with a nonce of more than 32 bits', { ...base, nonce: 2 ** 32 }, false],
    [
      'with ranges that overlap',
      {
        ...base,
        ranges: [
          [0, 5],
          [4, 6],
        ],
      },
      false,
    ],
    [
      'with ranges out of order',
      {
        ...base,
        ranges: [
          [10, 5],
          [0, 5],
        ],
      },
      false,
    ],
    ['with a range into the tag', { ...base, ranges: [[0, 31]] }, false],
    ['with a range beyond the frame', { ...base, ranges: [[29, 2 ** 31]] }, false],
    ['with a short tag', { ...base, tag: Buffer.alloc(7, 2) }, false],
  ] as const)('takes or refuses a frame %s', (_, parts, isFrame) => {
    expect(isProtocolFrame(putTogether(parts))).toBe(isFrame);
  });

  it('refuses any other marker, a size that does not fit, half a range, and every beginning of a frame', () => {
    const frame = putTogether(base);
    const changed = (at: number, byte: number) =>
      Uint8Array.from(frame, (old, n) => (n === frame.length + at ? byte : old));
    for (const one of [changed(-1, 0xfb), changed(-2, 0xfb), changed(-3, 0), changed(-3, 11), changed(-3, 255)]) {
      expect(isProtocolFrame(one)).toBe(false);
    }
    // 0x85: the nonce goes on into the size.
    expect(isProtocolFrame(changed(-4, 0x85))).toBe(false);
    const half = Buffer.concat([Buffer.alloc(20, 1), Buffer.alloc(8, 2), Buffer.from([5, 0, 13, 0xfa, 0xfa])]);
    expect(isProtocolFrame(half)).toBe(false);
    for (let length = 0; length < frame.length; length += 1)
      expect(isProtocolFrame(frame.subarray(0, length))).toBe(false);
    expect(isSilence(Uint8Array.of(0xf8, 0xff, 0xfe))).toBe(true);
    expect(isSilence(Uint8Array.of(0xf8, 0xff, 0xfe, 0))).toBe(false);
  });
});
