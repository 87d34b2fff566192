/** The command queue beside a hub that loses connections and answers: searched to a fixpoint, with named mistakes. */
import { explore } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';
import {
  type CommandQueueEffect,
  type CommandQueueInput,
  type CommandQueueState,
  commandQueueReducer,
  NO_COMMANDS,
} from '../../src/protocol/command-queue.js';

type Machine = ReturnType<typeof commandQueueReducer>;
type Input = CommandQueueInput | { readonly type: 'timer' };

/** What the world knows besides the queue. */
interface World {
  readonly queue: CommandQueueState;
  readonly now: number;
  readonly connected: boolean;
  /** What became of each id: how often it was called and settled, whether it lies with the hub, was done there. */
  readonly fates: Readonly<Record<string, Fate>>;
}
interface Fate {
  readonly called: number;
  readonly settled: number;
  readonly underWay: boolean;
  readonly done: boolean;
}

const IDS = ['a', 'b', 'c'];
const MAX = 2;
const PATIENCE = 2;
const UNCALLED: Fate = { called: 0, settled: 0, underWay: false, done: false };

function inputsOf(world: World): readonly Input[] {
  const inputs: Input[] = [{ type: 'timer' }, { type: 'closed' }];
  inputs.push(world.connected ? { type: 'lost' } : { type: 'opened' });
  for (const id of IDS) {
    const fate = world.fates[id] ?? UNCALLED;
    if (fate.called === 0) inputs.push({ type: 'call', id, name: 'n', input: id, forMs: PATIENCE });
    if (fate.called > 0) inputs.push({ type: 'abort', id });
    if (world.connected && fate.underWay) {
      inputs.push({ type: 'answered', id, ok: true, payload: id }, { type: 'answered', id, ok: false, payload: id });
    }
  }
  // An answer to what was never asked.
  inputs.push({ type: 'answered', id: 'x', ok: true, payload: 'x' });
  return inputs;
}

function advance(
  machine: Machine,
  world: World,
  input: Input,
): { world: World; effects: readonly CommandQueueEffect[] } {
  const now = input.type === 'timer' ? world.now + 1 : world.now;
  const { state: queue, effects } = machine.step(world.queue, { ...input, now, random: 0 });
  const fates = { ...world.fates };
  const change = (id: string, part: Partial<Fate>): void => {
    fates[id] = { ...(fates[id] ?? UNCALLED), ...part };
  };
  if (input.type === 'call') change(input.id, { called: 1 });
  if (input.type === 'answered' && input.id !== 'x') change(input.id, { underWay: false, done: true });
  const isGone = input.type === 'lost' || input.type === 'closed';
  if (isGone) for (const id of IDS) if (fates[id]?.underWay) change(id, { underWay: false });
  for (const effect of effects) {
    if (effect.type === 'send') change(effect.frame.id, { underWay: true });
    else change(effect.id, { settled: (fates[effect.id]?.settled ?? 0) + 1 });
  }
  const connected = input.type === 'opened' || (world.connected && !isGone);
  return { world: { queue, now, connected, fates }, effects };
}

function broken(machine: Machine, from: World, input: Input, to: World, effects: readonly CommandQueueEffect[]) {
  const { queue, fates } = to;
  if (queue.pending.size > MAX) return 'the queue is bounded';
  if (effects.some((each) => each.type === 'send') && !to.connected) return 'nothing is sent without a connection';
  if (input.type === 'closed' && queue.pending.size > 0) return 'closing leaves nothing behind';
  if (queue.pending.size > 0 && machine.deadline(queue) === undefined) return 'every command has a deadline';
  for (const [id, { called, settled, underWay }] of Object.entries(fates)) {
    if (settled > called) return 'a command settles once';
    if (called > settled !== queue.pending.has(id)) return 'what waits is what has not settled';
    if (to.connected && queue.pending.has(id) && !underWay) return 'what waits was sent on this connection';
  }
  for (const [id, { by, frame }] of queue.pending) {
    if (frame.payload.input !== id) return 'a command keeps its input';
    if (to.now >= by && input.type === 'timer') return 'no command outlives its patience';
  }
  for (const effect of effects) {
    if (effect.type !== 'settle') continue;
    const { outcome, id } = effect;
    if ('id' in input && input.id !== id) return 'one command ends by itself';
    const by = from.queue.pending.get(id)?.by ?? 0;
    if (outcome.type === 'timeout' && to.now < by) return 'patience lasts as long as it was asked for';
    const claimsUnsent = 'sent' in outcome && !outcome.sent;
    const known = from.fates[id];
    if (claimsUnsent && (known?.underWay || known?.done || sentBefore(from, id))) return 'what was sent may be done';
    if (outcome.type === 'done' && input.type === 'answered' && !input.ok) return 'a refusal is no success';
    if (outcome.type === 'done' && input.type !== 'answered') return 'only an answer says that it is done';
  }
  return undefined;
}

