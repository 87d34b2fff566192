/**
 * Owns the log of one room in memory: bounded by count and age, numbered by one without holes, knowing the ids it
 * has seen. Refuses time: `now` comes in.
 */
import type { NewRoomEvent, RoomRecord } from './records.js';

/** Bounds of a {@link RoomLog}. */
export interface RoomLogLimits {
  readonly maxEvents: number;
  readonly maxAgeMs: number;
  /** How many event ids are remembered. */
  readonly maxIds: number;
}

interface Entry {
  readonly record: RoomRecord;
  readonly at: number;
}

/** The last events of one room. */
export class RoomLog {
  readonly epoch: string;
  private readonly room: string;
  private readonly limits: RoomLogLimits;
  /** `entries[start..]` are alive; the dead head is cut off in bulk. */
  private entries: Entry[] = [];
  private start = 0;
  private last = 0;
  /** Oldest first: a Map keeps the order of insertion. */
  private readonly ids = new Map<string, number>();

  constructor(room: string, epoch: string, limits: RoomLogLimits) {
    this.room = room;
    this.epoch = epoch;
    this.limits = limits;
  }

  /** The last event's number; 0 before the first. */
  get seq(): number {
    return this.last;
  }

  /** How many events are kept. */
  get size(): number {
    return this.entries.length - this.start;
  }

  /** The number of the event with this id, as long as it is remembered. */
  seqOf(id: string): number | undefined {
    return this.ids.get(id);
  }

  /** Appends; `payload` is the event's payload as JSON. */
  append({ event, id, ts, traceId }: NewRoomEvent, payload: string, now: number): RoomRecord {
    this.last += 1;
    const { room, epoch, last: seq } = this;
    const record = { room, epoch, seq, event, payload, id, ts, ...(traceId === undefined ? {} : { traceId }) };
    this.entries.push({ record, at: now });
    this.remember(id, seq);
    this.prune(now);
    return record;
  }

  /** The events after `seq`, or `undefined` when some of them are gone or `seq` never was. */
  after(seq: number, now: number): readonly RoomRecord[] | undefined {
    this.prune(now);
    const missing = this.last - seq;
    if (missing < 0 || missing > this.size) return undefined;
    return this.entries.slice(this.entries.length - missing).map(({ record }) => record);
  }

  /** Drops what is over the bounds. */
  prune(now: number): void {
    const { maxEvents, maxAgeMs } = this.limits;
    while (this.size > maxEvents || (this.entries[this.start]?.at ?? Number.POSITIVE_INFINITY) < now - maxAgeMs) {
      this.start += 1;
    }
    // Cutting one off at a time would move the whole array for each event.
    if (this.start > 64 && this.start * 2 > this.entries.length) {
      this.entries = this.entries.slice(this.start);
      this.start = 0;
    }
  }

  private remember(id: string, seq: number): void {
    this.ids.set(id, seq);
    if (this.ids.size <= this.limits.maxIds) return;
    for (const oldest of this.ids.keys()) {
      this.ids.delete(oldest);
      return;
    }
  }
}
