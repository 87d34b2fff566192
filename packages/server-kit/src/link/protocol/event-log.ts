/** Owns the events that an app may have missed: numbered by one, bounded by count and age. */

interface Kept<E> {
  readonly seq: number;
  readonly at: number;
  readonly event: E;
}

/** A bounded log. */
export class EventLog<E> {
  private readonly kept: Kept<E>[] = [];
  private first = 0;
  private last = 0;

  constructor(private readonly bounds: { readonly maxEvents: number; readonly maxAgeMs: number }) {}

  /** The number of the last event; 0 before the first. */
  get head(): number {
    return this.last;
  }

  /** Appends an event and numbers it. */
  append(event: E, now: number): number {
    this.last += 1;
    this.kept.push({ seq: this.last, at: now, event });
    this.trim(now);
    return this.last;
  }

  /** The events after a number, `undefined` when some of them are gone or the number was never given. */
  since(seq: number, now: number): readonly { readonly seq: number; readonly event: E }[] | undefined {
    this.trim(now);
    if (seq > this.last) return undefined;
    const oldest = this.kept[this.first]?.seq ?? this.last + 1;
    return seq + 1 < oldest ? undefined : this.kept.slice(this.first + (seq + 1 - oldest));
  }

  private trim(now: number): void {
    const { maxEvents, maxAgeMs } = this.bounds;
    while (this.first < this.kept.length) {
      const oldest = this.kept[this.first] as Kept<E>;
      if (this.kept.length - this.first <= maxEvents && now - oldest.at <= maxAgeMs) break;
      this.first += 1;
    }
    // Moving the rest at every step would cost as much as the log is long.
    if (this.first > 1_024 && this.first * 2 > this.kept.length) {
      this.kept.splice(0, this.first);
      this.first = 0;
    }
  }
}
