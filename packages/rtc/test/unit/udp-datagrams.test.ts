/** IP discovery and the UDP keepalive, byte by byte. */
import { expect, test } from 'vitest';
import { discoveryRequest, keepaliveRequest, parseControlDatagram } from '../../src/protocol/udp-datagrams.js';

/** An answer as a server makes it. */
function discoveryAnswer(address: string, port: number, ssrc = 0x01020304): Buffer {
  const bytes = Buffer.alloc(74);
  bytes.writeUInt16BE(2, 0);
  bytes.writeUInt16BE(70, 2);
  bytes.writeUInt32BE(ssrc, 4);
  bytes.write(address, 8, 'latin1');
  bytes.writeUInt16BE(port, 72);
  return bytes;
}

test('a discovery request is 74 bytes', () => {
  const bytes = Buffer.from(discoveryRequest(0xdeadbeef));
  expect(bytes).toHaveLength(74);
  expect(bytes.subarray(0, 8).toString('hex')).toBe('00010046deadbeef');
  expect(bytes.subarray(8).every((byte) => byte === 0)).toBe(true);
});

test.each(['203.0.113.7', '2001:db8::1', '::ffff:203.0.113.7'])('a discovery answer: %s', (address) => {
  expect(parseControlDatagram(discoveryAnswer(address, 50_004))).toEqual({
    kind: 'discovery',
    ssrc: 0x01020304,
    address,
    port: 50_004,
  });
});

test('a discovery answer that is none is nothing', () => {
  const good = discoveryAnswer('203.0.113.7', 50_004);
  for (let length = 0; length < good.length; length += 1) {
    expect(parseControlDatagram(good.subarray(0, length))).toBeUndefined();
  }
  expect(parseControlDatagram(Buffer.concat([good, Buffer.alloc(1)]))).toBeUndefined();
  expect(parseControlDatagram(discoveryAnswer('203.0.113.7', 0))).toBeUndefined();
  // It is sent on to the voice gateway as JSON: nothing but an address gets in.
  for (const address of ['', 'example.org', '1.2.3', '"}', '1.2.3.4 ', 'x'.repeat(64)]) {
    expect(parseControlDatagram(discoveryAnswer(address, 1))).toBeUndefined();
  }
  const request = Buffer.from(good);
  request.writeUInt16BE(1, 0);
  expect(parseControlDatagram(request)).toBeUndefined();
});

test('keepalives', () => {
  expect(Buffer.from(keepaliveRequest(0xfffffffe)).toString('hex')).toBe('1337cafefffffffe');
  expect(parseControlDatagram(Buffer.from('1337f00dfffffffe', 'hex'))).toEqual({ kind: 'keepalive', seq: 0xfffffffe });
  expect(parseControlDatagram(Buffer.from('1337cafe00000001', 'hex'))).toEqual({ kind: 'keepalive', seq: 1 });
  expect(parseControlDatagram(Buffer.from('1337f00d000001', 'hex'))).toBeUndefined();
  expect(parseControlDatagram(Buffer.from('8078000100000001', 'hex'))).toBeUndefined();
});
