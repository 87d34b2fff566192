/** Whatever network and hub do: in the end the client shows what the hub has, and told it in order, each once. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MUTANTS } from '../support/mutants.js';
import { type Machine, type Move, machine, World } from '../support/world.js';

const change = fc.record({
  do: fc.constantFrom('join' as const, 'leave' as const),
  channel: fc.constantFrom('1', '2'),
  user: fc.constantFrom('a', 'b', 'c'),
});
const simple = (...names: Exclude<Move['do'], 'join' | 'leave' | 'wait' | 'sleep'>[]) =>
  fc.constantFrom(...names).map((name) => ({ do: name }) as Move);

/** Weighted so that a run mostly works and breaks now and then: uniform choice hardly ever gets past the welcome. */
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 12, arbitrary: simple('deliver') },
  { weight: 8, arbitrary: simple('sendAll') },
  { weight: 8, arbitrary: change },
  { weight: 5, arbitrary: simple('drop', 'late', 'double', 'swap', 'send', 'garbage', 'badPayload') },
  { weight: 3, arbitrary: simple('cut', 'silence', 'restart', 'drain', 'down', 'up', 'revokeToken') },
  { weight: 2, arbitrary: simple('offline', 'online', 'visible', 'reconnect', 'wantB', 'releaseB') },
  { weight: 3, arbitrary: fc.constantFrom(100, 1_000, 6_000, 12_000).map((ms): Move => ({ do: 'wait', ms })) },
  { weight: 1, arbitrary: fc.constantFrom(5_000, 60_000).map((ms): Move => ({ do: 'sleep', ms })) },
);

/** The way to an open connection, so that the random part starts where things can be lost. */
const OPENING: readonly Move[] = [
  { do: 'deliver' },
  { do: 'sendAll' },
  { do: 'deliver' },
  { do: 'sendAll' },
  { do: 'deliver' },
  { do: 'deliver' },
];

function verdictOf(make: () => Machine, moves: readonly Move[], ackSeq: 'head' | 'since'): string | undefined {
  const world = new World(make(), { ackSeq });
  for (const next of [...OPENING, ...moves]) world.play(next);
  world.heal();
  return world.verdict();
}

const property = (make: () => Machine) =>
  fc.property(
    fc.array(move, { maxLength: 80 }),
    fc.constantFrom('head' as const, 'since' as const),
    (moves, ackSeq) => {
      expect(verdictOf(make, moves, ackSeq)).toBeUndefined();
    },
  );

describe('recovery', () => {
  it('always ends with the hub’s state, told in order, each event once', () => {
    fc.assert(property(machine), { numRuns: 1_500, seed: 20_260_101 });
  });

  it.each(Object.keys(MUTANTS))('catches a client that %s', (name) => {
    const make = MUTANTS[name];
    if (make === undefined) throw new Error('no such mutant');
    const { failed } = fc.check(property(make), { numRuns: 1_500, seed: 20_260_101, endOnFailure: true });
    expect(failed).toBe(true);
  });
});
