import { type MediaPacket, vp8 } from '@guildkit/rtp';
import { describe, expect, it } from 'vitest';
import { hex, toHex } from '../support/bytes.js';

const packet = (sequenceNumber: number, text: string, marker = true, timestamp = 0): MediaPacket => ({
  sequenceNumber,
  timestamp,
  marker,
  payload: hex(text),
});
const read = (...texts: string[]) => {
  const receiver = vp8.createDepacketizer();
  const frames = texts.flatMap((text, n) => receiver.push(packet(n, text, n === texts.length - 1)));
  return { frames, stats: receiver.stats };
};

describe('vp8', () => {
  // RFC 7741 section 4.6. The payload header's first byte: P is its lowest bit, 0 for a keyframe.
  it.each<[string, string[], object, string]>([
    ['4.6.1 keyframe in one packet', ['9080 11 10aabb'], { keyframe: true, pictureId: 17 }, '10aabb'],
    [
      '4.6.2 interframe in one packet, no PictureID',
      ['10 11aabb'],
      { keyframe: false, pictureId: undefined },
      '11aabb',
    ],
    [
      '4.6.3 partitions in packets of their own',
      ['9080 11 11aa', '9180 11 bbcc'],
      { keyframe: false, pictureId: 17 },
      '11aabbcc',
    ],
    [
      '4.6.4 frame over several packets',
      ['9080 11 11aa', '8080 11 bb', '9180 11 cc', '8180 11 dd'],
      { pictureId: 17 },
      '11aabbccdd',
    ],
    ['4.6.5 long PictureID', ['9080 9267 11aa'], { pictureId: 4_711 }, '11aa'],
  ])('reads %s', (_name, texts, facts, data) => {
    const { frames } = read(...texts);
    expect(frames).toMatchObject([facts]);
    expect(toHex(frames[0]?.data as Uint8Array)).toBe(data);
  });

  it.each<[string, string, object]>([
    ['all fields', '90f0 8123 45 b0 10', { pictureId: 0x123, tl0PicIdx: 0x45, temporalId: 2 }],
    ['T alone, whose byte K shares', '9020 c0 10', { pictureId: undefined, tl0PicIdx: undefined, temporalId: 3 }],
    ['K alone', '9010 1f 10', { temporalId: undefined }],
    ['L and T', '9060 07 40 10', { tl0PicIdx: 7, temporalId: 1 }],
    ['an extension byte without fields', '9000 10', { pictureId: undefined }],
    ['reserved bits set', 'd8 8f 11 10', { pictureId: 17 }],
  ])('reads a descriptor with %s', (_name, text, facts) => {
    expect(read(text).frames).toMatchObject([facts]);
  });

  it('counts descriptors without a payload as malformed', () => {
    for (const text of [
      '10',
      '90',
      '9080',
      '908011',
      '908092',
      '90809267',
      '90f08123',
      '90f0812345',
      '90f0812345b0',
      '9020c0',
    ]) {
      expect(read(text)).toMatchObject({ frames: [], stats: { malformed: 1, dropped: 1 } });
    }
  });

  it('writes the descriptor', () => {
    const frame = hex('10aabb');
    const first = (options?: Parameters<typeof vp8.packetize>[1]) =>
      toHex(vp8.packetize(frame, options)[0]?.payload as Uint8Array);
    expect(first()).toBe('1010aabb');
    expect(first({ pictureId: 4_711 })).toBe('9080926710aabb');
    expect(first({ pictureId: 0, nonReference: true })).toBe('b080800010aabb');
    const many = vp8.packetize(new Uint8Array(100), { mtu: 54, pictureId: 1 });
    expect(many.map(({ payload }) => toHex(payload.subarray(0, 4)))).toEqual(['90808001', '80808001']);
    expect(many.map(({ payload }) => payload.length)).toEqual([54, 54]);
    expect(() => vp8.packetize(frame, { pictureId: 0x8000 })).toThrow(TypeError);
  });

  it('shares the loss of a packet evenly: no short last packet', () => {
    const sizes = vp8.packetize(new Uint8Array(1_121), {}).map(({ payload }) => payload.length);
    expect(sizes).toEqual([561, 562]);
  });

  it('ends a frame without a marker where the next one begins', () => {
    const receiver = vp8.createDepacketizer();
    expect(receiver.push(packet(1, '10 10aa', false, 0))).toEqual([]);
    const frames = receiver.push(packet(2, '10 11bb', true, 3_000));
    expect(frames.map(({ data }) => toHex(data))).toEqual(['10aa', '11bb']);
  });

  it('drops a frame that begins twice', () => {
    const receiver = vp8.createDepacketizer();
    receiver.push(packet(1, '10 10aa', false));
    const frames = receiver.push(packet(2, '10 10bb', true));
    expect(frames).toMatchObject([{ discontinuity: true }]);
    expect(receiver.stats).toMatchObject({ frames: 1, dropped: 1 });
  });

  it('gives out a frame of one packet without copying it', () => {
    const one = packet(1, '10 10aa');
    expect(vp8.createDepacketizer().push(one)[0]?.data.buffer).toBe(one.payload.buffer);
  });
});
