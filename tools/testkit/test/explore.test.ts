import { explore, type Model, toMermaid } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';

/** A lamp with a counter of presses: `off → on → off`, broken after `limit` presses. */
function lamp(limit: number, broken?: (to: number) => boolean): Model<number, 'press' | 'wait', string> {
  return {
    initial: 0,
    inputs: () => ['press', 'wait'],
    step: (state, input) =>
      input === 'press' && state < limit
        ? { state: state + 1, effects: [`press ${state + 1}`] }
        : { state, effects: [] },
    key: String,
    invariant: ({ to }) => (broken?.(to) === true ? 'broken' : undefined),
    label: (input) => input,
    phase: (state) => (state % 2 === 0 ? 'off' : 'on'),
  };
}

describe('explore', () => {
  it('reaches every state and says that it is done', () => {
    expect(explore(lamp(4))).toMatchObject({ violation: undefined, complete: true, states: 5, transitions: 10 });
  });

  it('finds a broken rule by the shortest path', () => {
    const { violation, complete } = explore(lamp(10, (to) => to === 3));
    expect(violation).toEqual({ rule: 'broken', path: ['press', 'press', 'press'] });
    expect(complete).toBe(false);
  });

  it('checks the edges that lead to known states, too', () => {
    const model: Model<number, 'press' | 'wait', string> = {
      ...lamp(1),
      invariant: ({ from, to, input }) => (from === to && input === 'wait' && from === 1 ? 'idle' : undefined),
    };
    expect(explore(model).violation).toEqual({ rule: 'idle', path: ['press', 'wait'] });
  });

  it('shows the rule its effects', () => {
    const effects: string[] = [];
    explore({
      ...lamp(2),
      invariant: (edge) => {
        effects.push(...edge.effects);
        return undefined;
      },
    });
    expect(effects).toEqual(['press 1', 'press 2']);
  });

  it('folds states with the same key', () => {
    expect(explore({ ...lamp(100), key: (state) => String(state % 3) })).toMatchObject({ complete: true, states: 3 });
  });

  it('does not claim to be done when it gave up', () => {
    const { complete, states } = explore({ ...lamp(1000), maxStates: 10 });
    expect(complete).toBe(false);
    expect(states).toBeGreaterThanOrEqual(10);
  });
});

describe('toMermaid', () => {
  it('draws each arrow once with its labels', () => {
    expect(toMermaid(explore(lamp(4)))).toBe(
      ['stateDiagram-v2', '  off --> on: press', '  on --> off: press'].join('\n'),
    );
  });
});
