/** Every interleaving of requests, latencies and ticks against a Discord that counts, and mutants of the reducer. */
import { explore } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { stepWindow, type WindowState } from '../../src/protocol/window.js';
import { type Counting, createWindowModel, REAL, type Reducer } from '../support/window-model.js';

const COUNTINGS: readonly Counting[] = ['fixed', 'sliding'];

describe('window', () => {
  test.each(COUNTINGS.flatMap((counting) => [1, 2, 3].map((limit) => ({ counting, limit }))))(
    '$counting counting, limit $limit: no schedule exceeds it, breaks the order or strands a request',
    (server) => {
      const found = explore(createWindowModel({ ...server, requests: server.limit === 3 ? 4 : 5 }));
      expect(found.violation).toBeUndefined();
      expect(found.complete).toBe(true);
      expect(found.states).toBeGreaterThan(300);
    },
  );

  test.each(COUNTINGS)('%s counting: lost answers and another process strand nobody', (counting) => {
    const found = explore(createWindowModel({ counting, limit: 2, requests: 3, foreign: 2, losses: true }));
    expect(found.violation).toBeUndefined();
    expect(found.complete).toBe(true);
  });

  test('what another process used is known from the first answer on', () => {
    const found = explore(
      createWindowModel({ counting: 'fixed', limit: 2, requests: 5, foreign: 1, foreignFirst: true }),
    );
    expect(found.violation).toBeUndefined();
    expect(found.complete).toBe(true);
  });
});

/** Each is the reducer with one rule broken; `caughtBy` is the rule that must notice, `counting` where it matters. */
const MUTANTS: readonly { name: string; counting: Counting; caughtBy: RegExp; reducer: Reducer }[] = [
  {
    name: 'frees the slot when the answer comes',
    counting: 'sliding',
    caughtBy: /full window/,
    reducer: {
      ...REAL,
      step: (state, input) => stepWindow(state, input.type === 'settle' ? { ...input, spent: false } : input),
    },
  },
  {
    name: 'does not look at what remains',
    counting: 'fixed',
    caughtBy: /full window/,
    reducer: {
      ...REAL,
      step: (state, input) =>
        stepWindow(
          state,
          input.type === 'settle' && typeof input.observed === 'object'
            ? { ...input, observed: { ...input.observed, remaining: input.observed.limit - 1 } }
            : input,
        ),
    },
  },
  {
    name: 'counts the window from the start of the request',
    counting: 'sliding',
    caughtBy: /full window/,
    reducer: {
      ...REAL,
      step: (state, input) =>
        mend(stepWindow(state, input), ({ held: { tail, ...held } }) => ({
          held: { ...held, tail: tail && { ...tail, until: Math.min(tail.until, input.now + 500) } },
        })),
    },
  },
  {
    name: 'sends all while the limit is unknown',
    counting: 'fixed',
    caughtBy: /probed by one|full window/,
    reducer: {
      ...REAL,
      step: (state, input) => {
        const { limit } = state;
        const after = stepWindow({ ...state, limit: limit ?? 99 }, input);
        return limit === undefined && after.state.limit === 99 ? mend(after, { limit: undefined }) : after;
      },
    },
  },
  {
    name: 'starts the newest first',
    counting: 'fixed',
    caughtBy: /order/,
    reducer: {
      ...REAL,
      step: (state, input) => stepWindow(state, input.type === 'enqueue' ? { ...input, id: 100 - input.id } : input),
    },
  },
  {
    name: 'never wakes up',
    counting: 'fixed',
    caughtBy: /stranded/,
    reducer: { ...REAL, deadline: () => undefined },
  },
  {
    name: 'forgets that a lost request has ended',
    counting: 'fixed',
    caughtBy: /in flight/,
    reducer: {
      ...REAL,
      step: (state, input) =>
        input.type === 'settle' && input.observed === undefined ? { state, effects: [] } : stepWindow(state, input),
    },
  },
  {
    name: 'keeps who has left in the line',
    counting: 'fixed',
    caughtBy: /has left/,
    reducer: {
      ...REAL,
      step: (state, input) => (input.type === 'leave' ? { state, effects: [] } : stepWindow(state, input)),
    },
  },
];

describe('mutants', () => {
  test.each(MUTANTS)('one that $name is caught', ({ counting, caughtBy, reducer }) => {
    const model = { counting, limit: 2, requests: 4, reducer, losses: true };
    const found = [{}, { foreign: 1, foreignFirst: true, losses: false }].map((more) =>
      explore(createWindowModel({ ...model, ...more })),
    );
    expect(found.map(({ violation }) => violation?.rule).join()).toMatch(caughtBy);
  });
});

function mend<E>(
  { state, effects }: { readonly state: WindowState; readonly effects: readonly E[] },
  patch: Partial<WindowState> | ((state: WindowState) => Partial<WindowState>),
): { readonly state: WindowState; readonly effects: readonly E[] } {
  return { state: { ...state, ...(typeof patch === 'function' ? patch(state) : patch) }, effects };
}
