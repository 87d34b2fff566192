import { type Clock, createDriver, type Reducer, type Stamp } from '@guildkit/core';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it } from 'vitest';

type Input =
  | { readonly type: 'say'; readonly words: readonly string[] }
  | { readonly type: 'wake'; readonly at?: number };
interface State {
  readonly said: readonly string[];
  readonly wakeAt: number | undefined;
}

/** Says each word as an effect; `wake` sets or clears the deadline; the timer says `timer`. */
const parrot: Reducer<State, Input, string> = {
  step(state, input) {
    switch (input.type) {
      case 'say':
        return { state: { ...state, said: [...state.said, ...input.words] }, effects: input.words };
      case 'wake':
        return { state: { ...state, wakeAt: input.at }, effects: [] };
      case 'timer':
        return { state: { ...state, wakeAt: undefined }, effects: [`timer@${input.now}`] };
    }
  },
  deadline: ({ wakeAt }) => wakeAt,
};

function setUp(overrides: { clock?: Clock; run?: (effect: string) => void; reducer?: typeof parrot } = {}) {
  const clock = createVirtualClock();
  const ran: string[] = [];
  const failed: (readonly [unknown, string])[] = [];
  const driver = createDriver<State, Input, string>({
    reducer: overrides.reducer ?? parrot,
    initial: { said: [], wakeAt: undefined },
    run: (effect) => {
      ran.push(effect);
      overrides.run?.(effect);
    },
    onEffectError: (error, effect) => failed.push([error, effect]),
    clock: overrides.clock ?? clock,
    random: () => 0.25,
  });
  return { clock, ran, failed, driver };
}

const say = (...words: string[]): Input => ({ type: 'say', words });

describe('createDriver: order', () => {
  it('runs effects in order, after the state is assigned', () => {
    const states: number[] = [];
    const { driver, ran } = setUp({ run: () => states.push(driver.state.said.length) });
    driver.dispatch(say('a', 'b'));
    expect(ran).toEqual(['a', 'b']);
    expect(states).toEqual([2, 2]);
  });

  it('queues what an effect dispatches until the other effects have run', () => {
    const { driver, ran } = setUp({
      run: (effect) => {
        if (effect === 'a') {
          driver.dispatch(say('c', 'd'));
          driver.dispatch(say('e'));
        }
        if (effect === 'c') driver.dispatch(say('f'));
      },
    });
    driver.dispatch(say('a', 'b'));
    expect(ran).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(driver.state.said).toEqual(ran);
  });

  it('stamps every input with time and randomness, over what the input carried', () => {
    const stamps: Stamp[] = [];
    const clock = createVirtualClock();
    const driver = createDriver<null, object, never>({
      reducer: {
        step: (state, { now, random }) => {
          stamps.push({ now, random });
          return { state, effects: [] };
        },
        deadline: () => undefined,
      },
      initial: null,
      run: () => {},
      onEffectError: () => {},
      clock,
      random: () => 0.75,
    });
    driver.dispatch({ now: -1, random: -1 });
    clock.advanceSync(40);
    driver.dispatch({});
    expect(stamps).toEqual([
      { now: 0, random: 0.75 },
      { now: 40, random: 0.75 },
    ]);
  });

  it('reports a transition when the state differs, before its effects', () => {
    const log: string[] = [];
    const driver = createDriver<number, { readonly by: number }, string>({
      reducer: {
        step: (state, input) => ({ state: 'by' in input ? state + input.by : state, effects: ['effect'] }),
        deadline: () => undefined,
      },
      initial: 1,
      run: (effect) => log.push(effect),
      onEffectError: () => {},
      onTransition: (from, to, input) => log.push(`${from}→${to} by ${'by' in input ? input.by : 'timer'}`),
      clock: createVirtualClock(),
    });
    driver.dispatch({ by: 2 });
    driver.dispatch({ by: 0 });
    expect(log).toEqual(['1→3 by 2', 'effect', 'effect']);
  });
});

describe('createDriver: failures', () => {
  it('goes on with the remaining effects and inputs when one effect throws', () => {
    const broken = new Error('broken effect');
    const { driver, ran, failed } = setUp({
      run: (effect) => {
        if (effect === 'a') {
          driver.dispatch(say('c'));
          throw broken;
        }
      },
    });
    driver.dispatch(say('a', 'b'));
    expect(ran).toEqual(['a', 'b', 'c']);
    expect(failed).toEqual([[broken, 'a']]);
  });

  it('runs the effects of a step whose observer throws, works off the queue, then throws', () => {
    const ran: string[] = [];
    const clock = createVirtualClock();
    const driver = createDriver<State, Input, string>({
      reducer: parrot,
      initial: { said: [], wakeAt: undefined },
      run: (effect) => {
        ran.push(effect);
        if (effect === 'a') {
          driver.dispatch(say('c'));
          driver.dispatch({ type: 'wake', at: 50 });
        }
      },
      onEffectError: () => {},
      onTransition: (_from, to) => {
        if (to.said.length === 2) throw new Error('broken observer');
      },
      clock,
    });
    expect(() => driver.dispatch(say('a', 'b'))).toThrow('broken observer');
    expect(ran).toEqual(['a', 'b', 'c']);
    expect(clock.nextAt).toBe(50);
    driver.dispatch(say('d'));
    expect(ran).toEqual(['a', 'b', 'c', 'd']);
  });

  it('keeps its state when a step throws, and takes the next input', () => {
    const reducer: typeof parrot = {
      ...parrot,
      step(state, input) {
        if (input.type === 'say' && input.words[0] === 'bug') throw new Error('broken step');
        return parrot.step(state, input);
      },
    };
    const { driver, ran, clock } = setUp({ reducer });
    driver.dispatch({ type: 'wake', at: 10 });
    expect(() => driver.dispatch(say('bug'))).toThrow('broken step');
    expect(clock.pending).toBe(1);
    driver.dispatch(say('a'));
    expect(driver.state.said).toEqual(['a']);
    expect(ran).toEqual(['a']);
  });

  it('refuses a deadline that is not a number', () => {
    const { driver } = setUp();
    expect(() => driver.dispatch({ type: 'wake', at: Number.NaN })).toThrow(RangeError);
  });
});

