import { h264, type MediaPacket, RtpError } from '@guildkit/rtp';
import { describe, expect, it } from 'vitest';
import { annexB, hex, toHex } from '../support/bytes.js';

const payloads = (frame: Uint8Array, mtu?: number) =>
  h264.packetize(frame, { mtu }).map(({ payload }) => toHex(payload));
const packet = (sequenceNumber: number, text: string, marker = true, timestamp = 0): MediaPacket => ({
  sequenceNumber,
  timestamp,
  marker,
  payload: hex(text),
});
const read = (...texts: string[]) => {
  const receiver = h264.createDepacketizer();
  const frames = texts.flatMap((text, n) => receiver.push(packet(n, text, n === texts.length - 1)));
  return { frames, data: frames.map(({ data }) => toHex(data)), stats: receiver.stats };
};

describe('h264.packetize', () => {
  it('sends one small unit as it is (RFC 6184 section 5.6)', () => {
    expect(payloads(annexB([hex('41aabb')]))).toEqual(['41aabb']);
  });

  it('joins small units to STAP-A (section 5.7.1), with the highest importance and F if any has it', () => {
    expect(payloads(annexB([hex('2701'), hex('68ce02'), hex('c503')]))).toEqual([
      'f8' + '00022701' + '000368ce02' + '0002c503',
    ]);
  });

  it('cuts large units into FU-A (section 5.8)', () => {
    const unit = Uint8Array.from({ length: 61 }, (_, n) => (n === 0 ? 0x65 : n));
    const cut = payloads(annexB([unit]), 24);
    expect(cut.map((text) => text.slice(0, 4))).toEqual(['7c85', '7c05', '7c45']);
    expect(cut.map((text) => text.slice(4)).join('')).toBe(toHex(unit.subarray(1)));
    expect(cut.map((text) => text.length / 2)).toEqual([22, 22, 22]);
  });

  it('fills a packet before it begins another', () => {
    const unit = hex('41'.padEnd(20, '1'));
    expect(payloads(annexB([unit, unit, unit]), 25).map((text) => text.slice(0, 2))).toEqual(['58', '41']);
    // A unit that fits alone but not in an aggregate goes alone.
    expect(payloads(annexB([unit, new Uint8Array(24).fill(0x41)]), 24).map((text) => text.length / 2)).toEqual([
      10, 24,
    ]);
  });

  it('takes start codes of three bytes and of four, and gives units their own zeros', () => {
    const frame = hex('000001 2701 00000001 68ce 000001 6500');
    expect(payloads(frame)).toEqual(['78' + '00022701' + '000268ce' + '00026500']);
    expect(payloads(hex('00000001 6500 00000001 4100'))).toEqual(['78' + '00026500' + '00024100']);
  });

  it.each([
    ['no start code', '6501020304'],
    ['bytes before the first start code', '41 00000001 65aa'],
    ['start codes alone', '00000001 000001'],
    ['a unit of an aggregate type', '00000001 78aa'],
    ['a unit of type 0', '00000001 00aa'],
  ])('refuses %s', (_what, text) => {
    expect(() => h264.packetize(hex(text))).toThrow(expect.objectContaining({ code: 'ERR_RTP_FRAME_INVALID' }));
    expect(() => h264.packetize(hex(text))).toThrow(RtpError);
  });
});

describe('h264 depacketizer', () => {
  it('reads single units, STAP-A and FU-A into an Annex B stream with four-byte start codes', () => {
    const { data, frames } = read('78 0002 2701 0002 68ce', '7c85 aa', '7c05 bb', '7c45 cc', '41dd');
    expect(data).toEqual(['00000001' + '2701' + '00000001' + '68ce' + '00000001' + '65aabbcc' + '00000001' + '41dd']);
    expect(frames).toMatchObject([{ keyframe: true }]);
  });

  it('takes a delimiter and parameters within a frame for no new beginning', () => {
    expect(read('0910', '2701', '68ce', '65aa').data).toEqual([
      '00000001091000000001270100000001' + '68ce0000000165aa',
    ]);
  });

  it.each([
    ['STAP-B', '7900010002'],
    ['MTAP', '7a0001'],
    ['FU-B', '7d8500'],
    ['type 0', '00aa'],
    ['type 31', '1faa'],
    ['STAP-A of nothing', '78'],
    ['STAP-A with half a length', '7800'],
    ['STAP-A with an empty unit', '780000'],
    ['STAP-A longer than the packet', '78000541aa'],
    ['STAP-A in STAP-A', '78000278aa'],
    ['FU-A without a header', '7c'],
    ['FU-A without a byte', '7c85'],
    ['FU-A of one fragment, both first and last', '7cc5aa'],
    ['FU-A of an aggregate type', '7c98aa'],
  ])('counts %s as malformed', (_what, text) => {
    expect(read(text)).toMatchObject({ frames: [], stats: { malformed: 1, dropped: 1 } });
  });

  it('drops fragments whose beginning is lost', () => {
    expect(read('7c05aa', '7c45bb')).toMatchObject({ frames: [], stats: { dropped: 1 } });
  });

  it('does not give out what is behind a gap unless it is sure to be a beginning', () => {
    const receiver = h264.createDepacketizer();
    expect(receiver.push(packet(1, '41aa', true, 0))).toHaveLength(1);
    // 2 is lost: it may have been the first slice of this frame.
    expect(receiver.push(packet(3, '41bb', true, 3_000))).toEqual([]);
    expect(receiver.push(packet(4, '41cc', true, 6_000))).toMatchObject([{ discontinuity: true }]);
    // 5 is lost: parameters begin a frame all the same.
    expect(receiver.push(packet(6, '78 0002 2701 0002 65aa', true, 9_000))).toMatchObject([
      { keyframe: true, discontinuity: true },
    ]);
    expect(receiver.stats).toEqual({ frames: 3, dropped: 1, malformed: 0, ignored: 0 });
  });
});
