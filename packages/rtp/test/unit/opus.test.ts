import { opus } from '@guildkit/rtp';
import { describe, expect, it } from 'vitest';
import { hex } from '../support/bytes.js';

describe('opus', () => {
  it('sends a packet as it is', () => {
    const frame = hex('f8aabb');
    expect(opus.packetize(frame)).toEqual([{ payload: frame, marker: false }]);
    expect(opus.packetize(frame, { talkSpurt: true })).toEqual([{ payload: frame, marker: true }]);
    expect(() => opus.packetize(new Uint8Array(101), { mtu: 100 })).toThrow(
      expect.objectContaining({ code: 'ERR_RTP_FRAME_OVERSIZED' }),
    );
    expect(() => opus.packetize(frame, { mtu: 0 })).toThrow(TypeError);
  });

  it('hands on the marker as the beginning of a talk spurt', () => {
    const receiver = opus.createDepacketizer();
    const packet = { sequenceNumber: 1, timestamp: 960, marker: true, payload: hex('f8fffe') };
    expect(receiver.push(packet)).toEqual([
      { data: packet.payload, timestamp: 960, sequenceNumber: 1, discontinuity: false, talkSpurt: true },
    ]);
    expect(receiver.push({ ...packet, sequenceNumber: 3, marker: false })).toMatchObject([
      { discontinuity: true, talkSpurt: false },
    ]);
  });

  it('knows silence, and hands out a new one each time', () => {
    expect(opus.isSilence(opus.silence)).toBe(true);
    opus.silence.fill(0);
    expect(opus.silence).toEqual(hex('f8fffe'));
    for (const other of ['', 'f8ff', 'f8fffe00', 'f8fffd']) expect(opus.isSilence(hex(other))).toBe(false);
  });

  // RFC 6716 table 2: configuration << 3 | stereo << 2 | code.
  it.each([
    [0 << 3, 480],
    [3 << 3, 2_880],
    [12 << 3, 480],
    [15 << 3, 960],
    [16 << 3, 120],
    [(31 << 3) | 4, 960],
    [(31 << 3) | 1, 1_920],
    [(31 << 3) | 2, 1_920],
  ])('reads the duration in the first byte %i', (toc, samples) => {
    expect(opus.samplesOf(Uint8Array.of(toc, 1, 2))).toBe(samples);
  });

  it('reads the number of frames of code 3, up to 120 ms', () => {
    expect(opus.samplesOf(hex('ff06'))).toBe(5_760);
    expect(opus.samplesOf(hex('ff07'))).toBe(undefined);
    expect(opus.samplesOf(hex('ffc6'))).toBe(5_760);
    for (const none of ['', 'ff', 'ff00']) expect(opus.samplesOf(hex(none))).toBe(undefined);
  });
});
