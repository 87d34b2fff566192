/**
 * Owns how a server frame is read: JSON, the envelope's shape, a snapshot's shape. Hostile input gives
 * `undefined`, never an exception. Refuses payloads of single events: `validate` or the room judges those.
 */
import type { Envelope, Position, RoomSnapshot } from '@guildkit/core/wire';

/** An object whose keys are not known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** The value's fields; none of any name that we ask for when it is no object. */
export const fieldsOf = (value: unknown): Fields => Object(value);

/** Reads a frame; `undefined` when it is none. */
export function parseFrame(data: unknown): Envelope | undefined {
  let frame: Fields;
  try {
    frame = fieldsOf(JSON.parse(data as string));
  } catch {
    return undefined;
  }
  const { v, type, event, seq } = frame;
  // `room` and `re` need no check: they are only compared, and what is no string equals nothing.
  const isFrame = v === 1 && ['event', 'ack', 'error'].includes(type as string) && typeof event === 'string';
  return isFrame && (seq === undefined || isSeq(seq)) ? (frame as unknown as Envelope) : undefined;
}

/** The value when it is a string, else an empty one: `String()` throws for some of what JSON can hold. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Whether a value can be a sequence number. */
function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Whether the fields hold a place in a log. */
export function isPosition(value: Fields): value is Fields & Position {
  return typeof value.epoch === 'string' && isSeq(value.seq);
}

/** Whether a value is a room's state, as deep as the client itself reads it. */
export function isSnapshot(value: unknown): value is RoomSnapshot {
  const { kind, members, channels } = fieldsOf(value);
  return kind === 'none' || Array.isArray(kind === 'voice' ? members : kind === 'guild' && channels);
}

/** A number above zero, or the fallback; ten minutes at most: no frame may stop the client's clocks. */
export function positive(value: unknown, fallback: number): number {
  return typeof value === 'number' && value > 0 ? Math.min(value, 600_000) : fallback;
}
