/**
 * Owns reading and writing of MLS's presentation language (RFC 9420 section 2.1): big-endian numbers and vectors with a
 * variable-size length. Refuses to throw on what was received, and to read outside of it.
 */

/** Why bytes are no MLS message. */
export type MlsProblem =
  /** They end before what they announce. */
  | 'truncated'
  /** They go on behind the end of the message. */
  | 'trailing'
  /** A length that is not written the shortest way, or with the reserved prefix (RFC 9420 section 2.1.2). */
  | 'length'
  /** Larger than any such message can be. */
  | 'oversized'
  /** A value that the message cannot have here: version, wire format, ciphersuite, kind. */
  | 'value';

/** What a parser returns. */
export type MlsParsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: MlsProblem };

/**
 * Reads forward. The first thing that is wrong sticks: from then on every read gives zeros and empty views, so that a
 * parser reads straight through and asks once, at its end.
 */
export interface MlsReader {
  /** Where the next read begins. */
  readonly at: number;
  readonly problem: MlsProblem | undefined;
  u8(): number;
  u16(): number;
  u32(): number;
  u64(): bigint;
  /** A view of what a variable-size vector holds. */
  vector(): Uint8Array;
  /** Whether there is more, and nothing was wrong so far. */
  more(): boolean;
  /** Marks what was read as wrong. */
  refuse(reason: MlsProblem): void;
  /** Refuses unless it holds. */
  require(holds: boolean, reason?: MlsProblem): void;
  /** A view of what was read since. */
  since(from: number): Uint8Array;
  /** A view of what is left; reads it. */
  rest(): Uint8Array;
  /** The value, if everything was right and, unless `partial`, everything was read. */
  done<T>(value: T, partial?: boolean): MlsParsed<T>;
}

const EMPTY = new Uint8Array(0);

/** Makes a reader of a message. */
export function createReader(bytes: Uint8Array): MlsReader {
  let at = 0;
  let problem: MlsProblem | undefined;

  /** Moves on by a number of bytes; where they begin, or -1. */
  function take(length: number): number {
    if (problem !== undefined) return -1;
    if (length > bytes.length - at) {
      problem = 'truncated';
      return -1;
    }
    at += length;
    return at - length;
  }

  function number(width: number): number {
    const from = take(width);
    if (from < 0) return 0;
    let value = 0;
    for (let n = 0; n < width; n += 1) value = value * 256 + (bytes[from + n] as number);
    return value;
  }

  /** RFC 9420 section 2.1.2: two bits say how many bytes the length has, and it has to be the fewest. */
  function length(): number {
    const first = number(1);
    const prefix = first >>> 6;
    const low = first & 0x3f;
    if (prefix === 0) return low;
    if (prefix === 3) {
      problem ??= 'length';
      return 0;
    }
    const value = prefix === 1 ? low * 2 ** 8 + number(1) : low * 2 ** 24 + number(3);
    if (value < (prefix === 1 ? 2 ** 6 : 2 ** 14)) problem ??= 'length';
    return value;
  }

  return {
    get at() {
      return at;
    },
    get problem() {
      return problem;
    },
    u8: () => number(1),
    u16: () => number(2),
    u32: () => number(4),
    u64: () => (BigInt(number(4)) << 32n) | BigInt(number(4)),
    vector() {
      const size = length();
      const from = take(size);
      return from < 0 ? EMPTY : bytes.subarray(from, at);
    },
    more: () => problem === undefined && at < bytes.length,
    refuse(reason) {
      problem ??= reason;
    },
    require(holds, reason = 'value') {
      if (!holds) problem ??= reason;
    },
    since: (from) => bytes.subarray(from, at),
    rest() {
      if (problem !== undefined) return EMPTY;
      const rest = bytes.subarray(at);
      at = bytes.length;
      return rest;
    },
    done(value, partial = false) {
      if (problem === undefined && !partial && at < bytes.length) problem = 'trailing';
      return problem === undefined ? { ok: true, value } : { ok: false, reason: problem };
    },
  };
}

/** Joins pieces. */
export function concat(...pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Whether two byte strings are the same. None of what is compared with it is secret. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** A number of that many bytes, big-endian. */
export function uint(value: number, width: 1 | 2 | 4): Uint8Array {
  return Uint8Array.from({ length: width }, (_, at) => Math.floor(value / 256 ** (width - 1 - at)) % 256);
}

/** A 64-bit number, big-endian: epochs, lifetimes, snowflakes. */
export function uint64(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 8 }, (_, at) => Number((value >> BigInt(8 * (7 - at))) & 0xffn));
}

/** A variable-size vector (RFC 9420 section 2.1.2). */
export function vector(content: Uint8Array): Uint8Array {
  const { length } = content;
  if (length < 2 ** 6) return concat(uint(length, 1), content);
  if (length < 2 ** 14) return concat(uint(length + 0x4000, 2), content);
  return concat(uint(length + 0x8000_0000, 4), content);
}

/** ASCII text as bytes; labels are nothing else. */
export const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
