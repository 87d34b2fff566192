/** Every rule of the connection, on every step that can be reached. */
import { explore } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';
import type { ConnectionEffect, ConnectionState } from '../../src/protocol/connection-state.js';
import { NEVER } from '../../src/protocol/room.js';
import { connectionModel, honestStep, type RULES } from '../support/connection-model.js';

type Step = typeof honestStep;
type Next = ReturnType<Step>;

const after = (change: (next: Next, ...step: Parameters<Step>) => Next): Step => {
  return (state, input) => change(honestStep(state, input), state, input);
};
const withState = (change: (to: ConnectionState, from: ConnectionState) => Partial<ConnectionState>) =>
  after(({ state, effects }, from) => ({ state: { ...state, ...change(state, from) }, effects }));
const without = (type: ConnectionEffect['type']) =>
  after(({ state, effects }) => ({ state, effects: effects.filter((effect) => effect.type !== type) }));
const hears = (code: number, as: number): Step => {
  return (state, input) =>
    honestStep(state, input.type === 'lost' && input.code === code ? { ...input, code: as } : input);
};

/** One mistake each, and the rule that must name it. */
const MUTANTS: readonly (readonly [name: string, rule: keyof typeof RULES, step: Step])[] = [
  [
    'forgets failed tries when it opens',
    'a try is forgotten by the user or by stability only',
    withState(({ phase }) => (phase === 'open' ? { attempt: 0 } : {})),
  ],
  ['counts no failed try', 'a failed try counts', withState(() => ({ attempt: 0 }))],
  ['comes back after 4403', 'what is not allowed is not tried again', hears(4403, 1006)],
  ['counts a drain as a failed try', 'a drain is no failed try', hears(4503, 1006)],
  ['goes on after a second refusal', 'a second refusal in a row ends it', withState(() => ({ refused: false }))],
  [
    'tries while offline',
    'waits for a time, or for the page to be online',
    withState(({ phase, dueAt }) => (phase === 'waiting' && dueAt === NEVER ? { dueAt: 1e12 } : {})),
  ],
  ['leaves dead sockets open', 'no socket is left open', without('hangUp')],
  [
    'listens to old sockets',
    'an old socket says nothing',
    (state, input) => honestStep(state, 'gen' in input ? { ...input, gen: state.gen } : input),
  ],
  [
    'opens before the rooms have their answers',
    'open means that every room has its answer',
    withState(({ phase }) => (phase === 'recovering' ? { phase: 'open' } : {})),
  ],
  [
    'waits for the welcome for ever',
    'a socket is never waited for without end',
    withState(({ phase }) => (phase === 'connecting' ? { dueAt: NEVER } : {})),
  ],
  [
    'waits for the answer to auth for ever',
    'a socket is never waited for without end',
    withState(({ phase }) => (phase === 'greeted' ? { dueAt: NEVER } : {})),
  ],
  [
    'does not notice silence',
    'a socket is never waited for without end',
    withState(({ phase }) => (phase === 'open' ? { dueAt: NEVER } : {})),
  ],
  [
    'keeps a timer in manual',
    'nothing ticks when nothing is under way',
    withState(({ phase }) => (phase === 'manual' ? { dueAt: 1e12 } : {})),
  ],
  [
    'keeps rooms live while waiting',
    'no room is live without a connection',
    withState(({ phase, rooms }) =>
      phase === 'waiting'
        ? { rooms: new Map([...rooms].map(([name, room]) => [name, { ...room, phase: 'live' }])) }
        : {},
    ),
  ],
];

describe('connection', () => {
  it('keeps every rule on every reachable step', { timeout: 120_000 }, () => {
    const found = explore(connectionModel());
    expect(found.violation).toBeUndefined();
    expect(found.complete).toBe(true);
    // The search has really been everywhere.
    expect(found.states).toBeGreaterThan(10_000);
    const phases = new Set(found.phaseEdges.flatMap(({ from, to }) => [from, to]));
    expect([...phases].sort()).toEqual([
      'closed',
      'connecting',
      'greeted',
      'idle',
      'manual',
      'open',
      'recovering',
      'waiting',
    ]);
  });

  it.each(MUTANTS)('catches one that %s', { timeout: 120_000 }, (_name, rule, step) => {
    expect(explore(connectionModel(step)).violation?.rule).toBe(rule);
  });
});
