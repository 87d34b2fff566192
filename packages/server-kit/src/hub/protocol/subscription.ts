/**
 * Owns the order of one subscription: live events are held back until history is told, overlap is dropped, a hole or
 * a new epoch is noticed. Data plane: it runs once for each event and subscriber. Refuses IO: it says what to send.
 */
import type { Position } from '@guildkit/core/wire';

/** What becomes of a live event. */
export type Verdict =
  /** Send it now. */
  | 'deliver'
  /** Kept until the history has been told. */
  | 'kept'
  /** The subscriber has it. */
  | 'old'
  /** Events are missing before it: kept, and the history must be read again from {@link Subscription.position}. */
  | 'hole';

/** What to send when the history has been told. */
export interface Resumption<Item> {
  /** In order, each following the one before. */
  readonly items: readonly Item[];
  /** Events are missing: read the history again. */
  readonly hole: boolean;
}

interface Waiting<Item> extends Position {
  readonly item: Item;
}

/** One subscriber's place in one room. */
export class Subscription<Item extends Position> {
  private readonly maxWaiting: number;
  private at: Position | undefined;
  private waiting: Waiting<Item>[] | undefined = [];
  private overrun = false;
  private markedSeq: number | undefined;

  /** @param maxWaiting Live events kept while the history is read; one more, and it is read again. */
  constructor(maxWaiting: number) {
    this.maxWaiting = maxWaiting;
  }

  /** The last event sent; `undefined` until {@link start}. */
  get position(): Position | undefined {
    return this.at;
  }

  /** Takes a live event. */
  push(item: Item): Verdict {
    if (this.waiting !== undefined) {
      this.keep(item);
      return 'kept';
    }
    const { epoch, seq } = this.at as Position;
    if (item.epoch === epoch) {
      if (item.seq <= seq) return 'old';
      if (item.seq === seq + 1) {
        this.at = item;
        return 'deliver';
      }
    }
    this.waiting = [];
    this.keep(item);
    return 'hole';
  }

  /** Takes live events that follow each other, if they are all that is missing; `false`: take them one by one. */
  pushRun(first: Item, last: Item): boolean {
    const { at } = this;
    if (this.waiting !== undefined || at?.epoch !== first.epoch || at.seq + 1 !== first.seq) return false;
    this.at = last;
    return true;
  }

  /** The history up to `position` has been told: gives the kept events that follow it, and goes live. */
  start(position: Position): Resumption<Item> {
    const items: Item[] = [];
    let at = position;
    let hole = false;
    for (const { item } of this.waiting ?? []) {
      if (item.epoch !== position.epoch) {
        // From an older life of the log, or a newer one: newer, unless events of the told life still follow.
        hole = true;
      } else if (item.seq > at.seq) {
        hole = item.seq !== at.seq + 1;
        if (hole) break;
        items.push(item);
        at = item;
      } else {
        hole = false;
      }
    }
    // What came after the last kept event was not kept.
    hole ||= this.overrun;
    this.at = { epoch: at.epoch, seq: at.seq };
    this.waiting = hole ? [] : undefined;
    this.overrun = false;
    return { items, hole };
  }

  /** A ping goes out after the events so far: what the pong does not report is still under way. */
  mark(): void {
    this.markedSeq = this.waiting === undefined ? this.at?.seq : undefined;
  }

  /** How many of the events before the last mark the subscriber has not seen, by its own report. */
  behind(reportedSeq: number): number {
    return this.markedSeq === undefined ? 0 : Math.max(0, this.markedSeq - reportedSeq);
  }

  private keep(item: Item): void {
    const waiting = this.waiting as Waiting<Item>[];
    if (waiting.length < this.maxWaiting) waiting.push({ epoch: item.epoch, seq: item.seq, item });
    else this.overrun = true;
  }
}
