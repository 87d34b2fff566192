/**
 * Owns one rate limit as a pure state machine: who waits for it, who is using it, when the next may go. Serves a
 * bucket (limit learned from headers), the global limit and documented sublimits (limit given). Refuses to know
 * routes, sockets and how limits combine: that is the limiter's.
 *
 * A request holds a slot from its start until one window after its end. Discord counts it at some moment in between,
 * so no interval of one window ever holds more than `limit` counted requests: safe for fixed and for sliding windows,
 * whatever the latencies. `remaining` only ever makes it stricter (other processes with the same token).
 */
import type { Stamp, TimerInput, Transition } from '@guildkit/core';
import { EMPTY_FIFO, type Fifo, insert, peek, shift, toArray, without } from './fifo.js';
import { firstFree, type HeldSlots, hold, lastFree, NO_SLOTS, release } from './held.js';

/** What a response's headers said of its bucket. */
export interface Observation {
  readonly limit: number;
  readonly remaining: number;
  readonly resetAfterMs: number;
}

/** One limit. */
export interface WindowState {
  readonly queue: Fifo;
  /** Started and not ended. */
  readonly inFlight: number;
  /** Probes of other routes that may turn out to count here; a slot is kept for each, one always stays usable. */
  readonly guests: number;
  /** `undefined` while unknown: then one request at a time probes. `Infinity` for a route that names no limit. */
  readonly limit: number | undefined;
  readonly windowMs: number;
  /** Whether `windowMs` is certain: given, or seen by the first request of a window. Another may have seen only its rest. */
  readonly whole: boolean;
  /** Ended requests that still count. */
  readonly held: HeldSlots;
  /** The server's own count in the window that ends at `resetAt`. */
  readonly server: { readonly remaining: number; readonly resetAt: number } | undefined;
  /** A 429's delay. */
  readonly blockedUntil: number;
  /** Whether the wait was announced; until the queue is empty again it is not announced anew. */
  readonly announced: boolean;
}

/** What a request that ended, or was learned to belong here, tells the window. */
export interface Outcome {
  /** Whether it may have reached Discord and counts for a window. */
  readonly spent: boolean;
  /** What the headers said; `'none'` when a proper answer named no limit. */
  readonly observed?: Observation | 'none' | undefined;
  /** A 429's delay, in ms. */
  readonly blockMs?: number | undefined;
}

/** What happens to a window. */
export type WindowInput =
  | { readonly type: 'enqueue'; readonly id: number }
  /** It was aborted while it waited. */
  | { readonly type: 'leave'; readonly id: number }
  /** One that was started has ended. */
  | ({ readonly type: 'settle' } & Outcome)
  /** One that was started elsewhere turned out to count here. */
  | ({ readonly type: 'adopt' } & Outcome)
  /** One that was started did not go out after all and waits again. */
  | { readonly type: 'requeue'; readonly id: number }
  /** How many probes may turn out to count here. */
  | { readonly type: 'guests'; readonly count: number }
  /** Those that wait belong elsewhere. */
  | { readonly type: 'expel'; readonly ids: ReadonlySet<number> };

/** What the window wants done. */
export type WindowEffect =
  | { readonly type: 'start'; readonly id: number }
  /** Someone waits for the limit, not just for a probe, until a moment on the clock's scale. */
  | { readonly type: 'wait'; readonly until: number; readonly size: number };

/** An input with the time. A window needs no randomness. */
export type TimedWindowInput = (WindowInput | TimerInput) & Pick<Stamp, 'now'>;

const NONE: readonly WindowEffect[] = [];

/** A window. Give a limit that is known; leave it out for one that headers will tell. */
export function initialWindow(known?: { readonly limit: number; readonly windowMs: number }): WindowState {
  return {
    queue: EMPTY_FIFO,
    inFlight: 0,
    guests: 0,
    limit: known?.limit,
    windowMs: known?.windowMs ?? 0,
    whole: known !== undefined,
    held: NO_SLOTS,
    server: undefined,
    blockedUntil: Number.NEGATIVE_INFINITY,
    announced: false,
  };
}

/** One step of a window. */
export function stepWindow(state: WindowState, input: TimedWindowInput): Transition<WindowState, WindowEffect> {
  switch (input.type) {
    case 'enqueue':
      return enqueue(state, input.id, input.now);
    case 'leave':
      return pump({ ...state, queue: without(state.queue, (id) => id === input.id) }, input.now);
    case 'settle':
      return pump(settled(state, Math.max(0, state.inFlight - 1), input, input.now), input.now);
    case 'adopt':
      return pump(settled(state, state.inFlight, input, input.now), input.now);
    case 'requeue':
      return pump(
        { ...state, inFlight: Math.max(0, state.inFlight - 1), queue: insert(state.queue, input.id) },
        input.now,
      );
    case 'guests':
      return pump({ ...state, guests: input.count }, input.now);
    case 'expel':
      return pump({ ...state, queue: without(state.queue, (id) => input.ids.has(id)) }, input.now);
    case 'timer':
      return pump(state, input.now);
  }
}

/** When time alone may let the next request go. Always later than the step that led to `state`. */
export function windowDeadline(state: WindowState): number | undefined {
  return state.queue.size === 0 ? undefined : waitsUntil(state, Number.NEGATIVE_INFINITY);
}

/** Whether nothing waits, runs or still counts: forgetting the window then loses only what a probe brings back. */
export function isIdle(state: WindowState, now: number): boolean {
  return state.queue.size === 0 && state.inFlight === 0 && lastFree(state.held) <= now && state.blockedUntil <= now;
}

/** The numbers that wait, in order. */
export function waiting(state: WindowState): number[] {
  return toArray(state.queue);
}

