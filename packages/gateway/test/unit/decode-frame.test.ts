import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeFrame } from '../../src/codec/decode-frame.js';

const ready = {
  op: 0,
  t: 'READY',
  s: 1,
  d: { session_id: 'abc', resume_gateway_url: 'wss://gateway-us-east1-b.discord.gg', user: { id: '1' } },
};

test.each([
  ['{"op":10,"d":{"heartbeat_interval":41250}}', { kind: 'hello', heartbeatIntervalMs: 41_250 }],
  ['{"op":1,"d":null}', { kind: 'heartbeatRequest' }],
  ['{"op":11}', { kind: 'heartbeatAck' }],
  ['{"op":7,"d":null,"s":null,"t":null}', { kind: 'reconnect' }],
  ['{"op":9,"d":true}', { kind: 'invalidSession', resumable: true }],
  ['{"op":9,"d":false}', { kind: 'invalidSession', resumable: false }],
  ['{"t":"RESUMED","s":7,"op":0,"d":{}}', { kind: 'resumed', seq: 7 }],
  ['{"t":"TYPING_START","s":8,"op":0,"d":{}}', { kind: 'dispatch', seq: 8 }],
  [JSON.stringify(ready), { kind: 'ready', seq: 1, sessionId: 'abc', resumeUrl: ready.d.resume_gateway_url }],
])('reads %s', (text, frame) => {
  expect(decodeFrame(text)).toMatchObject(frame);
});

test('hands the body on as it came', () => {
  const decoded = decodeFrame('{"op":0,"t":"X","s":2,"d":{"a":[1,null]}}');
  expect(decoded).toMatchObject({ kind: 'dispatch', payload: { name: 'X', wanted: true, data: { a: [1, null] } } });
});

test.each([
  ['', 'not JSON'],
  ['{"op":0', 'not JSON'],
  ['7', 'not an object'],
  ['[]', 'not an object'],
  ['{}', 'op is not a number'],
  ['{"op":"10"}', 'op is not a number'],
  ['{"op":2}', 'unknown opcode'],
  ['{"op":10}', 'op 10: heartbeat_interval is no interval'],
  ['{"op":10,"d":{"heartbeat_interval":0}}', 'op 10: heartbeat_interval is no interval'],
  ['{"op":10,"d":{"heartbeat_interval":"9"}}', 'op 10: heartbeat_interval is no interval'],
  ['{"op":9}', 'op 9: d is not a boolean'],
  ['{"op":0,"s":1}', 'op 0: t is not a string'],
  ['{"op":0,"t":"X"}', 'op 0: s is not a sequence number'],
  ['{"op":0,"t":"X","s":1.5}', 'op 0: s is not a sequence number'],
  ['{"op":0,"t":"X","s":-1}', 'op 0: s is not a sequence number'],
  ['{"op":0,"t":"READY","s":1,"d":null}', 'READY: session_id is not a string'],
  [
    '{"op":0,"t":"READY","s":1,"d":{"session_id":"a","resume_gateway_url":"https://x"}}',
    'READY: resume_gateway_url is not a WebSocket address',
  ],
])('says what is wrong with %s', (text, problem) => {
  expect(decodeFrame(text)).toEqual({ kind: 'malformed', problem });
});

test('a frame that was cut off at any byte is a problem, never an exception', () => {
  const text = JSON.stringify(ready);
  for (let length = 0; length < text.length; length += 1)
    expect(decodeFrame(text.slice(0, length)).kind).toBe('malformed');
});

test('never throws, and never quotes what it was given', () => {
  const frame = fc.record(
    {
      op: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.anything()),
      t: fc.anything(),
      s: fc.anything(),
      d: fc.anything(),
    },
    { requiredKeys: [] },
  );
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    frame.map((value) => JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? 1 : inner))),
  );
  fc.assert(
    fc.property(text, (input) => {
      const decoded = decodeFrame(`${input}`);
      if (decoded.kind === 'malformed') expect(decoded.problem).toMatch(/^[ -~]{1,60}$/);
    }),
    { numRuns: 2_000, seed: 3 },
  );
});
