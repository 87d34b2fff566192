/**
 * Owns the slots of ended requests, which count until one window after the answer: an immutable queue, oldest first. A
 * busy window adds and frees one per request, so neither copies the others.
 */

/** Requests whose slots are freed together. */
export interface Held {
  /** When the first of them would have been freed: bounds how far merging may delay it. */
  readonly from: number;
  readonly until: number;
  readonly count: number;
}

interface Cell {
  readonly held: Held;
  readonly older: Cell | undefined;
}

/** Slots that are still taken. */
export interface HeldSlots {
  /** The oldest, in order; those before `head` are gone. Empty only when `back` is, too. Never mutated. */
  readonly front: readonly Held[];
  readonly head: number;
  /** The next newer ones, the newest first. */
  readonly back: Cell | undefined;
  /** The newest, into which others may be merged. */
  readonly tail: Held | undefined;
  /** Entries in `front` and `back`. */
  readonly entries: number;
  /** Requests in all of them. */
  readonly count: number;
}

/** Entries are kept apart up to this many; beyond, those that end within a part of the window are freed together. */
const MAX_APART = 64;

/** No slot taken. */
export const NO_SLOTS: HeldSlots = { front: [], head: 0, back: undefined, tail: undefined, entries: 0, count: 0 };

/** One more, until a moment that is no earlier than any before it. */
export function hold(slots: HeldSlots, until: number, windowMs: number): HeldSlots {
  const { tail, entries } = slots;
  const count = slots.count + 1;
  if (tail === undefined) return { ...slots, tail: { from: until, until, count: 1 }, count };
  if (until === tail.until || (entries >= MAX_APART && until - tail.from <= windowMs / MAX_APART)) {
    return { ...slots, tail: { from: tail.from, until, count: tail.count + 1 }, count };
  }
  const newest = { from: until, until, count: 1 };
  if (entries === 0) return { front: [tail], head: 0, back: undefined, tail: newest, entries: 1, count };
  return { ...slots, back: { held: tail, older: slots.back }, tail: newest, entries: entries + 1, count };
}

/** Those that are still taken. */
export function release(slots: HeldSlots, now: number): HeldSlots {
  if (firstFree(slots) > now) return slots;
  const { tail } = slots;
  let { front, head, back, entries, count } = slots;
  for (let oldest = front[head]; oldest !== undefined; oldest = front[head]) {
    if (oldest.until > now) return { front, head, back, tail, entries, count };
    head += 1;
    entries -= 1;
    count -= oldest.count;
    if (head < front.length) continue;
    front = inOrder(back);
    back = undefined;
    head = 0;
  }
  return tail === undefined || tail.until <= now ? NO_SLOTS : { ...NO_SLOTS, tail, count: tail.count };
}

/** When the next slot is free; `Infinity` when none is taken. */
export function firstFree({ front, head, tail }: HeldSlots): number {
  return (front[head] ?? tail)?.until ?? Number.POSITIVE_INFINITY;
}

/** When the last slot is free; `-Infinity` when none is taken. */
export function lastFree({ tail }: HeldSlots): number {
  return tail?.until ?? Number.NEGATIVE_INFINITY;
}

/** All entries, in order. */
export function heldList({ front, head, back, tail }: HeldSlots): Held[] {
  return [...front.slice(head), ...inOrder(back), ...(tail === undefined ? [] : [tail])];
}

function inOrder(back: Cell | undefined): Held[] {
  const list: Held[] = [];
  for (let cell = back; cell !== undefined; cell = cell.older) list.push(cell.held);
  return list.reverse();
}
