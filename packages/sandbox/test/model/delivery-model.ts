/**
 * The delivery service's reducer as a search space: three users who do everything that users do, at any time, rightly and
 * wrongly, with what each of them was told as part of the state.
 */
import type { Stamp, TimerInput } from '@guildkit/core';
import { type Edge, type Exploration, explore } from '@guildkit/testkit';
import { createDelivery, type Delivery, initialDelivery } from '../../src/protocol/dave/delivery.js';
import { inGroup } from '../../src/protocol/dave/delivery-draft.js';
import type {
  DeliveryEffect,
  DeliveryInput,
  DeliveryRules,
  DeliveryState,
} from '../../src/protocol/dave/delivery-types.js';

export const MODEL_RULES: DeliveryRules = {
  policy: 'prefer',
  transitionTimeoutMs: 2_000,
  commitTimeoutMs: 5_000,
  batchMs: 20,
  flagsForgiven: 1,
};

/** What a user was told since it joined. */
export interface Told {
  readonly sender: number;
  /** Proposals that it holds. */
  readonly held: readonly number[];
}

export interface World {
  readonly delivery: DeliveryState;
  readonly now: number;
  readonly told: Readonly<Record<string, Told>>;
  readonly keyPackages: number;
}

type Input = (DeliveryInput | TimerInput) & Stamp;
export type DeliveryEdge = Edge<World, Input, DeliveryEffect>;

/** Part of what can happen: all of it at once is more than can be searched to its end. */
export interface Scope {
  readonly users: readonly string[];
  /** The last user may come without DAVE. */
  readonly readable?: boolean | undefined;
  /** Connections are cut and resumed. */
  readonly cuts?: boolean | undefined;
  /** Who flags commits and welcomes. */
  readonly flags?: readonly string[] | undefined;
  /** Key packages come also from those who need none. */
  readonly rekeys?: boolean | undefined;
}

export const SCOPES = {
  /** Two whose commits fail. */
  flags: { users: ['a', 'b'], flags: ['b'] },
  /** Two, of whom one may come without DAVE, on connections that are cut. */
  readable: { users: ['a', 'b'], readable: true, cuts: true },
  /** Three who join, leave and are added. */
  trio: { users: ['a', 'b', 'c'] },
  /** As `flags`, with key packages whenever they like. */
  rekeys: { users: ['a', 'b'], flags: ['b'], rekeys: true },
} as const satisfies Record<string, Scope>;

const NOTHING: Told = { sender: 0, held: [] };

/** The facts of the commit that a member would send, having been told what it was told. */
export function commitOf(state: DeliveryState, userId: string) {
  const proposals = (state.round?.proposals ?? []).filter((one) => one.kind !== 'add' || one.userId !== userId);
  return {
    epoch: state.epoch,
    sender: state.epoch > 0 ? state.leaves.indexOf(userId) : 0,
    proposals: proposals.map(({ id }) => id),
    welcomes: proposals.flatMap((one) => (one.kind === 'add' ? [one.keyPackage] : [])),
  };
}

function inputsOf({ delivery, now, keyPackages }: World, reducer: Delivery, scope: Scope): Input[] {
  const stamp = { now, random: 0 };
  const inputs: Input[] = [];
  const add = (input: DeliveryInput): void => {
    inputs.push({ ...input, ...stamp });
  };
  for (const userId of scope.users) {
    const member = delivery.members.find((one) => one.userId === userId);
    add({ type: 'joined', userId, maxVersion: 1 });
    if (scope.readable === true && userId === scope.users.at(-1)) add({ type: 'joined', userId, maxVersion: 0 });
    if (member === undefined) continue;
    add({ type: 'left', userId });
    if (scope.cuts === true) add(member.attached ? { type: 'detached', userId } : { type: 'resumed', userId });
    if (member.maxVersion === 0) continue;
    const needsOne = member.keyPackage === undefined && !inGroup(delivery).includes(userId);
    if (needsOne || scope.rekeys === true) add({ type: 'keyPackage', userId, keyPackage: keyPackages + 1 });
    const again = member.keyPackage ?? member.spent;
    if (again !== undefined && scope.rekeys === true) add({ type: 'keyPackage', userId, keyPackage: again });
    if (scope.flags?.includes(userId) === true) add({ type: 'invalid', userId, transitionId: delivery.lastTransition });
    for (const { id } of delivery.transitions) add({ type: 'transitionReady', userId, transitionId: id });
    const facts = commitOf(delivery, userId);
    add({ type: 'commit', userId, facts });
    if (delivery.round === undefined) continue;
    add({ type: 'commit', userId, facts: { ...facts, epoch: facts.epoch + 1 } });
    add({ type: 'commit', userId, facts: { ...facts, sender: facts.sender + 1 } });
    add({ type: 'commit', userId, facts: { ...facts, proposals: facts.proposals.slice(1) } });
    add({
      type: 'commit',
      userId,
      facts: { ...facts, proposals: [...facts.proposals, ...facts.proposals.slice(0, 1)] },
    });
    add({ type: 'commit', userId, facts: { ...facts, proposals: undefined } });
    if (facts.welcomes.length > 0) add({ type: 'commit', userId, facts: { ...facts, welcomes: [] } });
  }
  const at = reducer.deadline(delivery);
  if (at !== undefined) inputs.push({ type: 'timer', random: 0, now: Math.max(now, at) });
  return inputs;
}

