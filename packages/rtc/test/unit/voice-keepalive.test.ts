/** The UDP keepalive's arithmetic. */
import { expect, test } from 'vitest';
import { answered, beat, heard, isDoubtful, newKeepalive } from '../../src/protocol/voice-keepalive.js';

const RULES = { keepaliveMs: 1_000, keepaliveMisses: 3, probeTimeoutMs: 100 };

test('round trips are smoothed, losses counted', () => {
  let keepalive = beat(RULES, newKeepalive(0), 0);
  expect(keepalive).toMatchObject({ seq: 1, nextAt: 1_000, sent: 1, lost: 0 });
  keepalive = answered(keepalive, 1, 80);
  expect(keepalive).toMatchObject({ answered: 1, roundTripMs: 80, answers: true });
  keepalive = answered(beat(RULES, keepalive, 1_000), 2, 1_160);
  expect(keepalive.roundTripMs).toBe(90);
  keepalive = beat(RULES, beat(RULES, keepalive, 2_000), 3_000);
  expect(keepalive).toMatchObject({ sent: 4, answered: 2, lost: 1, missed: 1 });
  // Too late: it counts as lost already.
  expect(answered(keepalive, 3, 3_010)).toBe(keepalive);
  expect(answered(keepalive, 99, 3_010)).toBe(keepalive);
});

test('a path is in doubt only when it has answered before and nothing else is heard', () => {
  const silent = [0, 1, 2, 3, 4].reduce((keepalive, now) => beat(RULES, keepalive, now), newKeepalive(0));
  expect(isDoubtful(RULES, silent)).toBe(false);
  const answering = answered(beat(RULES, newKeepalive(0), 0), 1, 1);
  const dead = [2, 3, 4, 5].reduce((keepalive, now) => beat(RULES, keepalive, now), answering);
  expect(isDoubtful(RULES, dead)).toBe(true);
  expect(isDoubtful(RULES, heard(dead))).toBe(false);
});

test('numbers wrap at 32 bits', () => {
  expect(beat(RULES, { ...newKeepalive(0), seq: 2 ** 32 - 1 }, 0).seq).toBe(0);
});
