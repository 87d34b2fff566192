/** Hostile bytes: seeded randomness, and valid messages changed by it. */

/** Numbers from 0 to below `n`, always the same for a seed (mulberry32). */
export function dice(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/** Values that lengths and kinds turn on. */
const TELLING = [0, 1, 2, 3, 5, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff];

/** A changed copy: bits flipped, bytes set, pieces cut out, doubled or added. */
export function mutate(bytes: Uint8Array, below: (n: number) => number): Uint8Array {
  let copy = Buffer.from(bytes);
  for (let times = 1 + below(3); times > 0 && copy.length > 0; times -= 1) {
    const at = below(copy.length);
    const kind = below(7);
    if (kind === 0) copy[at] = (copy[at] ?? 0) ^ (1 << below(8));
    else if (kind <= 2) copy[at] = TELLING[below(TELLING.length)] ?? 0;
    else if (kind === 3) copy = copy.subarray(0, at);
    else if (kind === 4)
      copy = Buffer.concat([copy.subarray(0, at), copy.subarray(Math.min(copy.length, at + 1 + below(8)))]);
    else if (kind === 5) copy = Buffer.concat([copy.subarray(0, at), copy.subarray(Math.max(0, at - below(80)))]);
    else
      copy = Buffer.concat([
        copy.subarray(0, at),
        Buffer.from(Array.from({ length: below(9) }, () => below(256))),
        copy.subarray(at),
      ]);
  }
  return copy;
}
