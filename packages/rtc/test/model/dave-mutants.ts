/** DAVE reducers with one mistake each, wrapped around the real one. The search must catch every one of them. */
import type { Transition } from '@guildkit/core';
import {
  createDaveReducer,
  type DaveReducer,
  type DaveState,
  type DaveStepEffect,
} from '../../src/protocol/dave/transitions.js';
import type { InvariantName, ModelInput } from './dave-model.js';

type Step = Transition<DaveState, DaveStepEffect>;

export interface DaveMutant {
  readonly name: string;
  readonly breaks: InvariantName;
  make(): DaveReducer;
}

function after(change: (step: Step, from: DaveState, input: ModelInput) => Step) {
  return (): DaveReducer => {
    const real = createDaveReducer(1);
    return { deadline: real.deadline, step: (state, input) => change(real.step(state, input), state, input) };
  };
}

const without = (isIt: (effect: DaveStepEffect) => boolean) =>
  after(({ state, effects }) => ({ state, effects: effects.filter((effect) => !isIt(effect)) }));

export const DAVE_MUTANTS: readonly DaveMutant[] = [
  {
    name: 'old sessions are never dropped',
    breaks: 'one session is in use, those before are kept or dropped',
    make: without(({ type }) => type === 'drop'),
  },
  {
    name: 'old keys go with their session',
    breaks: 'keys of a group outlast it by ten seconds',
    make: after((step) => {
      const { state, effects } = step;
      if (state.retired.length === 0) return step;
      const drops = state.retired.map(({ session }): DaveStepEffect => ({ type: 'drop', session }));
      return { state: { ...state, retired: [] }, effects: [...effects, ...drops] };
    }),
  },
  {
    name: 'old keys are kept for good',
    breaks: 'no key outlasts its time',
    make: after((step, from, input) => {
      const isOver = input.type === 'timer' && step.state.retired.length < from.retired.length;
      if (!isOver || step.effects.some(({ type }) => type === 'open')) return step;
      return {
        state: { ...step.state, retired: from.retired },
        effects: step.effects.filter(({ type }) => type !== 'drop'),
      };
    }),
  },
  {
    name: 'a transition that is executed at once is acknowledged, too',
    breaks: 'only what is prepared is acknowledged, and never what is executed at once',
    make: after((step) => ({
      ...step,
      effects: step.effects.flatMap((one): DaveStepEffect[] =>
        one.type === 'transition' && one.transitionId === 0 ? [one, { type: 'send', op: 23, transitionId: 0 }] : [one],
      ),
    })),
  },
  {
    name: 'a flag comes without a key package',
    breaks: 'what is flagged is joined anew',
    make: after((step, from) => {
      if (!step.effects.some((one) => one.type === 'send' && one.op === 31)) return step;
      return { state: from, effects: step.effects.filter(({ type }) => type === 'send') };
    }),
  },
  {
    name: 'a commit that cannot be processed is passed over',
    breaks: 'a message that cannot be processed is flagged, once',
    make: after((step, from, input) => (input.type === 'processed' && !input.ok ? { state: from, effects: [] } : step)),
  },
  {
    name: 'a commit to the group that was flagged is processed',
    breaks: 'while a flagged group is joined again, its commits are not looked at',
    make: after((step, from, input) => {
      const { session } = from;
      if (input.type !== 'commit' || from.lost !== 'flagged' || session === undefined) return step;
      return { ...step, effects: [{ type: 'process', session, what: 'commit', transitionId: input.transitionId }] };
    }),
  },
  {
    name: 'a downgrade is carried out when it is announced',
    breaks: 'encryption ends by op 22, by transition 0, or with the session',
    make: after((step, _, input) =>
      input.type === 'prepareTransition' && input.protocolVersion === 0
        ? { ...step, state: { ...step.state, version: 0 } }
        : step,
    ),
  },
  {
    name: 'a downgrade whose op 22 is lost is carried out by itself',
    breaks: 'encryption ends by op 22, by transition 0, or with the session',
    make: after((step, from, input) => {
      const isForgotten =
        input.type === 'timer' && from.prepared.some(({ version, by }) => version === 0 && by <= input.now);
      return isForgotten ? { ...step, state: { ...step.state, version: 0 } } : step;
    }),
  },
  {
    name: 'encryption begins when the commit is processed',
    breaks: 'encryption begins for all at once: not before the transition is executed',
    make: after((step, from, input) => {
      if (input.type !== 'processed' || !input.ok || from.version !== 0) return step;
      const effects = step.effects.filter(({ type }) => type !== 'transition');
      return {
        state: { ...step.state, version: 1 },
        effects: [...effects, { type: 'activity', from: 'off', to: 'active' }],
      };
    }),
  },
  {
    name: 'a group that is made anew is as good as none before',
    breaks: 'a group that was there is not followed by readable frames among others',
    make: after((step, from, input) => {
      if (input.type !== 'prepareEpoch' || step.state.lost !== 'reset') return step;
      const effects = step.effects.filter(({ type }) => type !== 'activity');
      const told: DaveStepEffect[] = from.ready ? [{ type: 'activity', from: 'active', to: 'waiting' }] : [];
      return { state: { ...step.state, lost: undefined }, effects: [...effects, ...told] };
    }),
  },
  {
    name: 'readable frames are taken for ever',
    breaks: 'readable frames are taken only where they can be meant',
    make: after((step) =>
      step.state.ready && step.state.readableUntil !== Number.MAX_VALUE
        ? { ...step, state: { ...step.state, readableUntil: Number.MAX_VALUE } }
        : step,
    ),
  },
  {
    name: 'the end of encryption is not told',
    breaks: 'what changes is told',
    make: without((one) => one.type === 'activity' && one.to === 'off'),
  },
  {
    name: 'an unknown version is gone along with',
    breaks: 'a version that is not spoken is told and changes nothing',
    make: () => createDaveReducer(9),
  },
  {
    name: 'a flag that is lost is not repeated',
    breaks: 'whatever is waited for has a deadline',
    make: () => {
      const real = createDaveReducer(1);
      return { step: real.step, deadline: (state) => real.deadline({ ...state, flagAgainAt: undefined }) };
    },
  },
  {
    name: 'a transition whose op 22 is lost stays',
    breaks: 'whatever is waited for has a deadline',
    make: () => {
      const real = createDaveReducer(1);
      return { step: real.step, deadline: (state) => real.deadline({ ...state, prepared: [] }) };
    },
  },
];
