/**
 * Owns the bytes of what the hub sends. A message is serialised once, and built once in each form that someone needs:
 * a WebSocket frame, a server-sent event, an HTTP/1.1 chunk around one. Refuses compression: it costs more than it
 * saves on small frames, and a bomb needs it.
 */
import { type Envelope, type Position, WIRE_VERSION } from '@guildkit/core/wire';
import { cursorPart } from '../protocol/cursor.js';
import type { RoomRecord } from '../protocol/records.js';
import { httpChunk, textFrame } from './frames.js';

/** A place in a room that a message brings its reader to. */
export interface RoomPosition extends Position {
  readonly room: string;
}

/** One message, for any number of connections of any kind. */
export class Message {
  /** The envelope. */
  readonly json: string;
  /** Where the reader is after it; `undefined` for a message that is no part of a log. */
  readonly at: RoomPosition | undefined;
  private wsFrame: Buffer | undefined;
  private sseEvent: Buffer | undefined;
  private sseChunk: Buffer | undefined;
  private soloBytes: Buffer | undefined;
  private soloChunk: Buffer | undefined;
  private cursorText: string | undefined;

  constructor(json: string, at?: RoomPosition) {
    this.json = json;
    this.at = at;
  }

  /** As an unmasked WebSocket text frame. */
  get frame(): Buffer {
    this.wsFrame ??= textFrame(this.json);
    return this.wsFrame;
  }

  /** As a server-sent event without an id; `chunked`, within an HTTP/1.1 chunk. */
  event(chunked: boolean): Buffer {
    this.sseEvent ??= Buffer.from(eventText(this.json));
    if (!chunked) return this.sseEvent;
    this.sseChunk ??= httpChunk(this.sseEvent);
    return this.sseChunk;
  }

  /** What a cursor says of the room after it; empty for a message that is no part of a log. */
  get cursor(): string {
    this.cursorText ??= this.at === undefined ? '' : cursorPart(this.at.room, this.at);
    return this.cursorText;
  }

  /** As a server-sent event of a stream that has only this room: its id is the same for all such streams. */
  soloEvent(chunked: boolean): Buffer {
    this.soloBytes ??= Buffer.from(`id: ${this.cursor}\n${eventText(this.json)}`);
    if (!chunked) return this.soloBytes;
    this.soloChunk ??= httpChunk(this.soloBytes);
    return this.soloChunk;
  }
}

/** A message to one connection. */
export function envelopeMessage(envelope: Omit<Envelope, 'v'>, at?: RoomPosition): Message {
  return new Message(JSON.stringify({ v: WIRE_VERSION, ...envelope }), at);
}

const messages = new WeakMap<RoomRecord, Message>();

/** The message of a room's event: the same object at every call. */
export function recordMessage(record: RoomRecord): Message {
  let message = messages.get(record);
  if (message === undefined) {
    message = new Message(recordJson(record), record);
    messages.set(record, message);
  }
  return message;
}

/** The envelope of a room's event. Its payload is JSON already, and is not parsed again. */
export function recordJson({ event, payload, ts, room, seq, id, traceId }: RoomRecord): string {
  const trace = traceId === undefined ? '' : `,"traceId":${JSON.stringify(traceId)}`;
  return (
    `{"v":${WIRE_VERSION},"type":"event","event":${JSON.stringify(event)},"payload":${payload},"ts":${ts},` +
    `"room":${JSON.stringify(room)},"seq":${seq},"id":${JSON.stringify(id)}${trace}}`
  );
}

/** A line break in JSON stands between tokens; in an event stream it would end the field. */
function eventText(json: string): string {
  return `data: ${/[\r\n]/.test(json) ? json.replace(/[\r\n]+/g, ' ') : json}\n\n`;
}
