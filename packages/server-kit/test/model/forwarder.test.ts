/** The forwarder: every reachable state of a small world searched, mutants that the search must catch. */
import type { Reducer, Stamp, TimerInput } from '@guildkit/core';
import { explore } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';
import { type EventFacts, factsOf, isBehind, join, newLine } from '../../src/hmac/protocol/event-facts.js';
import {
  createForwarderReducer,
  type ForwarderEffect,
  type ForwarderInput,
  type ForwarderLimits,
  type ForwarderState,
  newForwarder,
  type QueuedEvent,
} from '../../src/hmac/protocol/forwarder.js';
import { joined, left, message, moved, snapshot, typing, updated } from '../support/discord-events.js';

/** Whether the later of two events must wait for the earlier, said once more and in another way than the code does. */
function conflict(a: EventFacts, b: EventFacts): boolean {
  if (a.guildId !== b.guildId) return false;
  return a.barrier || b.barrier || a.keys.some((key) => b.keys.includes(key));
}

const LIMITS: ForwarderLimits = {
  maxQueue: 2,
  maxInFlight: 2,
  retryBaseMs: 10,
  retryCapMs: 10,
  retryForMs: 10,
  pingIntervalMs: 20,
};
/** Events that the world can offer; so many of them in one run. */
const OFFERS = {
  'u7 mutes': factsOf(updated('7', '10')),
  'u8 joins 11': factsOf(joined('8', '11')),
  'u7 moves to 11': factsOf(moved('7', '10', '11')),
  snapshot: factsOf(snapshot([])),
} as const;
const MAX_OFFERS = 3;

type Name = keyof typeof OFFERS;
type State = ForwarderState<Name>;
type Item = QueuedEvent<Name>;
type Effect = ForwarderEffect<Name>;
type Input = ForwarderInput<Name> | TimerInput;
type ForwarderReducer = Reducer<State, ForwarderInput<Name>, Effect>;
interface World {
  readonly now: number;
  readonly forwarder: State;
  readonly offered: number;
  readonly snapshots: number;
  readonly left: number;
  readonly drained: boolean;
}

const reducer: ForwarderReducer = createForwarderReducer<Name>(LIMITS);

function stepWorld(
  subject: ForwarderReducer,
  world: World,
  input: Input,
): { state: World; effects: readonly Effect[] } {
  const now = input.type === 'timer' ? Math.max(world.now, subject.deadline(world.forwarder) ?? 0) : world.now;
  const stamp: Stamp = { now, random: 0.5 };
  let { state: forwarder, effects } = subject.step(world.forwarder, { ...input, ...stamp });
  let { snapshots } = world;
  // The shell puts snapshots into the queue as soon as it is asked.
  if (effects.some(({ type }) => type === 'snapshot') && snapshots < 2) {
    snapshots += 1;
    const more = subject.step(forwarder, { type: 'event', event: 'snapshot', facts: OFFERS.snapshot, ...stamp });
    forwarder = more.state;
    effects = [...effects, ...more.effects];
  }
  const gone = effects.filter(({ type }) => type === 'drop' || type === 'done').length;
  const offered = world.offered + (input.type === 'event' ? 1 : 0);
  const drained = world.drained || input.type === 'drain';
  return { state: { now, forwarder, offered, snapshots, left: world.left + gone, drained }, effects };
}

function inputsOf(subject: ForwarderReducer, { forwarder, offered, drained }: World): readonly Input[] {
  const flying = forwarder.queue.filter(({ inFlight }) => inFlight);
  const offers: Input[] = (Object.keys(OFFERS) as Name[]).map((event) => ({
    type: 'event',
    event,
    facts: OFFERS[event],
  }));
  return [
    ...(offered < MAX_OFFERS ? offers : []),
    ...flying.flatMap<Input>(({ seq }) => [
      { type: 'delivered', seq, bootId: 'a' },
      { type: 'refused', seq, bootId: 'a' },
      { type: 'failed', seq, retryAfterMs: 0 },
    ]),
    ...(forwarder.pinging
      ? ([
          { type: 'pinged', bootId: 'b' },
          { type: 'pingFailed', retryAfterMs: 0 },
        ] as const)
      : []),
    ...(subject.deadline(forwarder) === undefined ? [] : ([{ type: 'timer' }] as const)),
    ...(drained ? [] : ([{ type: 'drain', withinMs: 10 }] as const)),
  ];
}

