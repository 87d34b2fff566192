/** The session against a model server and a network with faults: what happens arrives, once and in order. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SessionReducer } from '../../src/protocol/session.js';
import { FAULTS, type Fault, type Outcome, runAgainstServer } from './model-server.js';
import { MODEL_RULES } from './session-model.js';
import { MUTANTS } from './session-mutants.js';

const CALM = FAULTS.slice(0, 6);

/** Uniform random inputs reach little: most of the time the plausible happens. */
const fault: fc.Arbitrary<Fault> = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...CALM) },
    { weight: 1, arbitrary: fc.constantFrom(...FAULTS) },
  ),
  n: fc.nat(99),
});
const schedule = fc.array(fault, { maxLength: 80, size: 'max' });

function lehmer(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_648;
  };
}

/** What is wrong with a run, `undefined` when nothing is. */
function wrong({ broken, happened, delivered, lost, sends, phase, finalPhase }: Outcome): string | undefined {
  if (broken !== undefined) return broken;
  if (phase !== 'ready') return `still ${phase} after the faults`;
  if (finalPhase !== 'closed') return `${finalPhase} after the end`;
  if (sends.settled !== sends.made) return 'a send did not settle';
  if (delivered.some((event, index) => index > 0 && event <= (delivered[index - 1] ?? 0)))
    return 'twice or out of order';
  // What happened before the first READY was never ours.
  const ours = happened.filter((event) => event >= (delivered[0] ?? Number.POSITIVE_INFINITY));
  if (lost === 0 && ours.length !== delivered.length) return 'an event was lost while the session lived';
  return undefined;
}

function counterexample(reducer: SessionReducer | undefined, runs: number): string | undefined {
  const result = fc.check(
    fc.property(schedule, fc.nat(), (faults, seed) => {
      const problem = wrong(runAgainstServer(faults, lehmer(seed), reducer === undefined ? {} : { reducer }));
      if (problem !== undefined) throw new Error(problem);
    }),
    { numRuns: runs, seed: 20_260_101, endOnFailure: true },
  );
  return result.failed
    ? `${(result.errorInstance as Error | null)?.message}: ${JSON.stringify(result.counterexample)}`
    : undefined;
}

test('nothing is lost while the session lives, nothing comes twice, every send settles, and it recovers', () => {
  expect(counterexample(undefined, 3_000)).toBeUndefined();
});

test('the schedules get somewhere', () => {
  const outcomes = fc.sample(fc.tuple(schedule, fc.nat()), { numRuns: 300, seed: 1 });
  const runs = outcomes.map(([faults, seed]) => runAgainstServer(faults, lehmer(seed)));
  expect(runs.filter(({ lost }) => lost === 0).length).toBeGreaterThan(50);
  expect(runs.filter(({ lost }) => lost > 0).length).toBeGreaterThan(50);
  expect(Math.max(...runs.map(({ delivered }) => delivered.length))).toBeGreaterThan(10);
});

test.each(MUTANTS)('caught: $name', ({ make }) => {
  expect(counterexample(make(MODEL_RULES), 3_000)).toBeDefined();
});