const sentBefore = (world: World, id: string): boolean => world.queue.pending.get(id)?.sent === true;

function search(machine: Machine) {
  return explore<World, Input, CommandQueueEffect>({
    initial: { queue: NO_COMMANDS, now: 0, connected: false, fates: {} },
    inputs: inputsOf,
    step(state, input) {
      const { world, effects } = advance(machine, state, input);
      return { state: world, effects };
    },
    key: ({ queue, now, connected, fates }) =>
      JSON.stringify([
        queue.open,
        connected,
        fates,
        [...queue.pending].map(([id, { by, sent }]) => [id, Math.max(0, by - now), sent]),
      ]),
    invariant: ({ from, input, to, effects }) => broken(machine, from, input, to, effects),
    label: (input) => ('id' in input ? `${input.type} ${input.id}` : input.type),
    phase: ({ connected }) => (connected ? 'open' : 'waiting'),
  });
}

const honest = commandQueueReducer(MAX);
type Step = Machine['step'];
const wrap = (step: (honest: Step) => Step): Machine => ({ ...honest, step: step(honest.step) });

const MUTANTS: Readonly<Record<string, Machine>> = {
  'holds more than it may': commandQueueReducer(MAX + 1),
  'sends nothing again': wrap((step) => (state, input) => {
    const next = step(state, input);
    return input.type === 'opened' ? { ...next, effects: [] } : next;
  }),
  'sends while there is no connection': wrap(
    (step) => (state, input) => step(input.type === 'call' ? { ...state, open: true } : state, input),
  ),
  'forgets that it has sent': wrap((step) => (state, input) => {
    const next = step(state, input);
    const pending = new Map([...next.state.pending].map(([id, each]) => [id, { ...each, sent: false }]));
    return { ...next, state: { ...next.state, pending } };
  }),
  'takes a refusal for a success': wrap(
    (step) => (state, input) => step(state, input.type === 'answered' ? { ...input, ok: true } : input),
  ),
  'settles and keeps': wrap((step) => (state, input) => {
    const next = step(state, input);
    return input.type === 'answered' ? { ...next, state } : next;
  }),
  'aborts all for one': wrap(
    (step) => (state, input) =>
      step(state, input.type === 'abort' ? { type: 'closed', now: input.now, random: 0 } : input),
  ),
  'leaves what waits when it is closed': wrap(
    (step) => (state, input) => step(state, input.type === 'closed' ? { ...input, type: 'lost' } : input),
  ),
  'never gives up': wrap(
    (step) => (state, input) => (input.type === 'timer' ? { state, effects: [] } : step(state, input)),
  ),
  'gives up too early': wrap(
    (step) => (state, input) => step(state, input.type === 'timer' ? { ...input, now: input.now + 1 } : input),
  ),
  'has no deadline': { ...honest, deadline: () => undefined },
};

describe('the command queue', () => {
  it('keeps its promises in every state', () => {
    const { violation, complete, states } = search(honest);
    expect(violation).toBeUndefined();
    expect(complete).toBe(true);
    expect(states).toBeGreaterThan(500);
  });

  it.each(Object.keys(MUTANTS))('a queue that %s is caught', (name) => {
    expect(search(MUTANTS[name] as Machine).violation).toBeDefined();
  });
});