function hear(told: Told, effect: DeliveryEffect): Told {
  switch (effect.type) {
    case 'externalSender':
      return { ...told, sender: told.sender + 1 };
    case 'append':
      return { ...told, held: [...told.held, ...effect.proposals] };
    case 'revoke':
      return { ...told, held: told.held.filter((id) => !effect.proposals.includes(id)) };
    case 'announce':
    case 'welcome':
    case 'prepareEpoch':
      return { ...told, held: [] };
    default:
      return told;
  }
}

/** The world after an input. */
export function advance(
  reducer: Delivery,
  world: World,
  input: Input,
): { state: World; effects: readonly DeliveryEffect[] } {
  const { state: delivery, effects } = reducer.step(world.delivery, input);
  const told: Record<string, Told> = { ...world.told };
  const forget = (userId: string): void => {
    told[userId] = NOTHING;
  };
  if (input.type === 'joined' || input.type === 'left') forget(input.userId);
  // Its client begins anew with a new key package, and so it forgets proposals.
  const isNew = input.type === 'keyPackage' && input.keyPackage > world.keyPackages;
  if (isNew || input.type === 'invalid') {
    told[input.userId] = { ...(told[input.userId] ?? NOTHING), held: [] };
  }
  for (const effect of effects) if ('to' in effect) told[effect.to] = hear(told[effect.to] ?? NOTHING, effect);
  const keyPackages = world.keyPackages + (isNew ? 1 : 0);
  return { state: { delivery, now: input.now, told, keyPackages }, effects };
}

/** What makes two worlds the same: names of proposals, packages and transitions do not matter, nor do absolute times. */
function keyOf({ delivery, now, told }: World): string {
  const { members, round, transitions, announced, flushAt, ...rest } = delivery;
  const proposal = (id: number) => round?.proposals.findIndex((one) => one.id === id) ?? -1;
  return JSON.stringify([
    [...members]
      .sort((a, b) => (a.userId < b.userId ? -1 : 1))
      .map(({ userId, maxVersion, attached, knowsSender, keyPackage, spent, flags, addFrom }) => {
        const { sender, held } = told[userId] ?? NOTHING;
        const packages = [keyPackage !== undefined, spent !== undefined, Math.min(flags, 2), addFrom > now];
        return [userId, maxVersion, attached, knowsSender, packages, sender, held.map(proposal)];
      }),
    round && [round.proposals.map((one) => (one.kind === 'add' ? one.userId : one.leaf)), round.committers],
    transitions.map(({ kind, waiting, told: who }) => [kind, waiting, who]),
    announced.map((one) => [
      one.transitionId === rest.lastTransition,
      one.committer,
      one.members,
      one.welcomed,
      one.flaggedBy,
    ]),
    // In which order what is due comes.
    [flushAt, round?.by, ...transitions.map(({ by }) => by)].map((at) => (at === undefined ? -1 : Math.sign(at - now))),
    rest.encrypted,
    Math.min(rest.epoch, 1),
    rest.leaves,
    rest.stale,
    rest.barred,
    rest.upgrading,
    Math.min(rest.deadRounds, 1),
  ]);
}

export type InvariantName = keyof typeof INVARIANTS;

const toOf = (effect: DeliveryEffect): string | undefined => ('to' in effect ? effect.to : undefined);
const memberOf = ({ members }: DeliveryState, userId: string) => members.find((one) => one.userId === userId);

