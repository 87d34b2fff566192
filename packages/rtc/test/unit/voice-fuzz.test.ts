/** Hostile messages and datagrams: no parser throws. `npm run soak` reads a million. */
import { expect, test } from 'vitest';
import { fuzzVoice } from '../support/fuzz-voice.js';

const inputs = Number(process.env.GUILDKIT_SOAK_INPUTS ?? 20_000);
const seed = Number(process.env.GUILDKIT_SOAK_SEED ?? 1);

test(`${inputs} hostile messages`, () => {
  const { read, refused } = fuzzVoice(seed, inputs);
  // Worth something only if both sides of the parsers were seen.
  expect(read).toBeGreaterThan(inputs / 10);
  expect(refused).toBeGreaterThan(inputs / 10);
}, 600_000);
