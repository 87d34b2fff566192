/**
 * Elections with one mistake each, as an implementer could make it in the reducer or in a script, wrapped around the real
 * ones. The search must catch every one of them; `breaks` is the rule that it meets first.
 */
import { createElection, type Election, type ElectionState } from '../../src/protocol/election.js';
import { type Faults, RULES, type Server, server } from './owner-model.js';
import type { OwnerRule } from './owner-rules.js';

export interface Mutant {
  readonly name: string;
  readonly breaks: OwnerRule;
  /** What has to go wrong beside: by itself, processes sleep and answers are late. */
  readonly faults?: Partial<Faults>;
  readonly election?: Election;
  readonly server?: Server;
  /** Answers that came too late are still heard. */
  readonly keepsStale?: boolean;
}

const real = createElection(RULES);

/** Changes what a step returns. */
function after(
  change: (step: ReturnType<Election['step']>, ...given: Parameters<Election['step']>) => ReturnType<Election['step']>,
): Election {
  return { deadline: real.deadline, step: (state, input) => change(real.step(state, input), state, input) };
}

const serverWith = (change: Partial<Server>): Server => ({ ...server, ...change });
const ONE_WRITES = 'no write of an earlier owner is taken once a later was elected';
const ONE_BELIEVES = 'two think that they are the owner only when Redis has forgotten something';

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the lease is counted from the answer',
    breaks: ONE_BELIEVES,
    election: {
      deadline: real.deadline,
      step: (state, input) => {
        const sentAt = input.now;
        if (input.type === 'granted' && state.phase === 'asking') return real.step({ ...state, sentAt }, input);
        if (input.type === 'renewed' && state.phase === 'owner' && state.renewal !== undefined) {
          return real.step({ ...state, renewal: { ...state.renewal, sentAt } }, input);
        }
        return real.step(state, input);
      },
    },
  },
  {
    name: 'no margin is kept for a slow clock',
    breaks: ONE_BELIEVES,
    faults: { lag: 1 },
    election: createElection({ ...RULES, marginMs: 0 }),
  },
  {
    name: 'an answer is taken for one to the question before it',
    breaks: ONE_BELIEVES,
    faults: { loss: 1, late: 1 },
    keepsStale: true,
    election: {
      deadline: real.deadline,
      step: (state, input) =>
        real.step(state, 'id' in input && state.phase === 'asking' ? { ...input, id: state.id } : input),
    },
  },
  {
    name: 'an owner that could not prolong its lease goes on',
    breaks: ONE_BELIEVES,
    election: after((step, state, input) =>
      input.type === 'timer' && step.state.phase === 'deposed' && state.phase === 'owner'
        ? { state: { ...state, until: input.now + 1 }, effects: [] }
        : step,
    ),
  },
  {
    name: 'it is elected again before its work has ended',
    breaks: 'work begins when there is none, and is told to end once',
    election: after((step, _state, { now }) =>
      step.state.phase === 'deposed'
        ? { ...step, state: { phase: 'standby', ids: step.state.ids, floor: step.state.floor, askAt: now } }
        : step,
    ),
  },
  {
    name: 'a hand-over gives the lease back before the work has ended',
    breaks: 'work begins when there is none, and is told to end once',
    faults: { resign: 1 },
    election: after((step, _state, { now }) => {
      if (step.state.phase !== 'leaving') return step;
      const { ids, floor, next, restMs } = step.state;
      const state: ElectionState = { phase: 'releasing', ids: ids + 1, floor, id: ids + 1, sentAt: now, next, restMs };
      return { state, effects: [...step.effects, { type: 'release', id: ids + 1 }] };
    }),
  },
  {
    name: 'a second renewal is sent before the first was answered',
    breaks: 'only an owner asks for more, one question at a time',
    election: {
      deadline: (state) => ('renewAt' in state ? Math.min(state.renewAt, state.until) : real.deadline(state)),
      step: (state, input) => {
        if (input.type !== 'timer' || state.phase !== 'owner' || state.renewal === undefined)
          return real.step(state, input);
        const step = real.step({ ...state, renewal: undefined }, input);
        return step;
      },
    },
  },
  {
    name: 'writes are taken without a look at the term',
    breaks: ONE_WRITES,
    server: serverWith({ takes: () => true }),
  },
  {
    name: 'writes are taken of whoever has the lease, whatever their term',
    breaks: ONE_WRITES,
    server: serverWith({ takes: (standing, write) => standing.by === write.by }),
  },
  {
    name: 'writes are taken of terms that are not lower, whoever has them',
    breaks: ONE_WRITES,
    faults: { resign: 1 },
    server: serverWith({ takes: (standing, write) => standing.term <= write.term }),
  },
  {
    name: 'the lease is granted while another has it',
    breaks: ONE_BELIEVES,
    server: serverWith({
      execute: (standing, question, now) =>
        server.execute({ ...standing, until: Math.min(standing.until, now + 1) }, question, now),
    }),
  },
  {
    name: 'terms begin anew when the lease was given back',
    breaks: 'a term is higher than the last, and than those its owner has heard of',
    faults: { resign: 1 },
    server: serverWith({
      execute: (standing, question, now) => {
        const done = server.execute(
          standing.by < 0 ? { ...standing, term: 0 } : standing,
          { ...question, ...('floor' in question ? { floor: 0 } : {}) },
          now,
        );
        return done;
      },
    }),
  },
  {
    name: 'a term need not be higher than those its owner has heard of',
    breaks: 'a term is higher than the last, and than those its owner has heard of',
    faults: { data: 1 },
    server: serverWith({
      execute: (standing, question, now) =>
        server.execute(standing, question.type === 'ask' ? { ...question, floor: 0 } : question, now),
    }),
  },
  {
    name: 'anybody gives the lease back',
    breaks: 'a lease is given back by whom it was granted to',
    faults: { resign: 1 },
    server: serverWith({
      execute: (standing, question, now) =>
        question.type === 'release'
          ? { standing: { ...standing, by: -1, until: 0 }, answer: { type: 'released', id: question.id } }
          : server.execute(standing, question, now),
    }),
  },
  {
    name: 'a late release gives back what was granted after it',
    breaks: ONE_BELIEVES,
    faults: { late: 1 },
    server: serverWith({
      execute: (standing, question, now) =>
        question.type === 'release' && standing.by === question.by
          ? { standing: { ...standing, by: -1, until: 0 }, answer: { type: 'released', id: question.id } }
          : server.execute(standing, question, now),
    }),
  },
];
