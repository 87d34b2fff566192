import { buildHeaderExtension, type ExtensionElement, parseHeaderExtensions, RtpError } from '@guildkit/rtp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytes } from '../support/arbitraries.js';
import { hex, toHex } from '../support/bytes.js';

const elementsOf = (profile: number, text: string) => {
  const parsed = parseHeaderExtensions({ profile, data: hex(text) });
  return parsed.ok ? parsed.value.map(({ id, data }) => `${id}:${toHex(data)}`) : parsed.reason;
};

describe('parseHeaderExtensions', () => {
  it('reads the one-byte form with padding (RFC 8285 section 4.2, its example)', () => {
    // Three elements of 1, 2 and 4 bytes; padding between them and at the end.
    expect(elementsOf(0xbede, '10aa 21bbbb 0000 33cccccccc 00')).toEqual(['1:aa', '2:bbbb', '3:cccccccc']);
  });

  it('reads the two-byte form (RFC 8285 section 4.3, its example)', () => {
    expect(elementsOf(0x1000, '0100 0201bb 00 0304cccccccc')).toEqual(['1:', '2:bb', '3:cccccccc']);
    expect(elementsOf(0x100f, 'ff01aa00')).toEqual(['255:aa']);
  });

  it('ends at id 15 of the one-byte form', () => {
    expect(elementsOf(0xbede, '10aa f0ff 10bb')).toEqual(['1:aa']);
  });

  it('passes over id 0 with a length', () => {
    expect(elementsOf(0xbede, '01aaaa 10bb')).toEqual(['1:bb']);
  });

  it.each([
    [0xbede, '13aabb'],
    [0x1000, '01'],
    [0x1000, '0105aa'],
  ])('refuses a length that leads out of it: %s %s', (profile, text) => {
    expect(elementsOf(profile, text)).toBe('length');
  });

  it('finds nothing in other profiles', () => {
    expect(elementsOf(0x1234, '10aa')).toEqual([]);
    expect(elementsOf(0xbede, '')).toEqual([]);
  });
});

describe('buildHeaderExtension', () => {
  const element = (maxId: number, data: fc.Arbitrary<Uint8Array>): fc.Arbitrary<ExtensionElement> =>
    fc.record({ id: fc.integer({ min: 1, max: maxId }), data });

  it('writes what parseHeaderExtensions reads, in the shorter form where that fits', () => {
    const short = fc.array(element(14, bytes(16, 1)), { maxLength: 8 });
    fc.assert(
      fc.property(short, (elements) => {
        const built = buildHeaderExtension(elements);
        expect(built.profile).toBe(0xbede);
        expect(built.data.length % 4).toBe(0);
        expect(parseHeaderExtensions(built)).toEqual({ ok: true, value: elements });
      }),
    );
    const any = fc.array(element(255, bytes(255)), { maxLength: 8 });
    fc.assert(
      fc.property(any, (elements) => {
        const built = buildHeaderExtension(elements);
        expect(parseHeaderExtensions(built)).toEqual({ ok: true, value: elements });
      }),
    );
  });

  it.each([[{ id: 0, data: hex('aa') }], [{ id: 256, data: hex('aa') }], [{ id: 1, data: new Uint8Array(256) }]])(
    'refuses %o',
    (bad) => {
      expect(() => buildHeaderExtension([bad])).toThrow(RtpError);
    },
  );
});
