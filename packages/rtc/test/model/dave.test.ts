/** The DAVE reducer against every message in every state, and against mistakes on purpose. */
import { expect, test } from 'vitest';
import { exploreDave } from './dave-model.js';
import { DAVE_MUTANTS } from './dave-mutants.js';

test('every rule holds in every reachable state, and the search ends', () => {
  const { exploration, seen } = exploreDave();
  expect(exploration.violation).toBeUndefined();
  expect(exploration.complete).toBe(true);
  expect(exploration.states).toBeGreaterThan(1_000);
  // The search is worth something only if it gets everywhere.
  expect([...seen].sort()).toEqual(
    ['activity', 'drop', 'epoch', 'open', 'problem', 'process', 'send 23', 'send 31', 'transition'].sort(),
  );
  const edges = new Set(exploration.phaseEdges.map(({ from, to }) => `${from} → ${to}`));
  expect([...edges].sort()).toMatchInlineSnapshot(`
    [
      "active → off",
      "active → recovering",
      "active → waiting",
      "off → active",
      "off → recovering",
      "off → waiting",
      "recovering → active",
      "recovering → off",
      "recovering → waiting",
      "waiting → active",
      "waiting → off",
      "waiting → recovering",
    ]
  `);
});

test.each(DAVE_MUTANTS)('caught: $name', ({ make, breaks }) => {
  const { exploration } = exploreDave(make, 2_000);
  expect(exploration.violation?.rule).toBe(breaks);
});