const relative = (time: number, now: number): number => Math.max(0, Math.min(30, time - now));

function keyOf({ now, forwarder, offered, snapshots, drained }: World): string {
  const { phase, queue, failures, retryAt, bootId, snapshotDue, pingAt, pinging, drainBy } = forwarder;
  const items = queue.map(({ event, inFlight, attempts, notBefore, acceptedAt }) => [
    event,
    inFlight,
    Math.min(attempts, 2),
    relative(notBefore, now),
    Math.min(now - acceptedAt, LIMITS.retryForMs),
  ]);
  const times = [relative(retryAt, now), relative(pingAt, now), relative(drainBy ?? now, now)];
  return JSON.stringify([
    phase,
    items,
    Math.min(failures, 2),
    bootId,
    snapshotDue,
    pinging,
    times,
    offered,
    snapshots,
    drained,
  ]);
}

const inFlight = ({ queue }: State): readonly Item[] => queue.filter((item) => item.inFlight);

function brokenRule(
  subject: ForwarderReducer,
  from: World,
  input: Input,
  to: World,
  effects: readonly Effect[],
): string | undefined {
  const { forwarder } = to;
  const { queue } = forwarder;
  const posts = effects.flatMap((effect) => (effect.type === 'post' ? [effect.item] : []));
  const drops = effects.flatMap((effect) => (effect.type === 'drop' ? [effect] : []));
  for (const [index, item] of queue.entries()) {
    const earlier = queue.slice(0, index);
    if (item.inFlight && earlier.some((other) => conflict(other.facts, item.facts))) return 'nothing overtakes';
  }
  if (queue.some((item, index) => index > 0 && item.seq <= (queue[index - 1] as Item).seq))
    return 'the queue is in order';
  if (queue.length > LIMITS.maxQueue) return 'the queue is bounded';
  if (inFlight(forwarder).length > LIMITS.maxInFlight) return 'what is on its way is bounded';
  if (forwarder.seq !== queue.length + to.left) return 'every event is delivered, dropped or waiting';
  if (posts.some(({ seq }) => from.forwarder.queue.some((item) => item.seq === seq && item.inFlight)))
    return 'one attempt at a time';
  if (posts.some(({ notBefore }) => notBefore > to.now)) return 'an attempt waits for its time';
  if (posts.length > 0 && forwarder.failures > 0 && inFlight(forwarder).length > 1) return 'one tries the way for all';
  if (posts.length > 0 && forwarder.retryAt > to.now) return 'nothing is sent while the receiver rests';
  const lost = drops.some(
    ({ item, cause }) =>
      item.facts.heals && cause !== 'coalesced' && cause !== 'closed' && !(cause === 'refused' && item.facts.barrier),
  );
  const healing = forwarder.snapshotDue || effects.some(({ type }) => type === 'snapshot');
  if (lost && !healing) return 'what was lost is healed by a snapshot';
  const reboots = 'bootId' in input && from.forwarder.bootId !== undefined && input.bootId !== from.forwarder.bootId;
  if (reboots && forwarder.phase === 'running' && !healing) return 'a new process gets a snapshot';
  const coalesced = drops.filter(({ cause }) => cause === 'coalesced');
  if (coalesced.some(({ item }) => !sameLater(item, queue))) return 'only what is said again is coalesced';
  if (input.type === 'failed' && posts.some(({ seq }) => seq === input.seq)) return 'no try follows a failure at once';
  const wakes = subject.deadline(forwarder);
  if (forwarder.phase === 'stopped') {
    if (queue.length > 0 || wakes !== undefined) return 'stopped is over';
    return from.forwarder.phase !== 'stopped' && !effects.some(({ type }) => type === 'stopped')
      ? 'the end is told'
      : undefined;
  }
  if (wakes !== undefined && wakes <= to.now) return 'time moves on';
  const waitsForAnswer = inFlight(forwarder).length > 0 || forwarder.pinging;
  if (wakes === undefined && !waitsForAnswer) return 'someone moves next';
  if (to.drained && forwarder.drainBy === undefined) return 'a drain ends';
  return undefined;
}

