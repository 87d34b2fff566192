import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFrame } from '../../src/codec/decode-frame.js';
import { readHead } from '../../src/codec/frame-head.js';
import type { DispatchFilter } from '../../src/protocol/frames.js';

const wantsOnly = (...names: string[]): DispatchFilter => ({ wantsAll: false, wants: (name) => names.includes(name) });
const nobody = wantsOnly();
const everybody: DispatchFilter = { wantsAll: false, wants: () => true };
const headOf = (data: string | Uint8Array) => readHead(data, nobody);

test.each([
  '{"t":"VOICE_STATE_UPDATE","s":42,"op":0,"d":{"a":1}}',
  '{"op":0,"s":42,"t":"VOICE_STATE_UPDATE","d":{"a":1}}',
  '{"s":42,"op":0,"t":"VOICE_STATE_UPDATE","d":null}',
])('reads the head of %s', (text) => {
  expect(headOf(text)).toEqual({ name: 'VOICE_STATE_UPDATE', seq: 42 });
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
  expect(headOf(text)).toBeUndefined();
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
      expect(decodeFrame(data, everybody)).toEqual(whole);
      const partial = decodeFrame(data, nobody);
      if (whole.kind !== 'dispatch') {
        expect(partial).toEqual(whole);
        return;
      }
      const { op, t: name, s: seq, d } = JSON.parse(text);
      expect(op).toBe(0);
      expect(whole).toEqual({ kind: 'dispatch', seq, payload: { name, wanted: true, data: d } });
      expect(partial).toEqual({ kind: 'dispatch', seq, payload: { name, wanted: false, data: undefined } });
      if (headOf(data) !== undefined) lazy += 1;
    }),
    { numRuns: 3_000, seed: 11 },
  );
  expect(lazy).toBeGreaterThan(200);
});

test('bytes that are no Buffer are read too', () => {
  const bytes = new TextEncoder().encode('{"t":"A","s":1,"op":0,"d":"ä"}');
  const payload = { name: 'A', wanted: true, data: 'ä' };
  expect(decodeFrame(bytes, everybody)).toEqual({ kind: 'dispatch', seq: 1, payload });
});

test('what is wanted is parsed before it counts, what is not wanted is not looked at', () => {
  const broken = '{"t":"A","s":1,"op":0,"d":{"cut';
  expect(decodeFrame(broken, wantsOnly('A'))).toEqual({ kind: 'malformed', problem: 'not JSON' });
  expect(decodeFrame(broken, nobody)).toMatchObject({ seq: 1, payload: { name: 'A', wanted: false, data: undefined } });
  for (const name of ['READY', 'RESUMED']) {
    expect(decodeFrame(`{"t":"${name}","s":1,"op":0,"d":{"cut`, nobody).kind).toBe('malformed');
  }
});

test('while nothing has come that is not wanted, heads are not read: what comes is parsed', () => {
  const unknownYet: DispatchFilter = { wantsAll: true, wants: () => false };
  expect(decodeFrame('{"t":"A","s":1,"op":0,"d":{"cut', unknownYet).kind).toBe('malformed');
  const payload = { name: 'A', wanted: false, data: undefined };
  expect(decodeFrame('{"t":"A","s":1,"op":0,"d":{}}', unknownYet)).toEqual({ kind: 'dispatch', seq: 1, payload });
});

test('names are told apart and kept, however many there are and whatever becomes of the bytes', () => {
  const names = Array.from({ length: 3_000 }, (_, n) => `NAME_${n.toString(36).toUpperCase()}`);
  for (const name of [...names, ...names.toReversed()]) {
    const bytes = Buffer.from(`{"t":"${name}","s":1,"op":0,"d":0}`);
    expect(headOf(bytes)?.name).toBe(name);
    bytes.fill(0);
  }
});
