/**
 * Owns what one process knows of a room it listens to: the last events, the state, and whether the next event follows.
 * Data plane without IO. Refuses to guess: what does not follow is a hole, for the caller to fill.
 */
import type { Position, RoomSnapshot } from '@guildkit/core/wire';
import type { RoomRead, RoomRecord } from '@guildkit/server-kit/hub';

/** How a state follows from events: of `@guildkit/server-kit/hub`, so that all engines agree. */
export type ApplyRoomEvent = (state: RoomSnapshot, event: string, payload: unknown) => RoomSnapshot;

/** Applies records to a state. */
export function fold(apply: ApplyRoomEvent, state: RoomSnapshot, records: Iterable<RoomRecord>): RoomSnapshot {
  let folded = state;
  if (state.kind === 'none') return state;
  for (const { event, payload } of records) folded = apply(folded, event, JSON.parse(payload));
  return folded;
}

/** The last events of a room. */
export class RoomTail {
  private readonly apply: ApplyRoomEvent;
  private readonly size: number;
  /** Oldest first, contiguous up to `at.seq`. */
  private ring: RoomRecord[] = [];
  private state: RoomSnapshot;
  /** `state` holds here: events after it are applied when somebody asks. */
  private stateSeq: number;
  private at: Position;

  constructor(apply: ApplyRoomEvent, size: number, read: RoomRead) {
    this.apply = apply;
    this.size = size;
    this.at = { epoch: read.epoch, seq: read.seq };
    this.state = read.snapshot;
    this.stateSeq = read.seq;
    this.ring = read.events.slice(-size);
  }

  /** The last event that was taken. */
  get position(): Position {
    return this.at;
  }

  /** Takes the next event: `'next'` it follows, `'old'` it is known, `'hole'` it was not taken, others come before it. */
  push(record: RoomRecord): 'next' | 'old' | 'hole' {
    if (record.epoch !== this.at.epoch) return 'hole';
    if (record.seq <= this.at.seq) return 'old';
    if (record.seq !== this.at.seq + 1) return 'hole';
    this.at = { epoch: this.at.epoch, seq: record.seq };
    // A copy: the hub keeps the frames it has built of a record for as long as there is that record.
    this.ring.push(Object.freeze({ ...record, epoch: this.at.epoch }));
    if (this.ring.length > this.size * 2) {
      this.catchUp();
      this.ring = this.ring.slice(-this.size);
    }
    return 'next';
  }

  /** What a reader gets; `undefined` when more was missed than is kept here. */
  read(since: Position | undefined): RoomRead | undefined {
    const { epoch, seq } = this.at;
    if (since !== undefined && (since.epoch !== epoch || since.seq > seq)) return undefined;
    const missing = since === undefined ? 0 : seq - since.seq;
    if (missing > this.ring.length) return undefined;
    this.catchUp();
    const events = missing === 0 ? [] : this.ring.slice(-missing);
    return { epoch, seq, recovered: since !== undefined, events, snapshot: this.state };
  }

  /** Drops the events up to that one. */
  forget(seq: number): void {
    const left = Math.max(0, this.at.seq - seq);
    if (left >= this.ring.length) return;
    this.catchUp();
    this.ring = this.ring.slice(this.ring.length - left);
  }

  private catchUp(): void {
    const behind = this.at.seq - this.stateSeq;
    if (behind === 0) return;
    this.state = fold(this.apply, this.state, this.ring.slice(-behind));
    this.stateSeq = this.at.seq;
  }
}
