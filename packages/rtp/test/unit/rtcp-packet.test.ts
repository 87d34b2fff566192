import { buildRtcp, demux, parseRtcp, type RtcpPacket, RtpError } from '@guildkit/rtp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rtcpPacket } from '../support/arbitraries.js';
import { hex, toHex } from '../support/bytes.js';

const read = (text: string) => parseRtcp(hex(text));
const head = { senderSsrc: 0x01020304, mediaSsrc: 0x05060708 };

describe('parseRtcp and buildRtcp', () => {
  it('read what was written, one packet or a compound', () => {
    fc.assert(
      fc.property(rtcpPacket, (packet) => {
        const built = buildRtcp(packet);
        expect(built.length % 4).toBe(0);
        expect(demux(built)).toBe('rtcp');
        expect(parseRtcp(built)).toEqual({ ok: true, value: [packet] });
      }),
    );
    fc.assert(
      fc.property(fc.array(rtcpPacket, { minLength: 1, maxLength: 5 }), (packets) => {
        expect(parseRtcp(buildRtcp(packets))).toEqual({ ok: true, value: packets });
      }),
    );
  });

  it('refuse a datagram cut at any byte that is not the end of a packet', () => {
    fc.assert(
      fc.property(fc.array(rtcpPacket, { minLength: 1, maxLength: 3 }), (packets) => {
        const bytes = buildRtcp(packets);
        const ends = packets.map((_, n) => buildRtcp(packets.slice(0, n + 1)).length);
        for (let length = 0; length < bytes.length; length += 1) {
          const parsed = parseRtcp(bytes.subarray(0, length));
          const whole = ends.indexOf(length);
          expect(parsed).toEqual(
            whole < 0 ? { ok: false, reason: 'truncated' } : { ok: true, value: packets.slice(0, whole + 1) },
          );
        }
      }),
      { numRuns: 20 },
    );
  });

  it.each<[string, string, RtcpPacket]>([
    ['PLI', '81ce0002 01020304 05060708', { type: 'pictureLossIndication', ...head }],
    [
      'FIR',
      '84ce0004 01020304 00000000 05060708 2a000000',
      {
        type: 'fullIntraRequest',
        senderSsrc: head.senderSsrc,
        mediaSsrc: 0,
        requests: [{ ssrc: 0x05060708, sequenceNumber: 42 }],
      },
    ],
    // libwebrtc and mediasoup test with these figures: 122,754 bit/s for two streams.
    [
      'REMB',
      '8fce0006 fa17fa17 00000000 52454d42 0201df82 02d03702 04a76747',
      {
        type: 'receiverEstimatedBitrate',
        senderSsrc: 0xfa17fa17,
        mediaSsrc: 0,
        bitsPerSecond: 122_754,
        ssrcs: [0x02d03702, 0x04a76747],
      },
    ],
    [
      'a NACK across the wrap',
      '81cd0004 01020304 05060708 fffe 8001 0010 0000',
      { type: 'nack', ...head, sequenceNumbers: [65_534, 65_535, 14, 16] },
    ],
    // Sent by a browser: one byte of padding, against RFC 3550.
    [
      'transport feedback with one byte of padding',
      'afcd0007 00000001 dd586eb6 00010009 5e911000 20091c0c 2c380004 00081801',
      {
        type: 'transportFeedback',
        senderSsrc: 1,
        mediaSsrc: 0xdd586eb6,
        data: hex('00010009 5e911000 20091c0c 2c380004 000818'),
      },
    ],
    [
      'BYE with a reason',
      '81cb0002 01020304 03627965',
      { type: 'goodbye', ssrcs: [0x01020304], reason: hex('627965') },
    ],
    [
      'APP, unread',
      '80cc0002 01020304 74657374',
      { type: 'unknown', packetType: 204, count: 0, body: hex('0102030474657374') },
    ],
    [
      'a feedback format nobody knows',
      '9fcd0002 01020304 05060708',
      { type: 'unknown', packetType: 205, count: 31, body: hex('0102030405060708') },
    ],
  ])('know %s', (_name, text, packet) => {
    expect(read(text)).toEqual({ ok: true, value: [packet] });
    expect(toHex(buildRtcp(packet))).toBe(text.replaceAll(' ', ''));
  });

  it('take a report that is followed by a profile extension', () => {
    expect(read('80c90002 01020304 deadbeef')).toEqual({
      ok: true,
      value: [{ type: 'receiverReport', ssrc: 0x01020304, reports: [] }],
    });
  });

  it('take application feedback that is no REMB for unknown', () => {
    const parsed = read('8fce0003 01020304 00000000 74657374');
    expect(parsed.ok && parsed.value[0]?.type).toBe('unknown');
  });

  it.each([
    ['nothing', '', 'truncated'],
    ['version 1', '40c90001 01020304', 'version'],
    ['RTP', '80780001 01020304', 'kind'],
    ['a length past the end', '80c90002 01020304', 'truncated'],
    ['less than a header behind a packet', '80c90001 01020304 80c9', 'truncated'],
    ['more reports than bytes', '82c90001 01020304', 'length'],
    ['an SR without sender info', '80c80001 01020304', 'length'],
    ['padding of zero', 'a0c90002 01020304 00000000', 'padding'],
    ['padding larger than the packet', 'a0c90002 01020304 0000000c', 'padding'],
    ['padding in an empty packet', 'a0cb0000', 'padding'],
    ['feedback without its streams', '81ce0001 01020304', 'length'],
    ['a NACK of nothing', '81cd0002 01020304 05060708', 'length'],
    ['a REMB that announces more streams', '8fce0004 01020304 00000000 52454d42 01000001', 'length'],
    ['a BYE with fewer sources', '82cb0001 01020304', 'length'],
    ['a BYE with a cut reason', '81cb0002 01020304 04627965', 'length'],
    ['a chunk without an end', '81ca0002 01020304 01026162', 'length'],
    ['an item longer than its chunk', '81ca0002 01020304 01ff6100', 'length'],
    ['a chunk that is not there', '82ca0002 01020304 00000000', 'length'],
  ])('refuse %s', (_what, text, reason) => {
    expect(read(text)).toEqual({ ok: false, reason });
  });

  it.each<[string, RtcpPacket]>([
    [
      'a loss of 25 bits',
      {
        type: 'receiverReport',
        ssrc: 1,
        reports: [
          {
            ssrc: 1,
            fractionLost: 0,
            packetsLost: 2 ** 23,
            highestSequenceNumber: 0,
            jitter: 0,
            lastSenderReport: 0,
            delaySinceLastSenderReport: 0,
          },
        ],
      },
    ],
    [
      'a time that is no bigint',
      {
        type: 'senderReport',
        ssrc: 1,
        ntpTime: 5 as never,
        rtpTimestamp: 0,
        packetCount: 0,
        octetCount: 0,
        reports: [],
      },
    ],
    ['a NACK of nothing', { type: 'nack', ...head, sequenceNumbers: [] }],
    ['32 sources', { type: 'goodbye', ssrcs: Array.from({ length: 32 }, () => 1) }],
    [
      'an item of type 0, which would end its chunk',
      { type: 'sourceDescription', chunks: [{ ssrc: 1, items: [{ type: 0, text: hex('') }] }] },
    ],
    ['a text of 256 bytes', { type: 'goodbye', ssrcs: [1], reason: new Uint8Array(256) }],
    [
      'a bitrate without end',
      { type: 'receiverEstimatedBitrate', ...head, bitsPerSecond: Number.POSITIVE_INFINITY, ssrcs: [] },
    ],
    ['a packet type that is RTP', { type: 'unknown', packetType: 100, count: 0, body: hex('') }],
    ['a body of 70,000 words', { type: 'unknown', packetType: 204, count: 0, body: new Uint8Array(280_000) }],
  ])('refuse to write %s', (_what, packet) => {
    expect(() => buildRtcp(packet)).toThrow(
      expect.objectContaining({ code: 'ERR_RTP_FIELD_INVALID', name: 'RtpError' }),
    );
    expect(RtpError.is(new Error('x'))).toBe(false);
  });

  it('round a bitrate down to 18 bits', () => {
    const packet: RtcpPacket = { type: 'receiverEstimatedBitrate', ...head, bitsPerSecond: 2_500_001, ssrcs: [] };
    const parsed = parseRtcp(buildRtcp(packet));
    expect(parsed.ok && parsed.value[0]).toEqual({ ...packet, bitsPerSecond: 2_500_000 });
  });

  it('fold repeated sequence numbers into one', () => {
    const parsed = parseRtcp(buildRtcp({ type: 'nack', ...head, sequenceNumbers: [7, 7, 8, 24] }));
    expect(parsed.ok && parsed.value[0]).toMatchObject({ sequenceNumbers: [7, 8, 24] });
  });
});
