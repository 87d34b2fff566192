/** Owns what every way of reading a compressed connection has in common. Refuses formats: each has a file of its own. */

/** What became of some bytes. */
export type Inflated =
  /** A message is complete. */
  | { readonly status: 'message'; readonly data: Uint8Array }
  /** More of it has to come. */
  | { readonly status: 'more' }
  /** The stream cannot be read any further. `problem` holds nothing of its content. */
  | { readonly status: 'corrupt'; readonly problem: string };

/** One connection's stream. */
export interface Inflater {
  push(chunk: Uint8Array): Inflated;
  /** Frees what is held outside of JavaScript's memory. */
  close(): void;
}

/** Makes an inflater for one connection. */
export type InflaterFactory = () => Inflater;

/** Finds the ends of messages in the compressed bytes. */
export interface Boundary {
  /** Whether a message ends with this chunk. */
  after(chunk: Uint8Array): boolean;
  /** Why the bytes cannot be what they should; set for good. */
  readonly problem?: string | undefined;
}

/** A message may not grow beyond that: a few bytes can inflate to gigabytes. */
export const MAX_MESSAGE_BYTES = 100 * 1024 * 1024;

export const MORE: Inflated = { status: 'more' };

export function corrupt(problem: string): Inflated {
  return { status: 'corrupt', problem };
}

/** One array of all pieces. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1 && pieces[0] !== undefined) return pieces[0];
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
