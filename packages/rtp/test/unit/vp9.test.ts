import { type MediaPacket, RtpError, vp9 } from '@guildkit/rtp';
import { describe, expect, it } from 'vitest';
import { hex, toHex } from '../support/bytes.js';

const read = (...texts: string[]) => {
  const receiver = vp9.createDepacketizer();
  const frames = texts.flatMap((text, n) => {
    const packet: MediaPacket = { sequenceNumber: n, timestamp: 0, marker: n === texts.length - 1, payload: hex(text) };
    return receiver.push(packet);
  });
  return { frames, stats: receiver.stats };
};

describe('vp9', () => {
  // Bits of the first byte: I P L F B E V Z (RFC 9628 section 4.2).
  it.each<[string, string[], object, string]>([
    [
      'a bare keyframe',
      ['0c 82aa'],
      { keyframe: true, pictureId: undefined, spatialLayers: 1, resolutions: [] },
      '82aa',
    ],
    ['short and long picture ids', ['8c 11 82aa'], { pictureId: 17 }, '82aa'],
    ['a long picture id', ['cc 9267 86aa'], { keyframe: false, pictureId: 4_711 }, '86aa'],
    ['layers, non-flexible: TL0PICIDX follows', ['ac 05 40 07 82aa'], { temporalId: 2, pictureId: 5 }, '82aa'],
    ['layers, flexible, three references', ['fc 05 20 03 05 06 86aa'], { keyframe: false, temporalId: 1 }, '86aa'],
    ['flexible without references: no P bit', ['9c 05 82aa'], { keyframe: true }, '82aa'],
    ['a frame over three packets', ['08 82', '00 bb', '04 cc'], { keyframe: true }, '82bbcc'],
    [
      'a structure of two layers with sizes and a picture group',
      ['8e 05 38 0140 00b4 0280 0168 02 00 14 01 82aa'],
      {
        resolutions: [
          { width: 320, height: 180 },
          { width: 640, height: 360 },
        ],
      },
      '82aa',
    ],
    ['a structure that tells nothing', ['0e 00 82aa'], { resolutions: [] }, '82aa'],
    [
      'two spatial layers in one picture',
      ['a8 05 00 01 82', 'a4 05 00 01 aa', 'ec 05 03 01 bb'],
      { keyframe: true, spatialLayers: 2 },
      '82aabb',
    ],
  ])('reads %s', (_name, texts, facts, data) => {
    const { frames } = read(...texts);
    expect(frames).toMatchObject([facts]);
    expect(toHex(frames[0]?.data as Uint8Array)).toBe(data);
  });

  it('counts what it cannot read as malformed', () => {
    for (const text of [
      '0c',
      '8c',
      '8c9267',
      'ac0540',
      'ac054007',
      // Four references in a row.
      'fc052003050701 86aa',
      '0e',
      '0e38014000b4',
      // Two pictures announced, one there.
      '0e08020014',
      '0e08ff',
    ]) {
      expect(read(text)).toMatchObject({ frames: [], stats: { malformed: 1 } });
    }
  });

  it('does not begin with an upper layer', () => {
    expect(read('ec 05 03 01 bb')).toMatchObject({ frames: [], stats: { dropped: 1, malformed: 0 } });
  });

  it('writes the descriptor, and reads the frame type from a plain frame', () => {
    const first = (frame: string, options?: Parameters<typeof vp9.packetize>[1]) =>
      toHex(vp9.packetize(hex(frame), options)[0]?.payload as Uint8Array).slice(0, -frame.length);
    expect(first('82aa')).toBe('0c');
    expect(first('86aa')).toBe('4c');
    expect(first('82aa', { pictureId: 4_711 })).toBe('8c9267');
    expect(first('00aa', { keyframe: true })).toBe('0c');
    expect(first('00aa', { keyframe: false })).toBe('4c');
    // A shown existing frame is no keyframe; profile 3 has one more bit before the type.
    expect(first('88aa')).toBe('4c');
    expect(first('b0aa')).toBe('0c');
    expect(first('b2aa')).toBe('4c');
    expect(vp9.packetize(new Uint8Array(50).fill(0x82), { mtu: 26 }).map(({ payload }) => payload[0])).toEqual([8, 4]);
  });

  it('asks for `keyframe` where it cannot read it', () => {
    expect(() => vp9.packetize(hex('00aa'))).toThrow(RtpError);
  });
});