/** The rules; each says whether an edge keeps it. */
const INVARIANTS = {
  'nobody is told its own Add': ({ effects, to }) => {
    const proposals = to.delivery.round?.proposals ?? [];
    return effects.every((effect) => {
      if (effect.type !== 'append') return true;
      return !proposals.some(
        (one) => one.kind === 'add' && one.userId === effect.to && effect.proposals.includes(one.id),
      );
    });
  },
  'proposals are told to who can commit them': ({ effects, to }) =>
    effects.every((effect) => effect.type !== 'append' || to.delivery.round?.committers.includes(effect.to) === true),
  'only what was told is revoked': ({ effects, from }) =>
    effects.every((effect) => {
      return (
        effect.type !== 'revoke' || effect.proposals.every((id) => from.told[effect.to]?.held.includes(id) === true)
      );
    }),
  'nobody holds proposals but those of the round': ({ to }) => {
    const ids = to.delivery.round?.proposals.map(({ id }) => id) ?? [];
    if (!to.delivery.encrypted) return true;
    return to.delivery.members.every(({ userId }) => {
      const isCommitter = to.delivery.round?.committers.includes(userId) === true || to.delivery.round === undefined;
      return !isCommitter || (to.told[userId]?.held ?? []).every((id) => ids.includes(id));
    });
  },
  'the external sender is told once, and before all that needs it': ({ effects, from, to, input }) => {
    const isNew = input.type === 'joined';
    return effects.every((effect) => {
      const who = toOf(effect);
      if (who === undefined) return true;
      if (effect.type === 'externalSender') return to.told[who]?.sender === 1;
      if (!['append', 'announce', 'welcome'].includes(effect.type)) return true;
      return (isNew ? to : from).told[who]?.sender === 1;
    });
  },
  'who speaks no DAVE hears nothing of it': ({ effects, to }) =>
    effects.every((effect) => memberOf(to.delivery, toOf(effect) ?? '')?.maxVersion !== 0),
  'only those who are there are told anything': ({ effects, to }) =>
    effects.every((effect) => toOf(effect) === undefined || memberOf(to.delivery, toOf(effect) ?? '') !== undefined),
  'a commit that is not the one changes nothing': ({ from, to, input, effects }) => {
    if (input.type !== 'commit') return true;
    const right = commitOf(from.delivery, input.userId);
    const isRight =
      JSON.stringify(input.facts) === JSON.stringify(right) &&
      from.delivery.round?.committers.includes(input.userId) === true &&
      from.delivery.encrypted &&
      !from.delivery.barred.includes(input.userId);
    return isRight
      ? to.delivery.epoch === from.delivery.epoch + 1
      : to.delivery === from.delivery && effects.length === 1;
  },
  'an epoch begins with a commit, and ends with one or with a new group': ({ from, to, input }) => {
    const { epoch } = to.delivery;
    return (
      epoch === from.delivery.epoch || epoch === 0 || (input.type === 'commit' && epoch === from.delivery.epoch + 1)
    );
  },
  'commits go to the group, welcomes to those who come': ({ effects, from, to }) => {
    const before = inGroup(from.delivery);
    const after = inGroup(to.delivery);
    const first = from.delivery.epoch === 0;
    return effects.every((effect) => {
      if (effect.type === 'announce') return (first || before.includes(effect.to)) && after.includes(effect.to);
      if (effect.type !== 'welcome') return true;
      const { keyPackage } = memberOf(from.delivery, effect.to) ?? {};
      return !before.includes(effect.to) && after.includes(effect.to) && keyPackage === effect.keyPackage;
    });
  },
  'everyone is at one leaf at most, and there or stale': ({ to }) => {
    const { leaves, stale, members } = to.delivery;
    const users = leaves.filter((userId, leaf) => userId !== undefined && !stale.includes(leaf));
    return (
      new Set(users).size === users.length &&
      users.every((userId) => members.some((one) => one.userId === userId)) &&
      stale.every((leaf) => leaves[leaf] !== undefined)
    );
  },
  'a transition is executed once, when all are ready, the time has come or two more are under way': ({
    effects,
    from,
    to,
    input,
  }) =>
    effects.every((effect) => {
      if (effect.type !== 'execute') return true;
      const was = from.delivery.transitions.find(({ id }) => id === effect.transitionId);
      if (to.delivery.transitions.some(({ id }) => id === effect.transitionId)) return false;
      if (input.type === 'timer') return was !== undefined && input.now >= was.by;
      // Of a commit that nobody has to be waited for.
      if (was === undefined) return true;
      if (input.type === 'commit')
        return was.id === from.delivery.transitions[0]?.id && from.delivery.transitions.length === 2;
      const left = input.type === 'joined' || input.type === 'left' || 'userId' in input ? input.userId : '';
      return was.waiting.every((userId) => userId === left);
    }),
  'nobody waits for who is detached or gone': ({ to }) =>
    to.delivery.transitions.every(({ waiting }) => {
      return waiting.length > 0 && waiting.every((userId) => memberOf(to.delivery, userId)?.attached === true);
    }),
  'whatever is wanted or under way has a deadline': ({ to }) => {
    const { delivery } = to;
    const { stale, members, encrypted, epoch, round, transitions } = delivery;
    const live = inGroup(delivery);
    const wanting = members.filter(({ userId, keyPackage }) => keyPackage !== undefined && !live.includes(userId));
    const isWanted = encrypted && (epoch > 0 ? stale.length + wanting.length > 0 : wanting.length > 1);
    const at = deadlineOf(delivery);
    return (!isWanted && round === undefined && transitions.length === 0) || at !== undefined;
  },
  'a round can be committed': ({ to }) => to.delivery.round === undefined || to.delivery.round.committers.length > 0,
  'a group has someone who is in it': ({ to }) =>
    !to.delivery.encrypted || to.delivery.epoch === 0 || inGroup(to.delivery).length > 0,
  'while someone cannot encrypt, nothing is proposed': ({ effects, from, to, input }) =>
    to.delivery.encrypted ||
    // Leaving and joining in one.
    (input.type === 'joined' && memberOf(from.delivery, input.userId) !== undefined) ||
    effects.every(({ type }) => !['propose', 'append', 'announce', 'welcome', 'prepareEpoch'].includes(type)),
  'DAVE is on exactly while all can': ({ to }) =>
    to.delivery.encrypted === to.delivery.members.every(({ maxVersion }) => maxVersion > 0),
  'who flags again and again waits, and nobody else': ({ from, to, effects }) =>
    effects.every((effect) => {
      if (effect.type !== 'propose') return true;
      const added = effect.proposals.flatMap((one) => (one.kind === 'add' ? [one.userId] : []));
      return from.delivery.members.every(({ userId, keyPackage, addFrom }) => {
        const isWanted = keyPackage !== undefined && !inGroup(from.delivery).includes(userId);
        return added.includes(userId) === (isWanted && addFrom <= to.now);
      });
    }),
  'a key package that is said again changes nothing': ({ from, to, input, effects }) => {
    if (input.type !== 'keyPackage' || input.keyPackage > from.keyPackages || !from.delivery.encrypted) return true;
    const { keyPackage, spent } = memberOf(from.delivery, input.userId) ?? {};
    if (input.keyPackage !== keyPackage && input.keyPackage !== spent) return true;
    // Only that a member which needs another one is asked for it.
    return (
      to.delivery === from.delivery && effects.every((one) => one.type === 'prepareEpoch' && one.to === input.userId)
    );
  },
  'who is left alone in a group begins anew': ({ from, to, effects }) => {
    const [sole, other] = to.delivery.members;
    const hadGroup = from.delivery.epoch > 0 && from.delivery.encrypted && from.delivery.members.length > 1;
    if (!hadGroup || sole === undefined || other !== undefined || !to.delivery.encrypted) return true;
    return to.delivery.epoch === 0 && effects.some((one) => one.type === 'prepareEpoch' && one.to === sole.userId);
  },
} as const satisfies Record<string, (edge: DeliveryEdge) => boolean>;

