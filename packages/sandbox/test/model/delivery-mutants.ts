/** Delivery services with one mistake each, wrapped around the real one. The search must catch every one of them. */
import type { Stamp, TimerInput, Transition } from '@guildkit/core';
import { createDelivery, type Delivery } from '../../src/protocol/dave/delivery.js';
import type {
  DeliveryEffect,
  DeliveryInput,
  DeliveryRules,
  DeliveryState,
} from '../../src/protocol/dave/delivery-types.js';
import { commitOf, type InvariantName, type SCOPES } from './delivery-model.js';

type Input = (DeliveryInput | TimerInput) & Stamp;
type Step = Transition<DeliveryState, DeliveryEffect>;

export interface DeliveryMutant {
  readonly name: string;
  readonly breaks: InvariantName;
  readonly scope: keyof typeof SCOPES;
  make(rules: DeliveryRules): Delivery;
}

/** Changes what a step returns. */
function after(change: (step: Step, from: DeliveryState, input: Input) => Step) {
  return (rules: DeliveryRules): Delivery => {
    const real = createDelivery(rules);
    return { deadline: real.deadline, step: (state, input) => change(real.step(state, input), state, input) };
  };
}

/** Changes what a step is given. */
function before(change: (state: DeliveryState, input: Input) => Input) {
  return (rules: DeliveryRules): Delivery => {
    const real = createDelivery(rules);
    return { deadline: real.deadline, step: (state, input) => real.step(state, change(state, input)) };
  };
}

const without = (type: DeliveryEffect['type']) =>
  after(({ state, effects }) => ({ state, effects: effects.filter((effect) => effect.type !== type) }));

/** Gives a commit facts that the reducer takes. */
const forgiving = (field: 'epoch' | 'sender' | 'proposals' | 'welcomes') =>
  before((state, input) => {
    if (input.type !== 'commit' || state.round === undefined) return input;
    return { ...input, facts: { ...input.facts, [field]: commitOf(state, input.userId)[field] } };
  });

