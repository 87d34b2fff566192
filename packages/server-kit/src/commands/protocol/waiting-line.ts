/** Owns the line of commands that wait for the link: bounded, in order, each with a deadline. Data plane, without time of its own. */

interface Waiting<Item> {
  readonly item: Item;
  readonly by: number;
}

/** Commands that wait. All wait equally long, so the first is due first. */
export class WaitingLine<Item> {
  private readonly max: number;
  private readonly timeoutMs: number;
  private list: Waiting<Item>[] = [];

  constructor(max: number, timeoutMs: number) {
    this.max = max;
    this.timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.list.length;
  }

  /** When the first gives up; `undefined` when nobody waits. */
  get deadline(): number | undefined {
    return this.list[0]?.by;
  }

  /** Joins the line; `false` when it is full. */
  push(item: Item, now: number): boolean {
    if (this.list.length >= this.max) return false;
    this.list.push({ item, by: now + this.timeoutMs });
    return true;
  }

  /** Leaves the line early. */
  remove(item: Item): void {
    this.list = this.list.filter((waiting) => waiting.item !== item);
  }

  /** Those who have waited too long leave, oldest first. */
  expire(now: number): readonly Item[] {
    const kept = this.list.findIndex(({ by }) => by > now);
    const expired = kept < 0 ? this.list : this.list.slice(0, kept);
    this.list = kept < 0 ? [] : this.list.slice(kept);
    return expired.map(({ item }) => item);
  }

  /** Everyone leaves, oldest first. */
  drain(): readonly Item[] {
    const { list } = this;
    this.list = [];
    return list.map(({ item }) => item);
  }
}
