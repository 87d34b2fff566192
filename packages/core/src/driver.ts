/**
 * Owns the loop around a pure reducer: assigns the state, runs the effects in order, re-arms one timer from
 * `deadline()`. Refuses re-entry: an input that arrives while effects run waits its turn.
 */
import { type Clock, systemClock } from './clock.js';

/** What one step of a reducer returns. */
export interface Transition<State, Effect> {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** What the driver adds to every input: the only time and randomness a reducer sees. */
export interface Stamp {
  /** `clock.now()` when the input is taken up, in ms. */
  readonly now: number;
  /** A fresh number in `[0, 1)`. */
  readonly random: number;
}

/** The input that the driver makes itself when the deadline has come. */
export interface TimerInput {
  readonly type: 'timer';
}

/** A pure state machine. */
export interface Reducer<State, Input, Effect> {
  /** The next state and what is to be done. Pure: the same arguments always give the same answer. */
  step(state: State, input: (Input | TimerInput) & Stamp): Transition<State, Effect>;
  /**
   * When the machine wants the `timer` input, on the clock's scale; `undefined` for never. A deadline that has
   * passed fires at once, so `step` must move it on.
   */
  deadline(state: State): number | undefined;
}

/** Settings of {@link createDriver}. */
export interface DriverOptions<State, Input, Effect> {
  readonly reducer: Reducer<State, Input, Effect>;
  readonly initial: State;
  /** Carries out one effect. May call `dispatch`: the input is queued. */
  run(effect: Effect): void;
  /** Called when `run` throws; the remaining effects still run. Must not throw itself. */
  onEffectError(error: unknown, effect: Effect): void;
  /** Called after each step whose state differs, before its effects run. */
  onTransition?: ((from: State, to: State, input: (Input | TimerInput) & Stamp) => void) | undefined;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock | undefined;
  /** Gives numbers in `[0, 1)`. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
}

/** A running state machine. */
export interface Driver<State, Input> {
  readonly state: State;
  /**
   * Takes an input, or queues it when another is being taken.
   *
   * @throws What `step`, `deadline`, `onTransition` or `onEffectError` threw: a bug of theirs. The queue is worked off and
   * the timer armed before it leaves.
   */
  dispatch(input: Input): void;
  /** Cancels the timer and ignores all further input. Effects of the step under way still run. */
  stop(): void;
}

/** The longest delay a platform timer takes; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Runs a reducer. */
export function createDriver<State, Input extends object, Effect>(
  options: DriverOptions<State, Input, Effect>,
): Driver<State, Input> {
  const { reducer, run, onEffectError, onTransition, clock = systemClock, random = Math.random } = options;
  /** Its first input is the one being taken. */
  const inbox: (Input | TimerInput)[] = [];
  let state = options.initial;
  let timer: unknown;
  let timerAt: number | undefined;
  let stopped = false;

  function arm(): void {
    const at = stopped ? undefined : reducer.deadline(state);
    if (at === timerAt) return;
    clock.clearTimer(timer);
    timerAt = undefined;
    if (at === undefined) return;
    // It would fire at once, for ever, and never be due.
    if (Number.isNaN(at)) throw new RangeError('NaN deadline');
    const onTimer = (): void => {
      timerAt = undefined;
      // A platform timer may fire early by a rounding, or have been cut to MAX_TIMER_MS: then only re-arm.
      if (clock.now() >= at) dispatch({ type: 'timer' });
      else arm();
    };
    const delayMs = Math.min(Math.max(0, Math.ceil(at - clock.now())), MAX_TIMER_MS);
    timer = clock.setTimer(onTimer, delayMs);
    timerAt = at;
  }

  function take(input: Input | TimerInput): void {
    const from = state;
    const stamped = { ...input, now: clock.now(), random: random() };
    const { state: to, effects } = reducer.step(from, stamped);
    state = to;
    try {
      if (to !== from) onTransition?.(from, to, stamped);
    } finally {
      for (const effect of effects) {
        try {
          run(effect);
        } catch (error) {
          onEffectError(error, effect);
        }
      }
    }
  }

  function dispatch(input: Input | TimerInput): void {
    if (stopped || inbox.push(input) > 1) return;
    const bugs: unknown[] = [];
    // The loop sees what is pushed while it runs.
    for (const next of inbox) {
      try {
        take(next);
      } catch (error) {
        bugs.push(error);
      }
    }
    inbox.length = 0;
    arm();
    if (bugs.length > 0) throw bugs[0];
  }

  arm();
  return {
    get state() {
      return state;
    },
    dispatch,
    stop() {
      stopped = true;
      inbox.length = 0;
      arm();
    },
  };
}
