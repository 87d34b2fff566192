/** The session against every input in every state, and against mistakes on purpose. */
import { expect, test } from 'vitest';
import { exploreSession } from './session-model.js';
import { MUTANTS } from './session-mutants.js';

test('every rule holds in every reachable state, and the search ends', () => {
  const { exploration, effects } = exploreSession();
  expect(exploration.violation).toBeUndefined();
  expect(exploration.complete).toBe(true);
  expect(exploration.states).toBeGreaterThan(1_000);
  // The search is worth something only if it gets everywhere.
  expect([...effects].sort()).toMatchInlineSnapshot(`
    [
      "alert",
      "cancelPermit",
      "closeSocket end",
      "closeSocket keep",
      "closeSocket terminate",
      "degraded",
      "deliver",
      "drop duplicate",
      "drop unexpected",
      "ended",
      "gap identify",
      "gap none",
      "gap resume",
      "heartbeat",
      "identify",
      "openSocket",
      "ready",
      "rejectSend aborted",
      "rejectSend closed",
      "rejectSend queueFull",
      "rejectSend timeout",
      "requestPermit",
      "resume",
      "resumed",
      "sessionLost",
      "sessionStarted",
      "transmit",
    ]
  `);
});

test('every rule holds in every reachable state of the sends and their limits', () => {
  const { exploration, effects } = exploreSession({ scope: 'sends' });
  expect(exploration.violation).toBeUndefined();
  expect(exploration.complete).toBe(true);
  expect(exploration.states).toBeGreaterThan(1_000);
  expect(effects).toContain('supersedeSend');
  expect(effects).toContain('rejectSend queueFull');
});

test.each(MUTANTS)('caught: $name', ({ make, breaks, scope }) => {
  const { exploration } = exploreSession({ make, ...(scope === undefined ? {} : { scope }) });
  expect(exploration.violation?.rule).toBe(breaks);
});
