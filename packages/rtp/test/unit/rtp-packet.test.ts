import { buildRtp, demux, parseRtp, RtpError, type RtpPacketInit } from '@guildkit/rtp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rtpPacket } from '../support/arbitraries.js';
import { hex, toHex } from '../support/bytes.js';

const PLAIN: RtpPacketInit = {
  payloadType: 120,
  sequenceNumber: 1,
  timestamp: 960,
  ssrc: 12_345,
  payload: hex('f8fffe'),
};
const FULL: RtpPacketInit = {
  ...PLAIN,
  marker: true,
  csrcs: [1, 0xffff_ffff],
  extension: { profile: 0xbede, data: hex('10ff9000') },
  paddingLength: 3,
};

describe('buildRtp', () => {
  it('writes the bytes of RFC 3550 section 5.1', () => {
    expect(toHex(buildRtp(PLAIN))).toBe('80780001000003c000003039f8fffe');
    expect(toHex(buildRtp(FULL))).toBe(
      ['b2f80001000003c000003039', '00000001ffffffff', 'bede000110ff9000', 'f8fffe', '000003'].join(''),
    );
  });

  it('fills an extension up to the word', () => {
    const built = buildRtp({ ...PLAIN, extension: { profile: 1, data: hex('0102030405') } });
    expect(toHex(built)).toBe('90780001000003c0000030390001000201020304050000'.concat('00f8fffe'));
  });

  it.each<[string, Partial<RtpPacketInit>]>([
    ['payloadType', { payloadType: 128 }],
    ['payloadType', { payloadType: 72 }],
    ['sequenceNumber', { sequenceNumber: 65_536 }],
    ['sequenceNumber', { sequenceNumber: 1.5 }],
    ['timestamp', { timestamp: -1 }],
    ['ssrc', { ssrc: 2 ** 32 }],
    ['csrcs.length', { csrcs: Array.from({ length: 16 }, () => 1) }],
    ['csrc', { csrcs: [Number.NaN] }],
    ['extension.profile', { extension: { profile: 65_536, data: hex('') } }],
    ['extension.data.length', { extension: { profile: 1, data: new Uint8Array(65_536 * 4) } }],
    ['paddingLength', { paddingLength: 256 }],
  ])('refuses a %s that does not fit', (name, change) => {
    let thrown: unknown;
    try {
      buildRtp({ ...PLAIN, ...change });
    } catch (error) {
      thrown = error;
    }
    expect(RtpError.is(thrown) && thrown.code).toBe('ERR_RTP_FIELD_INVALID');
    expect((thrown as Error).message).toContain(name);
  });
});

describe('parseRtp', () => {
  it('reads what buildRtp wrote', () => {
    fc.assert(
      fc.property(rtpPacket, (packet) => {
        expect(parseRtp(buildRtp(packet))).toEqual({ ok: true, value: packet });
      }),
    );
  });

  it('takes no copy of payload and extension', () => {
    const bytes = buildRtp(FULL);
    const parsed = parseRtp(bytes);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(parsed.value.payload.buffer).toBe(bytes.buffer);
    expect(parsed.value.extension?.data.buffer).toBe(bytes.buffer);
  });

  it('refuses or reads a packet cut at any byte, and never reads beyond it', () => {
    fc.assert(
      fc.property(rtpPacket, (packet) => {
        const bytes = buildRtp(packet);
        for (let length = 0; length < bytes.length; length += 1) {
          const parsed = parseRtp(bytes.subarray(0, length));
          if (!parsed.ok) {
            expect(['truncated', 'padding']).toContain(parsed.reason);
            continue;
          }
          const { csrcs, extension, payload, paddingLength } = parsed.value;
          const total =
            12 + csrcs.length * 4 + (extension ? 4 + extension.data.length : 0) + payload.length + paddingLength;
          expect(total).toBe(length);
        }
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    ['nothing', '', 'truncated'],
    ['eleven bytes', '80780001000003c0000030', 'truncated'],
    ['version 1', '40780001000003c000003039', 'version'],
    ['RTCP', '80c80001000003c000003039', 'kind'],
    ['CSRCs that are not there', '81780001000003c000003039', 'truncated'],
    ['an extension without its head', '90780001000003c000003039bede', 'truncated'],
    ['an extension longer than the packet', '90780001000003c000003039bede000200000000', 'truncated'],
    ['padding without a byte', 'a0780001000003c000003039', 'padding'],
    ['padding of zero bytes', 'a0780001000003c000003039f8fffe00', 'padding'],
    ['padding longer than what is there', 'a0780001000003c000003039f8fffe05', 'padding'],
    ['padding that would eat the extension', 'b0780001000003c000003039bede000100000003', 'padding'],
  ])('refuses %s', (_what, text, reason) => {
    expect(parseRtp(hex(text))).toEqual({ ok: false, reason });
  });

  it('takes padding alone: a probe has no payload', () => {
    const parsed = parseRtp(hex('a0780001000003c000003039 000003'));
    expect(parsed.ok && [parsed.value.payload.length, parsed.value.paddingLength]).toEqual([0, 3]);
  });
});

describe('demux', () => {
  it('tells RTP, RTCP and neither (RFC 5761 section 4)', () => {
    for (let second = 0; second < 256; second += 1) {
      expect(demux(Uint8Array.of(0x80, second))).toBe(second >= 192 && second <= 223 ? 'rtcp' : 'rtp');
    }
    for (const other of ['', '80', '0001004600000000', '1337cafe00000001', '0278', 'ff78'])
      expect(demux(hex(other))).toBe(undefined);
  });

  it('agrees with the parsers on every packet built', () => {
    fc.assert(fc.property(rtpPacket, (packet) => demux(buildRtp(packet)) === 'rtp'));
  });
});
