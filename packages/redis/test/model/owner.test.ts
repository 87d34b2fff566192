/** The election, searched exhaustively: two processes and one Redis, in every order that things may happen in. */
import { type Exploration, explore } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';
import { createWorld, type Faults, initialWorld, keyOf, NO_FAULTS, server } from './owner-model.js';
import { MUTANTS, type Mutant } from './owner-mutants.js';
import { brokenRule } from './owner-rules.js';

function search(faults: Partial<Faults>, maxStates: number, mutant?: Mutant): Exploration {
  const scripts = mutant?.server ?? server;
  const world = createWorld(mutant?.election, scripts, mutant?.keepsStale);
  return explore({
    initial: initialWorld({ ...NO_FAULTS, ...faults }),
    inputs: world.moves,
    step: world.step,
    key: keyOf,
    invariant: (edge) => brokenRule(edge, scripts),
    label: (move) => JSON.stringify(move),
    phase: ({ processes }) => processes.map(({ state }) => state.phase).join(' '),
    maxStates,
  });
}

describe('the election', () => {
  it.each([{}, { lag: 1 }])('keeps its rules in every reachable state, with %o', (faults) => {
    const { violation, complete, states } = search(faults, 100_000);
    expect(violation).toBeUndefined();
    expect(complete).toBe(true);
    expect(states).toBeGreaterThan(10_000);
  });

  it.each(MUTANTS)('$name: caught', (mutant) => {
    const { violation } = search(mutant.faults ?? {}, 60_000, mutant);
    expect(violation?.rule).toBe(mutant.breaks);
  });
});