/** Whether a later event of the same subject is there and nothing about that subject stands between. */
function sameLater({ seq, facts }: Item, queue: readonly Item[]): boolean {
  const next = queue.find((other) => other.seq > seq && other.facts.subject === facts.subject);
  return next?.facts.coalescible === true;
}

function search(subject: ForwarderReducer) {
  return explore<World, Input, Effect>({
    initial: { now: 0, forwarder: newForwarder<Name>(0), offered: 0, snapshots: 0, left: 0, drained: false },
    inputs: (world) => inputsOf(subject, world),
    step: (world, input) => stepWorld(subject, world, input),
    key: keyOf,
    invariant: ({ from, input, to, effects }) => brokenRule(subject, from, input, to, effects),
    label: (input) => ('event' in input ? input.event : 'seq' in input ? `${input.type} ${input.seq}` : input.type),
    phase: ({ forwarder }) => forwarder.phase,
    maxStates: 400_000,
  });
}

type Bend = (
  from: State,
  input: Parameters<ForwarderReducer['step']>[1],
  step: ReturnType<ForwarderReducer['step']>,
) => ReturnType<ForwarderReducer['step']>;

const mutant = (bend: Bend): ForwarderReducer => ({
  deadline: reducer.deadline,
  step: (state, input) => bend(state, input, reducer.step(state, input)),
});
const noFacts = (facts: EventFacts): EventFacts => ({ ...facts, keys: [], barrier: false });

