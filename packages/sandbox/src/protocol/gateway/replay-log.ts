/** Owns a session's last dispatches, for RESUME. Bounded: the oldest goes first. */

/** One dispatch of a session. */
export interface LoggedDispatch {
  readonly seq: number;
  readonly name: string;
  /** The `d` of the frame as JSON: one text shared by all sessions that got it. */
  readonly json: string;
}

/** A ring of the last dispatches. */
export class ReplayLog {
  private readonly ring: LoggedDispatch[] = [];

  constructor(private readonly capacity: number) {}

  /** Adds the next dispatch; seqs come without holes. */
  push(entry: LoggedDispatch): void {
    this.ring[entry.seq % this.capacity] = entry;
  }

  /** Dispatches `after < seq ≤ through`, in order. */
  *between(after: number, through: number): Generator<LoggedDispatch> {
    for (let seq = after + 1; seq <= through; seq += 1) {
      const entry = this.ring[seq % this.capacity];
      if (entry?.seq === seq) yield entry;
    }
  }
}
