/** Bytes for tests: hex, seeded randomness, Annex B streams. */

/** Bytes of a hex text; blanks may stand anywhere. */
export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s+/g, ''), 'hex'));

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Numbers from 0 to below `n`, always the same for a seed. */
export function dice(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/** An Annex B stream with four-byte start codes. */
export function annexB(units: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(units.flatMap((unit) => [Uint8Array.of(0, 0, 0, 1), unit])));
}

/** A changed copy: bits flipped, bytes set to telling values, cut short or grown. */
export function mutate(bytes: Uint8Array, below: (n: number) => number): Uint8Array {
  let copy = bytes.slice();
  for (let times = 1 + below(4); times > 0; times -= 1) {
    const at = below(copy.length);
    switch (below(6)) {
      case 0:
        copy[at] = (copy[at] ?? 0) ^ (1 << below(8));
        break;
      case 1:
        copy[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)] as number;
        break;
      case 2:
        copy[at] = below(256);
        break;
      case 3:
        copy = copy.slice(0, at);
        break;
      case 4:
        copy = Uint8Array.from([...copy, ...Array.from({ length: below(9) }, () => below(256))]);
        break;
      default:
        copy = copy.slice(below(Math.min(4, copy.length)));
    }
    if (copy.length === 0) break;
  }
  return copy;
}