const MUTANTS: Record<string, ForwarderReducer> = {
  'order is ignored': {
    deadline: reducer.deadline,
    step(state, input) {
      // The real rules on events that share nothing; the facts are put back afterwards.
      const bare = { ...state, queue: state.queue.map((item) => ({ ...item, facts: noFacts(item.facts) })) };
      const real = new Map(state.queue.map((item) => [item.seq, item.facts]));
      const step = reducer.step(bare, input.type === 'event' ? { ...input, facts: noFacts(input.facts) } : input);
      const restore = (item: Item): Item => ({ ...item, facts: real.get(item.seq) ?? OFFERS[item.event] });
      return {
        state: { ...step.state, queue: step.state.queue.map(restore) },
        effects: step.effects.map((effect) => ('item' in effect ? { ...effect, item: restore(effect.item) } : effect)),
      };
    },
  },
  'a drop is not told': mutant((_, __, { state, effects }) => ({
    state,
    effects: effects.filter((effect) => effect.type !== 'drop' || effect.cause !== 'queueFull'),
  })),
  'a lost event is not healed': mutant((from, input, { state, effects }) =>
    input.type === 'refused'
      ? {
          state: { ...state, snapshotDue: from.snapshotDue },
          effects: effects.filter(({ type }) => type !== 'snapshot'),
        }
      : { state, effects },
  ),
  'a new process goes unnoticed': mutant((from, input, { state, effects }) =>
    input.type === 'pinged'
      ? {
          state: { ...state, snapshotDue: from.snapshotDue },
          effects: effects.filter(({ type }) => type !== 'snapshot'),
        }
      : { state, effects },
  ),
  'a retry does not wait': mutant((_, input, { state, effects }) => {
    if (input.type !== 'failed') return { state, effects };
    const queue = state.queue.map((item) =>
      item.seq === input.seq ? { ...item, inFlight: true, notBefore: 0 } : item,
    );
    const item = queue.find(({ seq }) => seq === input.seq);
    return { state: { ...state, queue }, effects: item === undefined ? effects : [...effects, { type: 'post', item }] };
  }),
  'everything goes out after a failure': {
    deadline: reducer.deadline,
    step(state, input) {
      const { state: next, effects } = reducer.step({ ...state, failures: 0 }, input);
      return { state: { ...next, failures: input.type === 'timer' ? state.failures : next.failures }, effects };
    },
  },
  'a rest is not kept': mutant((_, __, { state, effects }) => {
    const item = state.queue.find((other) => !other.inFlight);
    if (item === undefined || state.retryAt <= 0 || inFlight(state).length > 0 || state.failures === 0)
      return { state, effects };
    const started = { ...item, inFlight: true };
    return {
      state: { ...state, queue: state.queue.map((other) => (other === item ? started : other)) },
      effects: [...effects, { type: 'post', item: started }],
    };
  }),
  'a late answer counts again': mutant((from, input, { state, effects }) =>
    input.type === 'delivered' && from.queue.every(({ inFlight: flies }) => !flies)
      ? { state, effects: [...effects, { type: 'ping' }] }
      : { state: { ...state, seq: input.type === 'delivered' ? state.seq + 1 : state.seq }, effects },
  ),
  'coalesced over another event': {
    deadline: reducer.deadline,
    step(state, input) {
      if (input.type !== 'event' || state.phase !== 'running') return reducer.step(state, input);
      const victim = state.queue.find(
        (item) => !item.inFlight && item.facts.coalescible && item.facts.subject === input.facts.subject,
      );
      if (victim === undefined) return reducer.step(state, input);
      const { state: next, effects } = reducer.step(
        { ...state, queue: state.queue.filter((item) => item !== victim) },
        input,
      );
      return { state: next, effects: [{ type: 'drop', item: victim, cause: 'coalesced' }, ...effects] };
    },
  },
  'the drain has no end': mutant((_, input, { state, effects }) =>
    input.type === 'drain' && state.phase === 'draining'
      ? { state: { ...state, drainBy: undefined }, effects }
      : { state, effects },
  ),
  'the end is not told': mutant((_, __, { state, effects }) => ({
    state,
    effects: effects.filter(({ type }) => type !== 'stopped'),
  })),
  'the deadline is forgotten': { step: reducer.step, deadline: ({ drainBy }) => drainBy },
};

describe('exhaustive search', () => {
  it('finds every rule kept in every reachable state', () => {
    const found = search(reducer);
    expect(found.violation).toBeUndefined();
    expect(found.complete).toBe(true);
    expect(found.states).toBeGreaterThan(5_000);
    expect(found.phaseEdges.map(({ from, to }) => `${from} → ${to}`).sort()).toEqual(
      expect.arrayContaining(['draining → stopped', 'running → draining', 'running → stopped']),
    );
  });

  it.each(Object.keys(MUTANTS))('catches the mutant: %s', (name) => {
    expect(search(MUTANTS[name] as ForwarderReducer).violation).toBeDefined();
  });
});

describe('facts of events', () => {
  it('lets nothing of one room or person overtake', () => {
    const pairs: [Parameters<typeof factsOf>[0], Parameters<typeof factsOf>[0], boolean][] = [
      [joined('7', '10'), joined('8', '10'), true],
      [joined('7', '10'), left('7', null), true],
      [joined('7', '10'), joined('8', '11'), false],
      [moved('7', '10', '11'), joined('8', '10'), true],
      [snapshot([]), message('1', '10'), true],
      [snapshot([], [], '2'), message('1', '10'), false],
      [message('1', '10'), typing('7', '10'), true],
      [message('1', '10'), message('2', '11'), false],
    ];
    for (const [a, b, expected] of pairs) {
      for (const [first, second] of [
        [factsOf(a), factsOf(b)],
        [factsOf(b), factsOf(a)],
      ] as const) {
        const line = newLine();
        expect(isBehind(line, second)).toBe(false);
        join(line, first);
        expect([isBehind(line, second), conflict(first, second)]).toEqual([expected, expected]);
      }
    }
  });
});
