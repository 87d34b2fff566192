/** Owns numbers that wrap: sequence numbers of 16 bits, timestamps of 32. Knows nothing of packets. */

/** `a - b` on 16 bits: from -32,768 to 32,767. Positive when `a` is the newer one. */
export const sequenceDelta = (a: number, b: number): number => ((a - b) << 16) >> 16;

/** `a - b` on 32 bits: from -2³¹ to 2³¹-1. Positive when `a` is the newer one. */
export const timestampDelta = (a: number, b: number): number => (a - b) | 0;

/** The sequence number `by` further on. */
export const addSequence = (sequenceNumber: number, by: number): number => (sequenceNumber + by) & 0xffff;

/** The timestamp `by` units further on. */
export const addTimestamp = (timestamp: number, by: number): number => (timestamp + by) >>> 0;

/** Makes wrapping numbers into ones that go on growing. One for each stream. */
export interface Unwrapper {
  /**
   * The extended form of a number: the one nearest to the newest so far. Below the first one it may be negative.
   *
   * @param value The number as it stood in a packet.
   */
  unwrap(value: number): number;
  /** The newest so far, `undefined` before the first. */
  readonly newest: number | undefined;
}

/**
 * Extends numbers of 16 bits (sequence numbers) or 32 bits (timestamps). The result is exact for 2⁵³ units: thousands
 * of years of either.
 */
export function createUnwrapper(bits: 16 | 32): Unwrapper {
  const delta = bits === 16 ? sequenceDelta : timestampDelta;
  let newest: number | undefined;
  return {
    get newest() {
      return newest;
    },
    unwrap(value) {
      const extended = newest === undefined ? value : newest + delta(value, newest % 2 ** bits);
      if (newest === undefined || extended > newest) newest = extended;
      return extended;
    },
  };
}