/** The deadline that the reducer under test gives; a mutant may forget some. */
let deadlineOf: Delivery['deadline'] = () => undefined;

/** Searches everything of a scope that users can do. */
export function exploreDelivery(
  scope: Scope,
  make: (rules: DeliveryRules) => Delivery = createDelivery,
  maxStates = 200_000,
): { exploration: Exploration; seen: Set<string> } {
  const reducer = make(MODEL_RULES);
  deadlineOf = (state) => reducer.deadline(state);
  const seen = new Set<string>();
  const exploration = explore<World, Input, DeliveryEffect>({
    initial: { delivery: initialDelivery(MODEL_RULES), now: 0, told: {}, keyPackages: 0 },
    inputs: (world) => inputsOf(world, reducer, scope),
    step: (world, input) => advance(reducer, world, input),
    key: keyOf,
    invariant: (edge) => {
      for (const effect of edge.effects) {
        seen.add(
          effect.type === 'refuse' ? `refuse ${effect.reason}` : effect.type === 'count' ? effect.what : effect.type,
        );
      }
      return (Object.keys(INVARIANTS) as InvariantName[]).find((name) => !INVARIANTS[name](edge));
    },
    label: (input) => ('userId' in input ? `${input.type} ${input.userId}` : input.type),
    phase: ({ delivery: { encrypted, epoch, round } }) => {
      if (!encrypted) return 'readable';
      if (epoch === 0) return round === undefined ? 'noGroup' : 'proposedFirst';
      return round === undefined ? 'group' : 'proposed';
    },
    maxStates,
  });
  return { exploration, seen };
}
