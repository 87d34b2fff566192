/** Owns pulling from anything that gives items: arrays, iterators, Node and web streams. One item at a time. */
import type { MediaInput, WebStream } from '../audio-types.js';

/** One item after another. */
export interface Puller<T> {
  /** @returns `undefined` at the end. */
  next(): Promise<T | undefined>;
  /** Tells the source that no more is wanted. What it throws at that is ignored. */
  close(): void;
}

/** Whether a value can be pulled from. Strings and numbers cannot. */
export function isMediaInput(value: unknown): value is MediaInput<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return Symbol.asyncIterator in value || Symbol.iterator in value || isWebStream(value);
}

/** Begins to pull; nothing is taken before the first `next`. */
export function pullFrom<T>(input: MediaInput<T>): Puller<T> {
  if (Symbol.asyncIterator in input) return fromIterator(input[Symbol.asyncIterator]());
  if (Symbol.iterator in input) return fromIterator(input[Symbol.iterator]());
  const reader = input.getReader();
  return {
    async next() {
      const { done, value } = await reader.read();
      return done ? undefined : value;
    },
    close() {
      void reader.cancel().catch(ignore);
    },
  };
}

function fromIterator<T>(iterator: Iterator<T> | AsyncIterator<T>): Puller<T> {
  let ended = false;
  return {
    async next() {
      const { done, value } = await iterator.next();
      ended = done === true;
      return ended ? undefined : value;
    },
    close() {
      if (ended) return;
      ended = true;
      try {
        void Promise.resolve(iterator.return?.()).catch(ignore);
      } catch {
        // A source's own end is not our failure.
      }
    },
  };
}

const isWebStream = (value: object): value is WebStream<unknown> =>
  typeof (value as { getReader?: unknown }).getReader === 'function';

const ignore = (): void => {};
