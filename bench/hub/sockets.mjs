// Clients that cost as little as a client can: TCP, frames counted by their heads, a time read from one socket in some.
import { connect } from 'node:net';
import { nowMs } from '../lib/stats.mjs';

const KEY = 'AAAAAAAAAAAAAAAAAAAAAA==';
const AT = Buffer.from('"at":');
const PING = Buffer.from('"sys.ping"');

const upgrade = (path) =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: ${KEY}\r\n\r\n`;

/** A masked text frame (the mask is zero). */
function textFrame(text) {
  const payload = Buffer.from(text);
  const head =
    payload.length < 126
      ? Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0])
      : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]);
  return Buffer.concat([head, payload]);
}

const HELLO = {
  hub: {
    request: upgrade('/ws'),
    after: textFrame('{"v":1,"type":"subscribe","id":"s","payload":{"room":"user:bench"}}'),
  },
  ws: { request: upgrade('/ws') },
  'socket.io': { request: upgrade('/socket.io/?EIO=4&transport=websocket'), after: textFrame('40') },
  sse: {
    request:
      'GET /sse?rooms=user:bench HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nAccept: text/event-stream\r\n\r\n',
  },
};

/** What a client says to be in a room of its own choice. */
export function helloTo(speaks, room) {
  if (speaks === 'hub') {
    const payload = JSON.stringify({ v: 1, type: 'subscribe', id: 's', payload: { room } });
    return { request: upgrade('/ws'), after: textFrame(payload) };
  }
  return { ...HELLO[speaks], request: upgrade(`/socket.io/?EIO=4&transport=websocket&room=${room}`) };
}

/** Length of the head and of the body of the frame or chunk at an offset; `undefined` when it is not whole yet. */
function wsHead(bytes, at) {
  const length = bytes[at + 1] & 127;
  if (length < 126) return { head: 2, body: length };
  if (bytes.length < at + (length === 126 ? 4 : 10)) return undefined;
  return length === 126
    ? { head: 4, body: bytes.readUInt16BE(at + 2) }
    : { head: 10, body: Number(bytes.readBigUInt64BE(at + 2)) };
}

function chunkHead(bytes, at) {
  const end = bytes.indexOf(13, at);
  if (end < 0 || end + 1 >= bytes.length) return undefined;
  // The line break after the body is part of it here.
  return { head: end + 2 - at, body: Number.parseInt(bytes.latin1Slice(at, end), 16) + 2 };
}

/** One client. `onEvent(latencyMs | undefined)` is called for each event. */
export class Client {
  events = 0;
  ended = false;

  constructor(port, speaks, isSampled, onEvent, { request, after } = HELLO[speaks]) {
    const headOf = speaks === 'sse' ? chunkHead : wsHead;
    let isOpen = false;
    let rest;
    /** Bytes of a body that are still to come and are of no interest. */
    let skip = 0;
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.ended = true;
    });
    this.socket.write(request);
    this.socket.on('data', (data) => {
      let bytes = rest === undefined ? data : Buffer.concat([rest, data]);
      rest = undefined;
      let at = 0;
      if (!isOpen) {
        const end = bytes.indexOf('\r\n\r\n');
        if (end < 0) {
          rest = bytes;
          return;
        }
        isOpen = true;
        at = end + 4;
        if (after !== undefined) this.socket.write(after);
      }
      if (skip > 0) {
        const skipped = Math.min(skip, bytes.length - at);
        skip -= skipped;
        at += skipped;
      }
      while (at + 2 <= bytes.length) {
        const found = headOf(bytes, at);
        if (found === undefined) break;
        const { head, body } = found;
        const start = at + head;
        const end = start + body;
        // What is shorter than an event is said about the connection.
        if (body < 250) {
          if (end > bytes.length) break;
          if (speaks === 'hub' && bytes.subarray(start, end).includes(PING)) {
            this.socket.write(textFrame('{"v":1,"type":"pong","id":"p","payload":{}}'));
          }
        } else {
          if (isSampled && end > bytes.length) break;
          const mark = isSampled ? bytes.indexOf(AT, start) : -1;
          if (!isSampled || (mark >= 0 && mark < end)) {
            this.events += 1;
            onEvent(isSampled ? nowMs() - Number.parseFloat(bytes.latin1Slice(mark + 5, mark + 22)) : undefined);
          }
        }
        at = end;
        if (at > bytes.length) {
          skip = at - bytes.length;
          at = bytes.length;
        }
      }
      if (at < bytes.length) rest = bytes.subarray(at);
      bytes = undefined;
    });
  }
}
