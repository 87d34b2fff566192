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

/** By itself, processes sleep and answers are late. The larger searches take minutes: `npm run soak -- owner`. */
const SEARCHES: readonly Partial<Faults>[] = [{}, { lag: 1 }];
const LONG: readonly Partial<Faults>[] = [{ loss: 1 }, { resign: 1 }, { late: 1 }, { twice: 1 }, { data: 1 }];
const isLong = process.env.GUILDKIT_SOAK_SEARCH !== undefined;

describe('the election', () => {
  it.each(isLong ? [...SEARCHES, ...LONG] : SEARCHES)(
    'keeps its rules in every reachable state, with %j',
    { timeout: isLong ? 1_800_000 : 60_000 },
    (faults) => {
      // With what Redis forgets the terms that were heard of count, too: then only the first half million.
      const isBounded = faults.data !== undefined;
      const { violation, complete, states } = search(faults, isBounded ? 500_000 : 2_000_000);
      if (isLong) process.stdout.write(`${JSON.stringify(faults)}: ${states} states\n`);
      expect(violation).toBeUndefined();
      expect(complete).toBe(!isBounded);
      expect(states).toBeGreaterThan(10_000);
    },
  );

  it.each(MUTANTS)('$name: caught', (mutant) => {
    const { violation } = search(mutant.faults ?? {}, 60_000, mutant);
    expect(violation?.rule).toBe(mutant.breaks);
  });
});
