/** Hostile messages and datagrams: no parser throws. `npm run soak` reads a million. */
import { expect, test } from 'vitest';
import { fuzzVoice } from '../support/fuzz-voice.js';

test('20,000 hostile messages', () => {
  const { read, refused } = fuzzVoice(1, 20_000);
  // Worth something only if both sides of the parsers were seen.
  expect(read).toBeGreaterThan(2_000);
  expect(refused).toBeGreaterThan(2_000);
});