describe('createDriver: the one timer', () => {
  it('fires at the deadline, once', () => {
    const { clock, driver, ran } = setUp();
    driver.dispatch({ type: 'wake', at: 100 });
    clock.advanceSync(99);
    expect(ran).toEqual([]);
    clock.advanceSync(1);
    expect(ran).toEqual(['timer@100']);
    clock.advanceSync(1000);
    expect(ran).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('arms from the initial state', () => {
    const clock = createVirtualClock();
    createDriver<State, Input, string>({
      reducer: parrot,
      initial: { said: [], wakeAt: 7 },
      run: () => {},
      onEffectError: () => {},
      clock,
    });
    expect(clock.nextAt).toBe(7);
  });

  it('follows a deadline that moves either way or vanishes', () => {
    const { clock, driver, ran } = setUp();
    for (const at of [100, 40, 70]) {
      driver.dispatch({ type: 'wake', at });
      expect([clock.pending, clock.nextAt]).toEqual([1, at]);
    }
    driver.dispatch({ type: 'wake' });
    expect(clock.pending).toBe(0);
    clock.advanceSync(500);
    expect(ran).toEqual([]);
  });

  it('leaves the timer alone while the deadline stays', () => {
    const clock = createVirtualClock();
    let armed = 0;
    const counting: Clock = {
      ...clock,
      setTimer(callback, ms) {
        armed += 1;
        return clock.setTimer(callback, ms);
      },
    };
    const { driver } = setUp({ clock: counting });
    driver.dispatch({ type: 'wake', at: 100 });
    for (let i = 0; i < 10; i += 1) driver.dispatch(say('a'));
    expect(armed).toBe(1);
  });

  it('takes a deadline in the past as due at once, after the queue', () => {
    const { clock, driver, ran } = setUp();
    clock.advanceSync(50);
    driver.dispatch({ type: 'wake', at: 10 });
    expect(ran).toEqual([]);
    clock.advanceSync(0);
    expect(ran).toEqual(['timer@50']);
  });

  it('waits again when a timer comes early', () => {
    const clock = createVirtualClock();
    const hasty: Clock = { ...clock, setTimer: (callback, ms) => clock.setTimer(callback, ms > 5 ? ms - 5 : ms) };
    const { driver, ran } = setUp({ clock: hasty });
    driver.dispatch({ type: 'wake', at: 100 });
    clock.advanceSync(95);
    expect(ran).toEqual([]);
    expect([clock.pending, clock.nextAt]).toEqual([1, 100]);
    clock.advanceSync(5);
    expect(ran).toEqual(['timer@100']);
  });

  it('bridges deadlines beyond what a platform timer takes', () => {
    const { clock, driver, ran } = setUp();
    const at = 3 * 2 ** 31;
    driver.dispatch({ type: 'wake', at });
    expect(clock.nextAt).toBe(2 ** 31 - 1);
    clock.advanceSync(at - 1);
    expect(ran).toEqual([]);
    clock.advanceSync(1);
    expect(ran).toEqual([`timer@${at}`]);
  });

  it('rounds a fraction up, never firing before the deadline', () => {
    const { clock, driver, ran } = setUp();
    driver.dispatch({ type: 'wake', at: 10.2 });
    clock.advanceSync(10);
    expect(ran).toEqual([]);
    clock.advanceSync(1);
    expect(ran).toEqual(['timer@11']);
  });
});

describe('createDriver: stop', () => {
  it('cancels the timer and ignores further input', () => {
    const { clock, driver, ran } = setUp();
    driver.dispatch({ type: 'wake', at: 100 });
    driver.stop();
    expect(clock.pending).toBe(0);
    driver.dispatch(say('a'));
    clock.advanceSync(1000);
    expect(ran).toEqual([]);
    expect(driver.state.said).toEqual([]);
  });

  it('called by an effect, lets the step’s other effects run and drops what is queued', () => {
    const { clock, driver, ran } = setUp({
      run: (effect) => {
        if (effect !== 'a') return;
        driver.dispatch(say('queued'));
        driver.dispatch({ type: 'wake', at: 10 });
        driver.stop();
        driver.dispatch(say('late'));
      },
    });
    driver.dispatch(say('a', 'b'));
    expect(ran).toEqual(['a', 'b']);
    expect(clock.pending).toBe(0);
  });
});
