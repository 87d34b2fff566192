/** Hostile bytes: seeded randomness, and valid messages changed by it. */

/** Numbers from 0 to below `n`, always the same for a seed (mulberry32). */
export function below(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/** Values that lengths and kinds turn on. */
const TELLING = [0, 1, 2, 3, 5, 8, 0x0c, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xfa, 0xff];

/** A changed copy: bits flipped, bytes set, pieces cut out, doubled or added. */
export function mutate(bytes: Uint8Array, dice: (n: number) => number): Uint8Array {
  let copy = Buffer.from(bytes);
  for (let times = 1 + dice(3); times > 0 && copy.length > 0; times -= 1) {
    // Heads and tails hold what lengths and kinds are.
    const end = copy.length;
    const at = dice(3) === 0 ? Math.max(0, end - 1 - dice(Math.min(24, end))) : dice(end);
    const kind = dice(7);
    if (kind === 0) copy[at] = (copy[at] ?? 0) ^ (1 << dice(8));
    else if (kind <= 2) copy[at] = TELLING[dice(TELLING.length)] ?? 0;
    else if (kind === 3) copy = copy.subarray(0, at);
    else if (kind === 4) copy = Buffer.concat([copy.subarray(0, at), copy.subarray(Math.min(end, at + 1 + dice(8)))]);
    else if (kind === 5) copy = Buffer.concat([copy.subarray(0, at), copy.subarray(Math.max(0, at - dice(80)))]);
    else
      copy = Buffer.concat([
        copy.subarray(0, at),
        Buffer.from(Array.from({ length: dice(9) }, () => dice(256))),
        copy.subarray(at),
      ]);
  }
  return copy;
}
