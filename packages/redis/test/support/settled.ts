/** What every case of a fault must end with. */
import { expect } from 'vitest';
import type { FaultOutcome } from './fault-world.js';
import { addFigures } from './figures.js';

export function settled(outcome: FaultOutcome): FaultOutcome {
  addFigures({ name: expect.getState().currentTestName, ...outcome });
  expect(outcome.problems).toEqual([]);
  return outcome;
}
