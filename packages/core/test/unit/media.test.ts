/** Media frames: round trip, every truncation, and whatever comes. */
import {
  buildMediaFrame,
  MEDIA_HEAD_BYTES,
  MEDIA_MAX_BYTES,
  type MediaFrame,
  parseMediaFrame,
} from '@guildkit/core/wire';
import { mediaControlSchema } from '@guildkit/core/wire/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const frames: fc.Arbitrary<MediaFrame> = fc
  .record({
    what: fc.constantFrom(
      ['audio', 'opus'],
      ['video', 'vp8'],
      ['video', 'vp9'],
      ['video', 'h264'],
      ['keyframeRequest', 'none'],
      ['control', 'none'],
    ),
    keyframe: fc.boolean(),
    stream: u32,
    timestamp: u32,
    payload: fc.uint8Array({ maxLength: 200 }),
  })
  .map(({ what: [kind, codec], ...rest }) => ({ kind, codec, ...rest }) as MediaFrame);

describe('a media frame', () => {
  it('is read as it was built, also within a larger buffer', () => {
    fc.assert(
      fc.property(frames, fc.nat(9), (frame, offset) => {
        const bytes = buildMediaFrame(frame);
        expect(bytes.length).toBe(MEDIA_HEAD_BYTES + frame.payload.length);
        const around = new Uint8Array(offset + bytes.length + 3);
        around.set(bytes, offset);
        const parsed = parseMediaFrame(around.subarray(offset, offset + bytes.length));
        expect(parsed).toEqual({ kind: 'frame', frame });
      }),
    );
  });

  it('has its documented bytes', () => {
    const frame = { kind: 'video', codec: 'vp8', keyframe: true, stream: 0x01020304, timestamp: 0xa0b0c0d0 } as const;
    expect([...buildMediaFrame({ ...frame, payload: new Uint8Array([9]) })]).toEqual([
      1, 2, 2, 1, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0, 9,
    ]);
  });

  it('cut within its head, of another version, kind or codec, or too large, is refused with the reason', () => {
    const good = buildMediaFrame({
      kind: 'audio',
      codec: 'opus',
      keyframe: false,
      stream: 0,
      timestamp: 0,
      payload: new Uint8Array(3),
    });
    for (let end = 0; end < MEDIA_HEAD_BYTES; end += 1) {
      expect(parseMediaFrame(good.subarray(0, end))).toEqual({ kind: 'invalid', problem: 'short' });
    }
    const bent = (at: number, value: number) => {
      const bytes = good.slice();
      bytes[at] = value;
      return parseMediaFrame(bytes);
    };
    expect(bent(0, 2)).toEqual({ kind: 'invalid', problem: 'version' });
    for (const kind of [0, 5, 255]) expect(bent(1, kind)).toEqual({ kind: 'invalid', problem: 'kind' });
    for (const codec of [0, 2, 5, 255]) expect(bent(2, codec)).toEqual({ kind: 'invalid', problem: 'codec' });
    expect(bent(3, 0xfe)).toMatchObject({ kind: 'frame', frame: { keyframe: false } });
    expect(parseMediaFrame(new Uint8Array(MEDIA_MAX_BYTES + 1))).toEqual({ kind: 'invalid', problem: 'large' });
  });

  it('is never the reader’s undoing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const parsed = parseMediaFrame(bytes);
        if (parsed.kind === 'frame') expect(buildMediaFrame(parsed.frame).length).toBe(bytes.length);
      }),
    );
  });

  it('that cannot be is not built', () => {
    const frame = { kind: 'video', codec: 'opus', keyframe: false, stream: 0, timestamp: 0, payload: new Uint8Array() };
    expect(() => buildMediaFrame(frame as MediaFrame)).toThrow(RangeError);
    const payload = new Uint8Array(MEDIA_MAX_BYTES - MEDIA_HEAD_BYTES + 1);
    expect(() => buildMediaFrame({ ...frame, codec: 'vp8', payload } as MediaFrame)).toThrow(RangeError);
  });

  it('of control holds one of the known messages', () => {
    expect(mediaControlSchema.safeParse({ type: 'auth', token: 't' }).success).toBe(true);
    for (const bad of [{ type: 'auth' }, { type: 'auth', token: '' }, { type: 'other' }, null]) {
      expect(mediaControlSchema.safeParse(bad).success).toBe(false);
    }
  });
});