export const DELIVERY_MUTANTS: readonly DeliveryMutant[] = [
  {
    name: 'everyone is sent all proposals',
    breaks: 'nobody is told its own Add',
    scope: 'flags',
    make: after(({ state, effects }) => {
      const all = state.round?.proposals.map(({ id }) => id) ?? [];
      return { state, effects: effects.map((one) => (one.type === 'append' ? { ...one, proposals: all } : one)) };
    }),
  },
  {
    name: 'proposals go to everyone in the channel',
    breaks: 'proposals are told to who can commit them',
    scope: 'trio',
    make: after(({ state, effects }) => {
      const extra = effects.flatMap((one) => {
        if (one.type !== 'propose' || state.epoch === 0) return [];
        const others = state.members.filter(({ userId }) => state.round?.committers.includes(userId) !== true);
        return others.map(({ userId }): DeliveryEffect => ({ type: 'append', to: userId, proposals: [] }));
      });
      return { state, effects: [...effects, ...extra] };
    }),
  },
  {
    name: 'who leaves takes no proposal back',
    breaks: 'nobody holds proposals but those of the round',
    scope: 'trio',
    make: without('revoke'),
  },
  {
    name: 'a late commit is taken for the current epoch',
    breaks: 'a commit that is not the one changes nothing',
    scope: 'flags',
    make: forgiving('epoch'),
  },
  {
    name: 'a commit in the name of another leaf is taken',
    breaks: 'a commit that is not the one changes nothing',
    scope: 'flags',
    make: forgiving('sender'),
  },
  {
    name: 'a commit of some of the proposals is taken',
    breaks: 'a commit that is not the one changes nothing',
    scope: 'flags',
    make: forgiving('proposals'),
  },
  {
    name: 'a commit without its Welcome is taken',
    breaks: 'a commit that is not the one changes nothing',
    scope: 'flags',
    make: forgiving('welcomes'),
  },
  {
    name: 'the second commit of an epoch is taken, too',
    breaks: 'a commit that is not the one changes nothing',
    scope: 'flags',
    make: after((step, from, input) => {
      const isSecond = input.type === 'commit' && from.round === undefined && from.epoch > 0;
      return isSecond ? { state: { ...from, epoch: from.epoch + 1 }, effects: [] } : step;
    }),
  },
  {
    name: 'transitions have no timeout',
    breaks: 'whatever is wanted or under way has a deadline',
    scope: 'trio',
    make: (rules) => {
      const real = createDelivery(rules);
      return { step: real.step, deadline: (state) => real.deadline({ ...state, transitions: [] }) };
    },
  },
  {
    name: 'a round has no timeout',
    breaks: 'whatever is wanted or under way has a deadline',
    scope: 'flags',
    make: (rules) => {
      const real = createDelivery(rules);
      return { step: real.step, deadline: (state) => real.deadline({ ...state, round: undefined }) };
    },
  },
  {
    name: 'the first who is ready is enough',
    breaks: 'a transition is executed once, when all are ready, the time has come or two more are under way',
    scope: 'trio',
    make: after((step, from, input) => {
      const { transitions } = step.state;
      if (input.type !== 'transitionReady' || transitions.length === 0 || transitions === from.transitions) return step;
      const effects = transitions.flatMap(({ id, told }) =>
        told.map((to): DeliveryEffect => ({ type: 'execute', to, transitionId: id })),
      );
      return { state: { ...step.state, transitions: [] }, effects: [...step.effects, ...effects] };
    }),
  },
  {
    name: 'who is cut off is waited for',
    breaks: 'nobody waits for who is detached or gone',
    scope: 'readable',
    make: after((step, from, input) =>
      input.type === 'detached' ? { effects: [], state: { ...step.state, transitions: from.transitions } } : step,
    ),
  },
  {
    name: 'a sole member is not told',
    breaks: 'who is left alone in a group begins anew',
    scope: 'flags',
    make: after((step, from, input) =>
      input.type === 'left' && from.round === undefined ? { ...step, effects: [] } : step,
    ),
  },
  {
    name: 'the external sender is told with every new group',
    breaks: 'the external sender is told once, and before all that needs it',
    scope: 'flags',
    make: after(({ state, effects }) => ({
      state,
      effects: effects.flatMap((one): DeliveryEffect[] =>
        one.type === 'prepareEpoch' ? [one, { type: 'externalSender' as const, to: one.to }] : [one],
      ),
    })),
  },
  {
    name: 'a channel with a member without DAVE goes on proposing',
    breaks: 'DAVE is on exactly while all can',
    scope: 'readable',
    make: after((step) => ({ ...step, state: { ...step.state, encrypted: true } })),
  },
  {
    name: 'the leaf of who leaves stays theirs',
    breaks: 'everyone is at one leaf at most, and there or stale',
    scope: 'trio',
    make: after((step, from, input) =>
      input.type === 'left' ? { ...step, state: { ...step.state, stale: from.stale } } : step,
    ),
  },
  {
    name: 'what came up during a round is forgotten after it',
    breaks: 'whatever is wanted or under way has a deadline',
    scope: 'trio',
    make: after((step, from, input) =>
      input.type === 'commit' && step.state.epoch > from.epoch
        ? { ...step, state: { ...step.state, flushAt: undefined } }
        : step,
    ),
  },
  {
    name: 'the welcome goes to the old members, too',
    breaks: 'commits go to the group, welcomes to those who come',
    scope: 'trio',
    make: after((step, from) => ({
      ...step,
      effects: step.effects.flatMap((one): DeliveryEffect[] => {
        const old =
          one.type === 'welcome' && from.epoch > 0 ? from.leaves.find((userId) => userId !== undefined) : undefined;
        return one.type === 'welcome' && old !== undefined ? [one, { ...one, to: old }] : [one];
      }),
    })),
  },
];
