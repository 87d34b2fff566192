/** The election at random: three processes, every fault several times, answers that come too late; then all goes well. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createElection, type Election } from '../../src/protocol/election.js';
import { at, createWorld, type Faults, initialWorld, RULES, type Server, server } from './owner-model.js';
import { brokenRule } from './owner-rules.js';

const FAULTS: Faults = { lag: 1, loss: 3, late: 3, twice: 2, data: 1, resign: 3 };
/** A lease that nobody holds any more, a rest, and a question. */
const MOST_TICKS = 2 * RULES.leaseMs + 4 * RULES.askEveryMs;
const LIVE = 'somebody is the owner within a bound, once all goes well';
const RUNS = Number(process.env.GUILDKIT_MODEL_RUNS ?? 1_000);

function run(choices: readonly number[], election?: Election, scripts: Server = server): string | undefined {
  const world = createWorld(election, scripts, true);
  let state = initialWorld(FAULTS, 3);
  for (const choice of choices) {
    const moves = world.moves(state);
    const input = at(moves, choice % moves.length);
    const { state: to, effects } = world.step(state, input);
    const rule = brokenRule({ from: state, input, to, effects }, scripts);
    if (rule !== undefined) return rule;
    state = to;
  }
  return world.ticksUntilOwner(state, MOST_TICKS) === undefined ? LIVE : undefined;
}

const choices = fc.array(fc.nat(1_000), { minLength: 20, maxLength: 200 });

/** What the first run that breaks something breaks. */
function firstBroken(election?: Election, scripts?: Server): string | undefined {
  let broken: string | undefined;
  fc.check(
    fc.property(choices, (list) => {
      const rule = run(list, election, scripts);
      broken = rule ?? broken;
      return rule === undefined;
    }),
    { numRuns: RUNS, seed: 22, endOnFailure: true },
  );
  return broken;
}

const real = createElection(RULES);
const STUCK: readonly { readonly name: string; readonly election?: Election; readonly server?: Server }[] = [
  {
    name: 'a question whose answer is lost is waited for',
    election: { step: real.step, deadline: (state) => (state.phase === 'asking' ? undefined : real.deadline(state)) },
  },
  {
    name: 'a lease that was given back is not waited for, but its answer is',
    election: {
      step: real.step,
      deadline: (state) => (state.phase === 'releasing' ? undefined : real.deadline(state)),
    },
  },
  {
    name: 'who was deposed stands no more',
    election: {
      deadline: real.deadline,
      step: (state, input) =>
        state.phase === 'deposed' && input.type === 'finished'
          ? { state: { phase: 'closed', ids: state.ids, floor: state.floor }, effects: [{ type: 'closed' }] }
          : real.step(state, input),
    },
  },
  {
    name: 'a lease outlives a server whose clock went back',
    server: {
      ...server,
      execute: (standing, question, now) =>
        question.type === 'ask' && standing.by >= 0 && standing.by !== question.by && standing.until > now
          ? { standing, answer: { type: 'held', id: question.id, term: standing.term, remainingMs: 1 } }
          : server.execute(standing, question, now),
    },
  },
];

describe('the election at random', () => {
  it('keeps its rules, and somebody is the owner within a bound once all goes well', () => {
    expect(firstBroken()).toBeUndefined();
  });

  it.each(STUCK)('$name: caught', (mutant) => {
    expect(firstBroken(mutant.election, mutant.server)).toBe(LIVE);
  });
});
