/** A connection's DAVE reducer as a search space: every message at any time, right and wrong, and what its sessions were told. */
import type { Stamp, TimerInput } from '@guildkit/core';
import { type Edge, type Exploration, explore } from '@guildkit/testkit';
import {
  activityOf,
  createDaveReducer,
  DAVE_RULES,
  type DaveReducer,
  type DaveState,
  type DaveStepEffect,
  type DaveStepInput,
  initialDave,
  takesReadable,
} from '../../src/protocol/dave/transitions.js';

const MAX_VERSION = 1;

export interface World {
  readonly dave: DaveState;
  readonly now: number;
  /** Sessions that were opened and not dropped. */
  readonly alive: readonly number[];
  /** When encryption last began. */
  readonly begunAt: number;
}

/** A commit or welcome comes together with how the session takes it. */
export type ModelInput = ((DaveStepInput | TimerInput) & Stamp) & { readonly works?: boolean };
export type DaveEdge = Edge<World, ModelInput, DaveStepEffect>;

function inputsOf({ dave, now }: World, reducer: DaveReducer): ModelInput[] {
  const given: (DaveStepInput & { works?: boolean })[] = [
    { type: 'clientsConnect', userIds: ['b'] },
    { type: 'clientDisconnect', userId: 'b' },
    { type: 'executeTransition', transitionId: 9 },
    { type: 'behind' },
    { type: 'deaf' },
  ];
  for (const protocolVersion of [0, 1, 2]) {
    given.push({ type: 'session', protocolVersion });
    given.push(
      { type: 'prepareEpoch', protocolVersion, epoch: 1 },
      { type: 'prepareEpoch', protocolVersion, epoch: 5 },
    );
    for (const transitionId of [0, 1, 2]) given.push({ type: 'prepareTransition', protocolVersion, transitionId });
  }
  for (const transitionId of [0, 1, 2]) {
    given.push({ type: 'executeTransition', transitionId });
    for (const works of [true, false]) {
      given.push({ type: 'commit', transitionId, works }, { type: 'welcome', transitionId, works });
    }
  }
  const inputs: ModelInput[] = given.map((input) => ({ ...input, now, random: 0 }));
  const at = reducer.deadline(dave);
  if (at !== undefined) inputs.push({ type: 'timer', random: 0, now: Math.max(now, at) });
  // Time without anything due.
  inputs.push({
    type: 'timer',
    random: 0,
    now: Math.min(at ?? Number.POSITIVE_INFINITY, now + DAVE_RULES.retentionMs),
  });
  return inputs;
}

/** A step with what the session says to it. */
export function advance(reducer: DaveReducer, world: World, input: ModelInput) {
  const { works = true, ...first } = input;
  let { state, effects } = reducer.step(world.dave, first);
  for (const effect of effects) {
    if (effect.type !== 'process') continue;
    const { what, transitionId } = effect;
    const next = reducer.step(state, { type: 'processed', what, transitionId, ok: works, now: input.now, random: 0 });
    state = next.state;
    effects = [...effects, ...next.effects];
  }
  const alive = new Set(world.alive);
  for (const effect of effects) {
    if (effect.type === 'open') alive.add(effect.session);
    if (effect.type === 'drop') alive.delete(effect.session);
  }
  const began = effects.some((one) => one.type === 'activity' && one.to === 'active' && one.from !== 'recovering');
  const begunAt = began ? input.now : world.begunAt;
  return { state: { dave: state, now: input.now, alive: [...alive], begunAt }, effects };
}

function keyOf({ dave, now, alive }: World): string {
  const { session, retired, prepared, readableUntil, others, flagAgainAt, opened, ...rest } = dave;
  const times = [flagAgainAt, ...prepared.map(({ by }) => by), ...retired.map(({ until }) => until), readableUntil];
  return JSON.stringify({
    ...rest,
    session: session !== undefined,
    retired: retired.length,
    alive: alive.length,
    prepared: prepared.map(({ id, version }) => [id, version]),
    others: others.size,
    // What is over, and what is due first.
    times: times.map((at) =>
      at === undefined
        ? -1
        : at <= now
          ? 0
          : at === Math.min(...times.filter((one) => (one ?? 0) > now).map(Number))
            ? 1
            : 2,
    ),
  });
}

export type InvariantName = keyof typeof INVARIANTS;

const has = (effects: readonly DaveStepEffect[], type: DaveStepEffect['type']) =>
  effects.some((one) => one.type === type);

