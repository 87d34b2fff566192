/** The life of the media socket, searched to a fixpoint, with named mistakes. */
import { explore } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';
import {
  IDLE_LINK,
  type LinkEffect,
  type LinkInput,
  type LinkState,
  linkReducer,
} from '../../src/media/protocol/link.js';

type Machine = ReturnType<typeof linkReducer>;
type Input = LinkInput | { readonly type: 'timer' };

interface World {
  readonly link: LinkState;
  readonly now: number;
  /** The socket that the shell holds. */
  readonly socket: number | undefined;
  /** Tries since somebody asked for one. */
  readonly tries: number;
  readonly refusals: number;
}

const TIMEOUT = 10_000;

function inputsOf({ socket, link }: World): readonly Input[] {
  const inputs: Input[] = [{ type: 'connect' }, { type: 'close' }, { type: 'online' }, { type: 'timer' }];
  for (const gen of [socket ?? -1, link.gen - 1]) {
    inputs.push({ type: 'opened', gen }, { type: 'ready', gen });
    for (const code of [1006, 4400, 4401, 4403, 4429]) inputs.push({ type: 'lost', gen, code, reason: `${code}` });
  }
  return inputs;
}

function advance(machine: Machine, world: World, input: Input) {
  const now = input.type === 'timer' ? Math.max(world.now, world.link.dueAt ?? world.now) : world.now;
  const { state: link, effects } = machine.step(world.link, { ...input, now, random: 0.5 });
  let { socket } = world;
  const isCurrent = 'gen' in input && input.gen === socket;
  if (isCurrent && input.type === 'lost') socket = undefined;
  for (const effect of effects) {
    if (effect.type === 'hangUp') socket = undefined;
    if (effect.type === 'dial') socket = effect.gen;
  }
  const refusals =
    input.type === 'connect' || input.type === 'ready'
      ? 0
      : world.refusals + Number(isCurrent && input.type === 'lost' && input.code === 4401);
  return { world: { link, now, socket, tries: 0, refusals }, effects };
}

function broken(machine: Machine, from: World, input: Input, to: World, effects: readonly LinkEffect[]) {
  const { status, gen } = to.link;
  const isStale = 'gen' in input && input.gen !== from.socket;
  if (isStale && (effects.length > 0 || to.link !== from.link)) return 'a socket of before says nothing';
  const dials = effects.filter(({ type }) => type === 'dial');
  if (
    dials.length > 0 &&
    from.socket !== undefined &&
    !(input.type === 'lost') &&
    !effects.some(({ type }) => type === 'hangUp')
  ) {
    return 'one socket at a time';
  }
  if (dials.length > 1) return 'one try at a time';
  if ((status === 'connecting' || status === 'open') !== (to.socket !== undefined))
    return 'a socket as long as it is wanted';
  if (to.socket !== undefined && to.socket !== gen) return 'the socket is the current one';
  const due = machine.deadline(to.link);
  if ((status === 'connecting' || status === 'waiting') && due === undefined)
    return 'every waiting phase has a deadline';
  if ((status === 'closed' || status === 'idle') && due !== undefined) return 'an end has no timer';
  if (input.type === 'timer' && due !== undefined && due <= to.now) return 'a deadline moves on';
  if (status === 'open' && from.link.status !== 'open' && input.type !== 'ready')
    return 'open when the app has said so';
  if (input.type === 'lost' && !isStale && (input.code === 4400 || input.code === 4403) && status !== 'closed')
    return 'a refusal is final';
  if (to.refusals >= 2 && status !== 'closed') return 'two refused tokens end it';
  if (to.link.attempt > 0 && status === 'open') return 'a success forgets the failures';
  return undefined;
}

const search = (machine: Machine) =>
  explore<World, Input, LinkEffect>({
    initial: { link: IDLE_LINK, now: 0, socket: undefined, tries: 0, refusals: 0 },
    inputs: inputsOf,
    step(state, input) {
      const { world, effects } = advance(machine, state, input);
      return { state: world, effects };
    },
    key: ({ link: { status, attempt, refused, dueAt, gen }, now, socket, refusals }) =>
      JSON.stringify([
        status,
        Math.min(attempt, 3),
        refused,
        dueAt === undefined ? undefined : dueAt - now,
        socket === gen,
        refusals,
      ]),
    invariant: ({ from, input, to, effects }) => broken(machine, from, input, to, effects),
    label: (input) => input.type,
    phase: ({ link }) => link.status,
  });

const honest = linkReducer(TIMEOUT);
type Step = Machine['step'];
const wrap = (step: (honest: Step) => Step): Machine => ({ ...honest, step: step(honest.step) });
const patch = (map: (state: LinkState) => LinkState): Machine =>
  wrap((step) => (state, input) => {
    const next = step(state, input);
    return { ...next, state: map(next.state) };
  });

const MUTANTS: Readonly<Record<string, Machine>> = {
  'listens to old sockets': wrap(
    (step) => (state, input) => step(state, 'gen' in input ? { ...input, gen: state.gen } : input),
  ),
  'waits for ever': patch((state) => ({ ...state, dueAt: undefined })),
  'dials while it has a socket': wrap(
    (step) => (state, input) => step(input.type === 'connect' ? { ...state, status: 'idle' } : state, input),
  ),
  'never stops asking for tokens': patch((state) => ({ ...state, refused: false })),
  'comes back after a refusal': wrap(
    (step) => (state, input) =>
      step(state, input.type === 'lost' && input.code === 4403 ? { ...input, code: 1006 } : input),
  ),
  'leaves its socket behind': wrap((step) => (state, input) => {
    const next = step(state, input);
    return { ...next, effects: next.effects.filter(({ type }) => type !== 'hangUp') };
  }),
  'counts on after a success': patch((state) => (state.status === 'open' ? { ...state, attempt: 1 } : state)),
  'is open before it is let in': wrap(
    (step) => (state, input) => step(state, input.type === 'opened' ? { ...input, type: 'ready' } : input),
  ),
  'keeps a timer at the end': patch((state) => (state.status === 'closed' ? { ...state, dueAt: 1 } : state)),
};

describe('the media link', () => {
  it('keeps its promises in every state', () => {
    const { violation, complete, states } = search(honest);
    expect(violation).toBeUndefined();
    expect(complete).toBe(true);
    expect(states).toBeGreaterThan(15);
  });

  it.each(Object.keys(MUTANTS))('a link that %s is caught', (name) => {
    expect(search(MUTANTS[name] as Machine).violation).toBeDefined();
  });
});
