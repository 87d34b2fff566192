/** Owns a session's last dispatches, for RESUME. Bounded in number and size: the oldest goes first. */

/** One dispatch of a session. */
export interface LoggedDispatch {
  readonly seq: number;
  readonly name: string;
  /** The `d` of the frame as JSON: one text shared by all sessions that got it. */
  readonly json: string;
}

/** What a session may hold, in characters: requests for whole guilds are large. */
const MAX_CHARACTERS = 32 * 1024 * 1024;

/** A ring of the last dispatches. */
export class ReplayLog {
  private readonly ring: (LoggedDispatch | undefined)[] = [];
  private first = 1;
  private last = 0;
  private characters = 0;

  constructor(
    private readonly capacity: number,
    private readonly maxCharacters: number = MAX_CHARACTERS,
  ) {}

  /** Number of the oldest dispatch that is kept; one more than the last when none is. */
  get oldest(): number {
    return this.first;
  }

  /** Adds the next dispatch; seqs come without holes. */
  push(entry: LoggedDispatch): void {
    if (this.last === 0) this.first = entry.seq;
    while (this.first < entry.seq && entry.seq - this.first >= this.capacity) this.drop();
    this.ring[entry.seq % this.capacity] = entry;
    this.last = entry.seq;
    this.characters += entry.json.length;
    while (this.first <= this.last && this.characters > this.maxCharacters) this.drop();
  }

  /** Dispatches `after < seq ≤ through`, in order. */
  *between(after: number, through: number): Generator<LoggedDispatch> {
    for (let seq = after + 1; seq <= through; seq += 1) {
      const entry = this.ring[seq % this.capacity];
      if (entry?.seq === seq) yield entry;
    }
  }

  private drop(): void {
    const at = this.first % this.capacity;
    const entry = this.ring[at];
    if (entry?.seq === this.first) {
      this.characters -= entry.json.length;
      this.ring[at] = undefined;
    }
    this.first += 1;
  }
}