function enqueue(from: WindowState, id: number, now: number): Transition<WindowState, WindowEffect> {
  const state = freed(from, now);
  if (state.queue.size > 0 || !mayStart(state, now)) return pump({ ...state, queue: insert(state.queue, id) }, now);
  // Nobody waits and there is room: what most requests meet, so it touches no queue.
  return { state: { ...state, inFlight: state.inFlight + 1 }, effects: [{ type: 'start', id }] };
}

function pump(from: WindowState, now: number): Transition<WindowState, WindowEffect> {
  let state = freed(from, now);
  if (state.queue.size === 0) return { state: state.announced ? { ...state, announced: false } : state, effects: NONE };
  const effects: WindowEffect[] = [];
  for (let id = peek(state.queue); id !== undefined && mayStart(state, now); id = peek(state.queue)) {
    state = { ...state, queue: shift(state.queue), inFlight: state.inFlight + 1 };
    effects.push({ type: 'start', id });
  }
  if (state.queue.size === 0) return { state: state.announced ? { ...state, announced: false } : state, effects };
  const until = state.announced ? undefined : waitsUntil(state, now);
  if (until !== undefined) {
    state = { ...state, announced: true };
    effects.push({ type: 'wait', until, size: state.queue.size });
  }
  return { state, effects };
}

function mayStart(state: WindowState, now: number): boolean {
  if (now < state.blockedUntil) return false;
  if (state.limit === undefined) return state.inFlight === 0;
  const out = outstanding(state, state.limit);
  if (out + state.held.count >= state.limit) return false;
  // Those in flight may or may not be in the server's count yet: taken as not, which can only wait too long.
  return state.server === undefined || now >= state.server.resetAt || out < state.server.remaining;
}

function outstanding({ inFlight, guests }: WindowState, limit: number): number {
  return inFlight + Math.min(guests, limit - 1);
}

/** The moment that one of the rules of `mayStart` gives way by time, if a rule that does is what holds. */
function waitsUntil(state: WindowState, now: number): number | undefined {
  if (state.blockedUntil > now) return state.blockedUntil;
  if (state.limit === undefined) return undefined;
  if (state.inFlight + state.held.count >= state.limit) {
    return state.held.count === 0 ? undefined : firstFree(state.held);
  }
  const { server } = state;
  return server !== undefined && server.resetAt > now && state.inFlight >= server.remaining
    ? server.resetAt
    : undefined;
}

/** Lets go of what time has freed. */
function freed(state: WindowState, now: number): WindowState {
  // A block that is over is forgotten, so that `waitsUntil` needs no clock to tell it from one that lasts.
  const server = current(state.server, now);
  const blockedUntil = state.blockedUntil <= now ? Number.NEGATIVE_INFINITY : state.blockedUntil;
  const held = release(state.held, now);
  if (held === state.held && server === state.server && blockedUntil === state.blockedUntil) return state;
  return { ...state, held, server, blockedUntil };
}

/** The server's count, while its window lasts. */
function current(server: WindowState['server'], now: number): WindowState['server'] {
  return server !== undefined && server.resetAt <= now ? undefined : server;
}

function settled(from: WindowState, inFlight: number, { spent, observed, blockMs }: Outcome, now: number): WindowState {
  const seen = typeof observed === 'object' ? observed : undefined;
  const limit = seen?.limit ?? (observed === 'none' ? (from.limit ?? Number.POSITIVE_INFINITY) : from.limit);
  const windowMs = seen === undefined ? from.windowMs : windowOf(from, seen);
  // Nothing to count against where there is no limit.
  const counts = spent && windowMs > 0 && limit !== Number.POSITIVE_INFINITY;
  const held = release(from.held, now);
  const server = current(from.server, now);
  // All fields in one go: every request makes one of these for each of its limits.
  return {
    queue: from.queue,
    inFlight,
    guests: from.guests,
    limit,
    windowMs,
    whole: from.whole || (seen !== undefined && isFirst(seen)),
    held: counts ? heldFor(held, windowMs, now) : held,
    server: seen === undefined ? server : serverOf(server, seen, now),
    blockedUntil: blockMs === undefined ? from.blockedUntil : Math.max(from.blockedUntil, now + blockMs),
    announced: from.announced,
  };
}

/** The first request of a window sees its whole length; a later one less, which must not shorten what is known. */
function windowOf(state: WindowState, observation: Observation): number {
  const seen = wholeWindow(observation.resetAfterMs);
  return isFirst(observation) ? seen : Math.max(state.windowMs, seen);
}

function isFirst({ limit, remaining }: Observation): boolean {
  return remaining >= limit - 1;
}

/** Answers may overtake each other: within one window the smallest count is the newest. */
function serverOf(
  server: WindowState['server'],
  { remaining, resetAfterMs }: Observation,
  now: number,
): WindowState['server'] {
  const stale = server !== undefined && now < server.resetAt && remaining >= server.remaining;
  return stale ? server : { remaining, resetAt: now + resetAfterMs };
}

/**
 * `X-RateLimit-Reset-After` is read a few ms after the request was counted, so it falls a little short of the window.
 * Discord's windows are whole quarters of a second below a second and whole seconds above.
 */
function wholeWindow(resetAfterMs: number): number {
  const unit = resetAfterMs > 1_000 ? 1_000 : 250;
  const whole = Math.ceil(resetAfterMs / unit) * unit;
  return whole - resetAfterMs <= resetAfterMs / 10 ? whole : resetAfterMs;
}

function heldFor(held: HeldSlots, windowMs: number, now: number): HeldSlots {
  // A window that was relearned shorter must not free a later request before an earlier one: the order is kept.
  return hold(held, Math.max(now + windowMs, lastFree(held)), windowMs);
}
