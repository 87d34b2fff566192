import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFrame } from '../../src/codec/decode-frame.js';
import { readHead } from '../../src/codec/frame-head.js';

const nobody = (): boolean => false;

test.each([
  '{"t":"VOICE_STATE_UPDATE","s":42,"op":0,"d":{"a":1}}',
  '{"op":0,"s":42,"t":"VOICE_STATE_UPDATE","d":{"a":1}}',
  '{"s":42,"op":0,"t":"VOICE_STATE_UPDATE","d":null}',
])('reads the head of %s', (text) => {
  expect(readHead(text)).toEqual({ name: 'VOICE_STATE_UPDATE', seq: 42 });
});

test.each([
  ['d first', '{"d":{},"t":"A","s":1,"op":0}'],
  ['another key', '{"x":1,"t":"A","s":1,"op":0,"d":1}'],
  ['white space', '{ "t":"A","s":1,"op":0,"d":1}'],
  ['white space before a value', '{"t":"A","s": 1,"op":0,"d":1}'],
  ['another opcode', '{"t":null,"s":null,"op":11,"d":1}'],
  ['an opcode that begins with 0', '{"t":"A","s":1,"op":0.5,"d":1}'],
  ['an escape in the name', '{"t":"A\\u0041","s":1,"op":0,"d":1}'],
  ['no name', '{"t":"","s":1,"op":0,"d":1}'],
  ['a leading zero', '{"t":"A","s":01,"op":0,"d":1}'],
  ['a fraction', '{"t":"A","s":1.5,"op":0,"d":1}'],
  ['an exponent', '{"t":"A","s":1e3,"op":0,"d":1}'],
  ['a negative number', '{"t":"A","s":-1,"op":0,"d":1}'],
  ['a number beyond exactness', '{"t":"A","s":9007199254740993,"op":0,"d":1}'],
  ['no sequence', '{"t":"A","op":0,"d":1}'],
  ['a cut', '{"t":"A","s":1,"op":0'],
  ['an array', '[0]'],
  ['nothing', ''],
])('leaves %s to the full parse', (_what, text) => {
  expect(readHead(text)).toBeUndefined();
});

/** A frame's text with the keys in any order, other keys among them, and any content. */
const plain = {
  op: fc.constant<unknown>(0),
  t: fc.stringMatching(/^[A-Z][A-Z_0-9]{0,30}$/) as fc.Arbitrary<unknown>,
  s: fc.nat() as fc.Arbitrary<unknown>,
  d: fc.jsonValue() as fc.Arbitrary<unknown>,
};
const strange = {
  op: fc.oneof(plain.op, fc.jsonValue()),
  t: fc.oneof(plain.t, fc.string(), fc.jsonValue()),
  s: fc.oneof(plain.s, fc.jsonValue()),
  d: fc.jsonValue(),
  z: fc.jsonValue(),
};
const frameText = fc
  .tuple(
    fc.oneof(fc.record(plain), fc.record(strange, { requiredKeys: [] })),
    fc.infiniteStream(fc.nat()),
    fc.constantFrom(undefined, undefined, undefined, 1),
  )
  .map(([record, order, indent]) => {
    const entries = Object.entries(record).map((entry) => [order.next().value, entry] as const);
    const shuffled = entries.sort((a, b) => a[0] - b[0]).map(([, entry]) => entry);
    return JSON.stringify(Object.fromEntries(shuffled), undefined, indent);
  });

test('for any key order and content the result is that of JSON.parse', () => {
  let lazy = 0;
  fc.assert(
    fc.property(frameText, fc.boolean(), (text, asBytes) => {
      const data = asBytes ? Buffer.from(text) : text;
      const whole = decodeFrame(text);
      const partial = decodeFrame(data, nobody);
      expect(partial.ok).toBe(whole.ok);
      if (!whole.ok || !partial.ok) {
        expect(partial).toEqual(whole);
        return;
      }
      const { payload: expected = undefined, ...rest } = whole.frame as { payload?: { name: string; data(): unknown } };
      const { payload, ...head } = partial.frame as { payload?: { name: string; data(): unknown } };
      expect(head).toEqual(rest);
      expect(payload?.name).toBe(expected?.name);
      expect(payload?.data()).toEqual(expected?.data());
      if (readHead(text) !== undefined) lazy += 1;
    }),
    { numRuns: 3_000, seed: 11 },
  );
  expect(lazy).toBeGreaterThan(200);
});

test('bytes that are no Buffer are read too', () => {
  const bytes = new TextEncoder().encode('{"t":"A","s":1,"op":0,"d":"ä"}');
  const decoded = decodeFrame(bytes, nobody);
  expect(decoded).toMatchObject({ ok: true, frame: { kind: 'dispatch', seq: 1, payload: { name: 'A' } } });
  if (decoded.ok && decoded.frame.kind === 'dispatch') expect(decoded.frame.payload.data()).toBe('ä');
});

test('what is wanted is parsed before it counts, what is not wanted is not looked at', () => {
  const broken = '{"t":"A","s":1,"op":0,"d":{"cut';
  expect(decodeFrame(broken, (name) => name === 'A')).toEqual({ ok: false, problem: 'not JSON' });
  const decoded = decodeFrame(broken, nobody);
  expect(decoded).toMatchObject({ ok: true, frame: { seq: 1 } });
  if (decoded.ok && decoded.frame.kind === 'dispatch') expect(decoded.frame.payload.data()).toBeUndefined();
  for (const name of ['READY', 'RESUMED']) {
    expect(decodeFrame(`{"t":"${name}","s":1,"op":0,"d":{"cut`, nobody).ok).toBe(false);
  }
});
