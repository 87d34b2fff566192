/**
 * The window reducer beside a Discord that counts, as one model for the exhaustive search. Time moves in ticks of half a
 * window. The reducer under test is a parameter, so that mutants of it can be searched too.
 */
import type { Edge, Model } from '@guildkit/testkit';
import { heldList } from '../../src/protocol/held.js';
import {
  initialWindow,
  type Observation,
  stepWindow,
  type WindowEffect,
  type WindowState,
  waiting,
  windowDeadline,
} from '../../src/protocol/window.js';

export const TICK_MS = 500;
export const WINDOW_MS = 1_000;

/** How the model Discord counts. */
export type Counting = 'fixed' | 'sliding';

export interface Reducer {
  readonly step: typeof stepWindow;
  readonly deadline: typeof windowDeadline;
}

export const REAL: Reducer = { step: stepWindow, deadline: windowDeadline };

interface Sent {
  readonly id: number;
  /** What its answer will say, set once Discord has counted it. */
  readonly counted?: Observation | 'refused' | undefined;
}

export interface ModelState {
  readonly now: number;
  readonly window: WindowState;
  readonly nextId: number;
  readonly lastStarted: number;
  readonly sent: readonly Sent[];
  /** When Discord counted requests; those out of its window are dropped. */
  readonly hits: readonly number[];
  readonly windowStart: number;
  readonly overflow: boolean;
  readonly disorder: boolean;
  readonly foreign: number;
  /** The one that was aborted; 0 while none was. */
  readonly left: number;
  readonly ghost: boolean;
}

export type ModelInput =
  | { readonly type: 'enqueue' | 'tick' | 'foreign' }
  | { readonly type: 'leave' | 'count' | 'answer' | 'lose'; readonly id: number };

export interface ModelOptions {
  readonly counting: Counting;
  readonly limit: number;
  readonly requests: number;
  readonly reducer?: Reducer | undefined;
  /** Requests that another process with the token makes. */
  readonly foreign?: number | undefined;
  /** They all come before the first of ours, so that headers tell of them: then no 429 is excused. */
  readonly foreignFirst?: boolean | undefined;
  /** Requests whose answer is lost. */
  readonly losses?: boolean | undefined;
}