const INVARIANTS = {
  'one session is in use, those before are kept or dropped': ({ to: { dave, alive } }) => {
    const expected = [
      ...dave.retired.map(({ session }) => session),
      ...(dave.session === undefined ? [] : [dave.session]),
    ];
    return expected.sort().join() === [...alive].sort().join();
  },
  'keys of a group outlast it by ten seconds': ({ from, to, effects }) => {
    const { session, ready } = from.dave;
    if (!ready || session === undefined || to.dave.session === session) return true;
    const kept = to.dave.retired.find((one) => one.session === session);
    return (
      kept !== undefined &&
      kept.until === to.now + DAVE_RULES.retentionMs &&
      !effects.some((one) => one.type === 'drop' && one.session === session)
    );
  },
  'no key outlasts its time': ({ to, input }) =>
    to.dave.retired.length <= 2 && (input.type !== 'timer' || to.dave.retired.every(({ until }) => until > to.now)),
  'only what is prepared is acknowledged, and never what is executed at once': ({ effects, to }) =>
    effects.every((one) => {
      if (one.type !== 'send' || one.op !== 23) return true;
      return one.transitionId !== 0 && to.dave.prepared.some(({ id }) => id === one.transitionId);
    }),
  'what is flagged is joined anew': ({ effects }) => {
    const at = effects.findIndex((one) => one.type === 'send' && one.op === 31);
    return at < 0 || effects.slice(at).some(({ type }) => type === 'open');
  },
  'a message that cannot be processed is flagged, once': ({ effects, input }) => {
    if (!has(effects, 'process')) return true;
    const flags = effects.filter((one) => one.type === 'send' && one.op === 31).length;
    return flags === (input.works === false ? 1 : 0);
  },
  'while a flagged group is joined again, its commits are not looked at': ({ from, input, effects }) =>
    from.dave.lost !== 'flagged' || input.type !== 'commit' || !has(effects, 'process'),
  'encryption ends by op 22, by transition 0, or with the session': ({ from, to, input }) => {
    if (from.dave.version === 0 || to.dave.version > 0) return true;
    return (
      input.type === 'session' ||
      (input.type === 'executeTransition' &&
        from.dave.prepared.some((one) => one.id === input.transitionId && one.version === 0)) ||
      (input.type === 'prepareTransition' && input.transitionId === 0 && input.protocolVersion === 0)
    );
  },
  'encryption begins for all at once: not before the transition is executed': ({ from, to, input, effects }) => {
    if (activityOf(from.dave) !== 'off' || activityOf(to.dave) !== 'active') return true;
    return input.type === 'timer' || has(effects, 'transition');
  },
  'a group that was there is not followed by readable frames among others': ({ from, to, input }) => {
    const before = activityOf(from.dave);
    if (before !== 'active' && before !== 'recovering') return true;
    return activityOf(to.dave) !== 'waiting' || to.dave.others.size === 0 || input.type === 'session';
  },
  'readable frames are taken only where they can be meant': ({ to: { dave, now, begunAt } }) => {
    if (!takesReadable(dave, now)) return true;
    const activity = activityOf(dave);
    const isEnding = dave.prepared.some(({ version }) => version === 0);
    return activity === 'off' || activity === 'waiting' || isEnding || now < begunAt + DAVE_RULES.retentionMs;
  },
  'what changes is told': ({ from, to, effects }) => {
    const told = effects.filter((one) => one.type === 'activity');
    const before = activityOf(from.dave);
    const after = activityOf(to.dave);
    const path = told.reduce<string>((at, one) => (one.from === at ? one.to : 'broken'), before);
    return path === after && told.every((one) => one.from !== one.to);
  },
  'a version that is not spoken is told and changes nothing': ({ from, to, input, effects }) => {
    if (!('protocolVersion' in input) || input.protocolVersion <= MAX_VERSION) return true;
    const isSame = to.dave === from.dave || input.type === 'session';
    return (
      isSame &&
      to.dave.version <= MAX_VERSION &&
      has(effects, 'problem') &&
      !has(effects, 'open') &&
      !has(effects, 'send')
    );
  },
  'whatever is waited for has a deadline': ({ to: { dave, now } }) => {
    const isWaiting = dave.prepared.length + dave.retired.length > 0 || dave.lost === 'flagged';
    const at = deadlineOf(dave);
    return !isWaiting || (at !== undefined && at <= now + DAVE_RULES.retentionMs);
  },
  'a deadline that has come is moved on': ({ to, input }) => {
    const at = deadlineOf(to.dave);
    return input.type !== 'timer' || at === undefined || at > to.now;
  },
  'there are keys only with a session, and a lost group has none': ({ to: { dave } }) =>
    !dave.ready || (dave.session !== undefined && dave.lost === undefined),
} as const satisfies Record<string, (edge: DaveEdge) => boolean>;

let deadlineOf: DaveReducer['deadline'] = () => undefined;

/** Searches everything that a voice gateway can say. */
export function exploreDave(
  make: () => DaveReducer = () => createDaveReducer(MAX_VERSION),
  maxStates = 100_000,
): { exploration: Exploration; seen: Set<string> } {
  const reducer = make();
  deadlineOf = (state) => reducer.deadline(state);
  const seen = new Set<string>();
  const exploration = explore<World, ModelInput, DaveStepEffect>({
    initial: { dave: initialDave(), now: 0, alive: [], begunAt: Number.NEGATIVE_INFINITY },
    inputs: (world) => inputsOf(world, reducer),
    step: (world, input) => advance(reducer, world, input),
    key: keyOf,
    invariant: (edge) => {
      for (const effect of edge.effects) seen.add(effect.type === 'send' ? `send ${effect.op}` : effect.type);
      return (Object.keys(INVARIANTS) as InvariantName[]).find((name) => !INVARIANTS[name](edge));
    },
    label: (input) => {
      const { type, works } = input;
      return `${type}${'transitionId' in input ? ` ${input.transitionId}` : ''}${works === false ? ' fails' : ''}`;
    },
    phase: ({ dave }) => activityOf(dave),
    maxStates,
  });
  return { exploration, seen };
}
