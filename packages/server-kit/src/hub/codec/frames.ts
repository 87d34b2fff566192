/**
 * Owns the bytes of what the hub sends: an event is serialised and framed once, and every socket gets the same
 * buffer. Refuses compression: it costs more than it saves on small frames, and a bomb needs it.
 */
import { type Envelope, WIRE_VERSION } from '@guildkit/core/wire';
import type { RoomRecord } from '../protocol/records.js';

/** An unmasked, final text frame (RFC 6455, section 5.2). */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = 0x81; // FIN, opcode text
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, head, 'utf8');
  return frame;
}

/** The frame of a message to one connection. */
export function envelopeFrame(envelope: Omit<Envelope, 'v'>): Buffer {
  return textFrame(JSON.stringify({ v: WIRE_VERSION, ...envelope }));
}

const frames = new WeakMap<RoomRecord, Buffer>();

/** The frame of a room's event: built at the first call, the same buffer at every later one. */
export function recordFrame(record: RoomRecord): Buffer {
  let frame = frames.get(record);
  if (frame === undefined) {
    frame = textFrame(recordJson(record));
    frames.set(record, frame);
  }
  return frame;
}

/** The envelope of a room's event. Its payload is JSON already, and is not parsed again. */
export function recordJson({ event, payload, ts, room, seq, id, traceId }: RoomRecord): string {
  const trace = traceId === undefined ? '' : `,"traceId":${JSON.stringify(traceId)}`;
  return (
    `{"v":${WIRE_VERSION},"type":"event","event":${JSON.stringify(event)},"payload":${payload},"ts":${ts},` +
    `"room":${JSON.stringify(room)},"seq":${seq},"id":${JSON.stringify(id)}${trace}}`
  );
}