export function createWindowModel(options: ModelOptions): Model<ModelState, ModelInput, WindowEffect> {
  const { counting, limit, requests, reducer = REAL, foreign = 0, foreignFirst = false, losses = false } = options;

  function feed(state: ModelState, input: Parameters<typeof stepWindow>[1]): ModelState {
    const { state: window, effects } = reducer.step(state.window, input);
    let { lastStarted, disorder, sent, ghost } = state;
    for (const effect of effects) {
      if (effect.type !== 'start') continue;
      disorder ||= effect.id < lastStarted;
      ghost ||= effect.id === state.left;
      lastStarted = effect.id;
      sent = [...sent, { id: effect.id }];
    }
    return { ...state, window, lastStarted, disorder, sent, ghost };
  }

  /** Runs the timers that are due, as the driver does. */
  function fire(from: ModelState): ModelState {
    let state = from;
    for (let round = 0; round < 20; round += 1) {
      const at = reducer.deadline(state.window);
      if (at === undefined || at > state.now) return state;
      state = feed(state, { type: 'timer', now: state.now });
    }
    return { ...state, disorder: true };
  }

  function count(state: ModelState): { state: ModelState; observed: Observation | 'refused' } {
    const { now } = state;
    if (counting === 'fixed') {
      const fresh = now >= state.windowStart + WINDOW_MS;
      const windowStart = fresh ? now : state.windowStart;
      const used = fresh ? 0 : state.hits.length;
      if (used >= limit) return { state, observed: 'refused' };
      const hits = fresh ? [now] : [...state.hits, now];
      const resetAfterMs = windowStart + WINDOW_MS - now;
      return { state: { ...state, hits, windowStart }, observed: { limit, remaining: limit - used - 1, resetAfterMs } };
    }
    const live = state.hits.filter((at) => at + WINDOW_MS > now);
    if (live.length >= limit) return { state: { ...state, hits: live }, observed: 'refused' };
    const hits = [...live, now];
    const resetAfterMs = (hits[0] ?? now) + WINDOW_MS - now;
    return { state: { ...state, hits }, observed: { limit, remaining: limit - hits.length, resetAfterMs } };
  }

  function step(state: ModelState, input: ModelInput): ModelState {
    const stamp = { now: state.now };
    switch (input.type) {
      case 'enqueue':
        return feed({ ...state, nextId: state.nextId + 1 }, { type: 'enqueue', id: state.nextId, ...stamp });
      case 'leave':
        return feed({ ...state, left: input.id }, { type: 'leave', id: input.id, ...stamp });
      case 'tick':
        return fire({ ...state, now: state.now + TICK_MS });
      case 'foreign':
        return { ...count(state).state, foreign: state.foreign + 1 };
      case 'count': {
        const { state: after, observed } = count(state);
        const sent = after.sent.map((one) => (one.id === input.id ? { ...one, counted: observed } : one));
        return { ...after, sent, overflow: state.overflow || observed === 'refused' };
      }
      case 'answer': {
        const one = state.sent.find(({ id }) => id === input.id);
        const sent = state.sent.filter(({ id }) => id !== input.id);
        const counted = one?.counted;
        if (counted === undefined || counted === 'refused') {
          return feed({ ...state, sent }, { type: 'settle', spent: true, blockMs: WINDOW_MS, ...stamp });
        }
        return feed({ ...state, sent }, { type: 'settle', spent: true, observed: counted, ...stamp });
      }
      case 'lose': {
        const sent = state.sent.filter(({ id }) => id !== input.id);
        return feed({ ...state, sent }, { type: 'settle', spent: true, ...stamp });
      }
    }
  }

  function inputs(state: ModelState): ModelInput[] {
    const list: ModelInput[] = [{ type: 'tick' }];
    if (state.nextId <= requests) list.push({ type: 'enqueue' });
    if (state.left === 0) list.push(...waiting(state.window).map((id) => ({ type: 'leave', id }) as const));
    if (state.foreign < foreign && !(foreignFirst && state.nextId > 1)) list.push({ type: 'foreign' });
    for (const { id, counted } of state.sent) {
      list.push({ type: counted === undefined ? 'count' : 'answer', id });
      if (losses && counted === undefined) list.push({ type: 'lose', id });
    }
    return list;
  }

  function invariant({ to }: Edge<ModelState, ModelInput, WindowEffect>): string | undefined {
    if (to.ghost) return 'who has left is not started';
    if (to.disorder) return 'requests start in the order they came, and timers end';
    if (to.overflow && (to.foreign === 0 || foreignFirst)) return 'no request meets a full window';
    const idle = to.sent.length === 0 && to.window.queue.size > 0;
    if (idle && reducer.deadline(to.window) === undefined) return 'nobody is stranded: something will wake the queue';
    if (to.window.inFlight !== to.sent.length) return 'what is in flight is what was sent and not ended';
    const known = to.window.limit;
    if (known === undefined && to.sent.length > 1) return 'an unknown limit is probed by one request';
    return undefined;
  }

  return {
    initial: {
      now: 0,
      window: initialWindow(),
      nextId: 1,
      lastStarted: 0,
      sent: [],
      hits: [],
      windowStart: Number.NEGATIVE_INFINITY,
      overflow: false,
      disorder: false,
      foreign: 0,
      left: 0,
      ghost: false,
    },
    inputs,
    step: (state, input) => ({ state: step(state, input), effects: [] }),
    invariant,
    key: (state) => keyOf(state, counting),
    label: (input) => ('id' in input ? `${input.type} ${input.id}` : input.type),
    phase: ({ window }) => {
      const line = window.queue.size > 0 ? 'waiting' : 'free';
      return window.limit === undefined ? `cold ${line}` : line;
    },
  };
}

/** States that differ only in when they happened are one; so are moments too old to matter. */
function keyOf(state: ModelState, counting: Counting): string {
  const { now, window, sent } = state;
  const ahead = (at: number): number => Math.max(-1, at - now);
  const age = (at: number): number => Math.min(now - at, 2 * WINDOW_MS);
  return JSON.stringify([
    waiting(window),
    window.limit ?? -1,
    window.windowMs,
    heldList(window.held).map(({ until, count }) => [ahead(until), count]),
    window.server === undefined ? 0 : [window.server.remaining, ahead(window.server.resetAt)],
    ahead(window.blockedUntil),
    window.announced,
    state.nextId,
    sent,
    state.hits.filter((at) => counting === 'fixed' || age(at) < WINDOW_MS).map(age),
    age(state.windowStart),
    state.overflow,
    state.foreign,
    state.left,
    state.ghost,
  ]);
}
