import { toLogText, toPlainText } from '@guildkit/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

/** Strings dense in what has to go: controls, separators, overrides, halves of pairs. */
const nasty = fc
  .array(
    fc.oneof(
      fc.constantFrom(0x1b, 0x0a, 0x0d, 0x09, 0x00, 0x7f, 0x85, 0x9b, 0x2028, 0x2029, 0x202e, 0x2066, 0xd83d, 0xde00),
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0x20, max: 0x7e }),
    ),
    { maxLength: 300 },
  )
  .map((units) => String.fromCharCode(...units));

const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\p{Surrogate}]/u;

describe('toLogText', () => {
  it('strips what would break or reorder a line', () => {
    expect(toLogText('a\u001b[31mb\r\nc\u202ed\u2028e\u0000f\u009bg')).toBe('a[31mbcdefg');
  });

  it('keeps letters, emoji with joiners and right-to-left text', () => {
    for (const text of ['Zoë 你好', '👩‍🚀👍🏽', 'שלום עולם']) expect(toLogText(text)).toBe(text);
  });

  it('bounds the length and marks the cut', () => {
    expect(toLogText('abcdef', 3)).toBe('abc…');
    expect(toLogText('abc', 3)).toBe('abc');
    expect(toLogText('abc', 0)).toBe('…');
    expect(toLogText('x'.repeat(201))).toBe(`${'x'.repeat(200)}…`);
  });

  it('never leaves half a surrogate pair', () => {
    expect(toLogText('ab😀', 3)).toBe('ab…');
    expect(toLogText('a\ud83db')).toBe('ab');
  });

  it('is one clean bounded line, whatever comes (fuzz)', () => {
    fc.assert(
      fc.property(nasty, fc.integer({ min: 0, max: 40 }), (text, maxLength) => {
        const line = toLogText(text, maxLength);
        expect(line).not.toMatch(CONTROL);
        expect(line.length).toBeLessThanOrEqual(maxLength + 1);
        expect(line.endsWith('…') || text.length <= maxLength).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('toPlainText', () => {
  it('keeps lines and tabs', () => {
    expect(toPlainText('a\r\n\tb\u0007')).toBe('a\n\tb');
  });

  it('leaves markup alone: escaping is the UI’s', () => {
    expect(toPlainText('<b>&amp;</b>')).toBe('<b>&amp;</b>');
  });

  it('has no control character but tab and line feed left, and changes nothing twice (fuzz)', () => {
    fc.assert(
      fc.property(nasty, (text) => {
        const plain = toPlainText(text);
        expect(plain.replace(/[\t\n]/g, '')).not.toMatch(CONTROL);
        expect(toPlainText(plain)).toBe(plain);
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps every other character in order (fuzz)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const harmless = [...text].filter((character) => !CONTROL.test(character)).join('');
        expect(toPlainText(harmless)).toBe(harmless);
      }),
    );
  });
});
