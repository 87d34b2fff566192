/** Owns the sandbox's randomness: one seeded stream, so that two runs with one seed give the same ids and tokens. */

/** A source of numbers in `[0, 1)`. */
export type Random = () => number;

/** A stream that can be gone on with: `createRandom(random.state)` gives the same numbers from there. */
export interface SeededRandom extends Random {
  readonly state: number;
}

/** Creates a seeded stream (mulberry32: one 32-bit word of state, good enough for ids, not for secrets that matter). */
export function createRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Object.defineProperty(next, 'state', { get: () => state }) as SeededRandom;
}

/** Random text over an alphabet. */
export function randomText(random: Random, length: number, alphabet: string): string {
  let text = '';
  for (let at = 0; at < length; at += 1) text += alphabet[Math.floor(random() * alphabet.length)];
  return text;
}

/** Random lower-case hex, as Discord's session ids and hashes are. */
export const randomHex = (random: Random, length: number): string => randomText(random, length, '0123456789abcdef');

/** A seed out of a text (FNV-1a, 32 bits). */
export function hashText(text: string): number {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  return hash >>> 0;
}
