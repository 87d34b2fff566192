import { buildRtp, fromRtx, parseRtp, toRtx } from '@guildkit/rtp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rtpPacket } from '../support/arbitraries.js';
import { hex, toHex } from '../support/bytes.js';

const target = { ssrc: 2, payloadType: 106, sequenceNumber: 7 };

describe('retransmissions', () => {
  it('bring back the packet', () => {
    fc.assert(
      fc.property(rtpPacket, (packet) => {
        const parsed = parseRtp(buildRtp(toRtx(packet, target)));
        if (!parsed.ok) throw new Error(parsed.reason);
        expect(parsed.value).toMatchObject(target);
        expect(fromRtx(parsed.value, packet)).toEqual({ ok: true, value: { ...packet, paddingLength: 0 } });
      }),
    );
  });

  it('carry the original sequence number first (RFC 4588 section 4)', () => {
    const packet = { payloadType: 105, sequenceNumber: 0x1234, timestamp: 1, ssrc: 1, payload: hex('aabb') };
    expect(toHex(toRtx(packet, target).payload)).toBe('1234aabb');
  });

  it('refuse what carries nothing', () => {
    const parsed = parseRtp(buildRtp({ ...target, timestamp: 1, payload: hex('00') }));
    expect(parsed.ok && fromRtx(parsed.value, { ssrc: 1, payloadType: 105 })).toEqual({
      ok: false,
      reason: 'truncated',
    });
  });
});
