/**
 * Owns an immutable queue of request numbers, smallest first. Requests are numbered as they are made, so ordered by
 * number means first in, first out, and a request that comes back (after a 429) takes its old place.
 */

interface Cell {
  readonly id: number;
  readonly next: Cell | undefined;
}

/** An immutable queue. Adding at the end and taking from the front cost the same whatever its length. */
export interface Fifo {
  /** Ascending; those before `head` are gone. Never mutated. */
  readonly front: readonly number[];
  readonly head: number;
  /** The newest first; all larger than `front`. */
  readonly back: Cell | undefined;
  readonly size: number;
}

/** A queue with nothing in it. */
export const EMPTY_FIFO: Fifo = { front: [], head: 0, back: undefined, size: 0 };

/** The next in line. */
export function peek(fifo: Fifo): number | undefined {
  // `front` is empty only when the whole queue is: see `normal`.
  return fifo.front[fifo.head];
}

/** The queue without its next in line. */
export function shift(fifo: Fifo): Fifo {
  return fifo.size <= 1 ? EMPTY_FIFO : normal({ ...fifo, head: fifo.head + 1, size: fifo.size - 1 });
}

/** The queue with a number at its place. A number already in it changes nothing. */
export function insert(fifo: Fifo, id: number): Fifo {
  const last = fifo.back?.id ?? fifo.front[fifo.front.length - 1];
  if (fifo.size === 0 || last === undefined) return { front: [id], head: 0, back: undefined, size: 1 };
  if (id > last) return { ...fifo, back: { id, next: fifo.back }, size: fifo.size + 1 };
  const all = toArray(fifo);
  const at = all.findIndex((other) => other >= id);
  return all[at] === id ? fifo : fromSorted([...all.slice(0, at), id, ...all.slice(at)]);
}

/** The queue without some numbers. */
export function without(fifo: Fifo, drop: (id: number) => boolean): Fifo {
  const kept = toArray(fifo).filter((id) => !drop(id));
  return kept.length === fifo.size ? fifo : fromSorted(kept);
}

/** All numbers, in order. */
export function toArray(fifo: Fifo): number[] {
  const back: number[] = [];
  for (let cell = fifo.back; cell !== undefined; cell = cell.next) back.push(cell.id);
  return [...fifo.front.slice(fifo.head), ...back.reverse()];
}

function fromSorted(ids: readonly number[]): Fifo {
  return ids.length === 0 ? EMPTY_FIFO : { front: ids, head: 0, back: undefined, size: ids.length };
}

function normal(fifo: Fifo): Fifo {
  return fifo.head < fifo.front.length ? fifo : fromSorted(toArray(fifo));
}
