/**
 * Owns what is sent when: order for each room, retries, the bounded queue, what is dropped and said to be, and when the
 * receiver needs a snapshot. Pure. Refuses to know HTTP and signatures.
 *
 * running (every event waits its turn) → draining (no more are taken) → stopped.
 */
import { backoffDelay, type Reducer, type Stamp, type TimerInput } from '@guildkit/core';
import { type EventFacts, isBehind, join, newLine } from './event-facts.js';

/** Bounds of a forwarder. */
export interface ForwarderLimits {
  readonly maxQueue: number;
  readonly maxInFlight: number;
  readonly retryBaseMs: number;
  readonly retryCapMs: number;
  readonly retryForMs: number;
  readonly pingIntervalMs: number;
}

/** An event in the queue. */
export interface QueuedEvent<E> {
  readonly seq: number;
  readonly event: E;
  readonly facts: EventFacts;
  readonly acceptedAt: number;
  /** Failed tries. */
  readonly attempts: number;
  readonly notBefore: number;
  readonly inFlight: boolean;
}

/** Why an event left the queue without having been taken. */
export type DropCause =
  /** A later one said the same. */
  | 'coalesced'
  | 'queueFull'
  /** Tried for too long. */
  | 'expired'
  /** The receiver answered 4xx. */
  | 'refused'
  /** The forwarder was closed. */
  | 'closed';

/** Everything a forwarder knows. */
export interface ForwarderState<E> {
  readonly phase: 'running' | 'draining' | 'stopped';
  readonly queue: readonly QueuedEvent<E>[];
  readonly seq: number;
  /** Rounds of failure since the last answer that was none. */
  readonly failures: number;
  /** Nothing is sent before. */
  readonly retryAt: number;
  readonly bootId: string | undefined;
  /** The receiver's lists may be wrong. */
  readonly snapshotDue: boolean;
  readonly pingAt: number;
  readonly pinging: boolean;
  readonly drainBy: number | undefined;
}

/** What happens to a forwarder. */
export type ForwarderInput<E> =
  | { readonly type: 'event'; readonly event: E; readonly facts: EventFacts }
  | { readonly type: 'delivered'; readonly seq: number; readonly bootId: string | undefined }
  | { readonly type: 'refused'; readonly seq: number; readonly bootId: string | undefined }
  | { readonly type: 'failed'; readonly seq: number; readonly retryAfterMs: number }
  | { readonly type: 'pinged'; readonly bootId: string | undefined }
  | { readonly type: 'pingFailed'; readonly retryAfterMs: number }
  | { readonly type: 'drain'; readonly withinMs: number };

/** What a forwarder wants done. */
export type ForwarderEffect<E> =
  | { readonly type: 'post'; readonly item: QueuedEvent<E> }
  | { readonly type: 'ping' }
  | { readonly type: 'drop'; readonly item: QueuedEvent<E>; readonly cause: DropCause }
  | { readonly type: 'done'; readonly item: QueuedEvent<E> }
  /** Put a snapshot of every guild into the queue. */
  | { readonly type: 'snapshot' }
  | { readonly type: 'retrying'; readonly failures: number; readonly delayMs: number }
  /** Nothing is left; what is on its way is given up. */
  | { readonly type: 'stopped' };

type State<E> = ForwarderState<E>;
type Effects<E> = readonly ForwarderEffect<E>[];
type Step<E> = { readonly state: State<E>; readonly effects: Effects<E> };
type Stamped<E> = (ForwarderInput<E> | TimerInput) & Stamp;

/** The state at the start. The first ping goes out at once, so that the receiver's boot id is known. */
export function newForwarder<E>(now: number): State<E> {
  return {
    phase: 'running',
    queue: [],
    seq: 0,
    failures: 0,
    retryAt: now,
    bootId: undefined,
    snapshotDue: false,
    pingAt: now,
    pinging: false,
    drainBy: undefined,
  };
}

/** The state machine of a forwarder. */
export function createForwarderReducer<E>(
  limits: ForwarderLimits,
): Reducer<State<E>, ForwarderInput<E>, ForwarderEffect<E>> {
  return {
    step(state, input) {
      if (state.phase === 'stopped') {
        if (input.type !== 'event') return { state, effects: [] };
        const seq = state.seq + 1;
        return { state: { ...state, seq }, effects: [{ type: 'drop', item: itemOf(input, seq), cause: 'closed' }] };
      }
      const taken = take(limits, state, input);
      const sent = send(limits, taken.state, input.now);
      return { state: sent.state, effects: [...taken.effects, ...sent.effects] };
    },
    deadline: (state) => deadline(limits, state),
  };
}

// ─── inputs ─────────────────────────────────────────────────────────────────────────────────────────────────────

function take<E>(limits: ForwarderLimits, state: State<E>, input: Stamped<E>): Step<E> {
  switch (input.type) {
    case 'event':
      return onEvent(limits, state, input);
    case 'delivered': {
      const { item, rest } = pick(state, input.seq);
      if (item === undefined) return { state, effects: [] };
      return { state: answered(limits, { ...state, queue: rest }, input), effects: [{ type: 'done', item }] };
    }
    case 'refused': {
      const { item, rest } = pick(state, input.seq);
      if (item === undefined) return { state, effects: [] };
      const next = answered(limits, { ...state, queue: rest }, input);
      // A refused snapshot would be refused again: only the alert is left.
      const snapshotDue = next.snapshotDue || (item.facts.heals && !item.facts.barrier);
      return { state: { ...next, snapshotDue }, effects: [{ type: 'drop', item, cause: 'refused' }] };
    }
    case 'failed':
      return onFailed(limits, state, input);
    case 'pinged':
      return { state: answered(limits, { ...state, pinging: false }, input), effects: [] };
    case 'pingFailed':
      return failing(limits, { ...state, pinging: false }, input);
    case 'drain':
      return { state: { ...state, phase: 'draining', drainBy: input.now + input.withinMs }, effects: [] };
    case 'timer':
      if (state.drainBy === undefined || input.now < state.drainBy) return { state, effects: [] };
      return { state: { ...state, queue: [] }, effects: state.queue.map((item) => drop(item, 'closed')) };
  }
}

function onEvent<E>(limits: ForwarderLimits, state: State<E>, input: Extract<Stamped<E>, { type: 'event' }>): Step<E> {
  const seq = state.seq + 1;
  const item = itemOf(input, seq);
  if (state.phase === 'draining') return { state: { ...state, seq }, effects: [drop(item, 'closed')] };
  const replaced = replacedBy(state.queue, item);
  if (replaced !== undefined) {
    const queue = [...state.queue.filter((other) => other !== replaced), item];
    return { state: { ...state, seq, queue }, effects: [drop(replaced, 'coalesced')] };
  }
  if (state.queue.length < limits.maxQueue) {
    return { state: { ...state, seq, queue: [...state.queue, item] }, effects: [] };
  }
  const waiting = [...state.queue, item].filter((other) => !other.inFlight);
  // What can be said again later goes first; never a snapshot while anything else can go: it is what heals the rest.
  const victim =
    waiting.find(({ facts }) => facts.coalescible && !facts.barrier) ??
    waiting.find(({ facts }) => !facts.barrier) ??
    (waiting[0] as QueuedEvent<E>);
  const queue = [...state.queue, item].filter((other) => other !== victim);
  const snapshotDue = state.snapshotDue || victim.facts.heals;
  return { state: { ...state, seq, queue, snapshotDue }, effects: [drop(victim, 'queueFull')] };
}

/** The waiting event that this one makes superfluous: the last about the same, when it is of the same kind. */
function replacedBy<E>(queue: readonly QueuedEvent<E>[], { facts }: QueuedEvent<E>): QueuedEvent<E> | undefined {
  if (!facts.coalescible) return undefined;
  const last = queue.findLast((other) => other.facts.subject === facts.subject);
  return last?.facts.coalescible === true && !last.inFlight ? last : undefined;
}

function onFailed<E>(
  limits: ForwarderLimits,
  state: State<E>,
  input: Extract<Stamped<E>, { type: 'failed' }>,
): Step<E> {
  const { item, rest } = pick(state, input.seq);
  if (item === undefined) return { state, effects: [] };
  if (input.now - item.acceptedAt >= limits.retryForMs) {
    const snapshotDue = state.snapshotDue || item.facts.heals;
    const next = failing(limits, { ...state, queue: rest, snapshotDue }, input);
    return { state: next.state, effects: [drop(item, 'expired'), ...next.effects] };
  }
  const delayMs = Math.max(input.retryAfterMs, retryDelay(limits, item.attempts, input.random));
  const again = { ...item, attempts: item.attempts + 1, notBefore: input.now + delayMs, inFlight: false };
  const queue = state.queue.map((other) => (other === item ? again : other));
  return failing(limits, { ...state, queue }, input);
}

/** Whoever answers is there, whatever the answer. A new process of theirs knows nothing. */
function answered<E>(
  limits: ForwarderLimits,
  state: State<E>,
  { bootId, now }: { bootId: string | undefined; now: number },
): State<E> {
  const isNew = bootId !== undefined && state.bootId !== undefined && bootId !== state.bootId;
  return {
    ...state,
    failures: 0,
    retryAt: now,
    bootId: bootId ?? state.bootId,
    snapshotDue: state.snapshotDue || isNew,
    pingAt: now + limits.pingIntervalMs,
  };
}

/** One round of failure, however many were on their way. */
function failing<E>(
  limits: ForwarderLimits,
  state: State<E>,
  { now, random, retryAfterMs }: { now: number; random: number; retryAfterMs: number },
): Step<E> {
  if (state.failures > 0 && state.retryAt > now) {
    return { state: { ...state, retryAt: Math.max(state.retryAt, now + retryAfterMs) }, effects: [] };
  }
  const failures = state.failures + 1;
  const delayMs = Math.max(retryAfterMs, retryDelay(limits, state.failures, random));
  return {
    state: { ...state, failures, retryAt: now + delayMs },
    effects: [{ type: 'retrying', failures, delayMs }],
  };
}

// ─── sending ────────────────────────────────────────────────────────────────────────────────────────────────────

function send<E>(limits: ForwarderLimits, state: State<E>, now: number): Step<E> {
  if (state.phase === 'draining' && state.queue.length === 0) {
    return { state: { ...state, phase: 'stopped', drainBy: undefined }, effects: [{ type: 'stopped' }] };
  }
  const starting = now < state.retryAt ? [] : startable(limits, state).filter(({ notBefore }) => notBefore <= now);
  const chosen = new Set(starting.slice(0, room(limits, state)));
  const queue =
    chosen.size === 0
      ? state.queue
      : state.queue.map((item) => (chosen.has(item) ? { ...item, inFlight: true } : item));
  const started = queue === state.queue ? [] : queue.filter((item, index) => item !== state.queue[index]);
  const effects: ForwarderEffect<E>[] = started.map((item) => ({ type: 'post', item }));
  if (
    state.phase === 'running' &&
    !state.pinging &&
    state.queue.length === 0 &&
    now >= Math.max(state.pingAt, state.retryAt)
  ) {
    return { state: { ...state, pinging: true }, effects: [{ type: 'ping' }] };
  }
  const heals =
    state.phase === 'running' && state.snapshotDue && state.failures === 0 && 2 * queue.length <= limits.maxQueue;
  if (heals) effects.push({ type: 'snapshot' });
  return { state: { ...state, queue, snapshotDue: state.snapshotDue && !heals }, effects };
}

/** How many more may be on their way. After a failure one tries the way for all. */
function room<E>(limits: ForwarderLimits, { queue, failures }: State<E>): number {
  const inFlight = queue.filter((item) => item.inFlight).length;
  return Math.max(0, (failures > 0 ? 1 : limits.maxInFlight) - inFlight);
}

/** What waits for nothing before it, in order. */
function startable<E>(limits: ForwarderLimits, { queue }: State<E>): readonly QueuedEvent<E>[] {
  const line = newLine();
  const found: QueuedEvent<E>[] = [];
  for (const [index, item] of queue.entries()) {
    const waits = isBehind(line, item.facts);
    if (!item.inFlight && !waits) found.push(item);
    join(line, item.facts);
    // Enough to fill every place even when some wait for their time; the rest is looked at later.
    if (index >= 16 * limits.maxInFlight) break;
  }
  return found;
}

function deadline<E>(limits: ForwarderLimits, state: State<E>): number | undefined {
  if (state.phase === 'stopped') return undefined;
  const times = state.drainBy === undefined ? [] : [state.drainBy];
  if (state.queue.length === 0) {
    if (!state.pinging && state.phase === 'running') times.push(Math.max(state.pingAt, state.retryAt));
  } else if (room(limits, state) > 0) {
    const next = startable(limits, state).map(({ notBefore }) => Math.max(notBefore, state.retryAt));
    if (next.length > 0) times.push(Math.min(...next));
  }
  return times.length === 0 ? undefined : Math.min(...times);
}

// ─── helpers ────────────────────────────────────────────────────────────────────────────────────────────────────

function itemOf<E>(input: { event: E; facts: EventFacts; now: number }, seq: number): QueuedEvent<E> {
  const { event, facts, now } = input;
  return { seq, event, facts, acceptedAt: now, attempts: 0, notBefore: now, inFlight: false };
}

/** Answers for what is no longer on its way are late and mean nothing. */
function pick<E>(
  { queue }: State<E>,
  seq: number,
): { item: QueuedEvent<E> | undefined; rest: readonly QueuedEvent<E>[] } {
  const item = queue.find((other) => other.seq === seq && other.inFlight);
  return { item, rest: item === undefined ? queue : queue.filter((other) => other !== item) };
}

function drop<E>(item: QueuedEvent<E>, cause: DropCause): ForwarderEffect<E> {
  return { type: 'drop', item, cause };
}

/** Never at once: at least half the bound. */
function retryDelay({ retryBaseMs, retryCapMs }: ForwarderLimits, attempt: number, random: number): number {
  const ceiling = Math.min(retryCapMs, retryBaseMs * 2 ** Math.min(attempt, 30));
  return backoffDelay(attempt, random, { baseMs: retryBaseMs, capMs: retryCapMs, minMs: ceiling / 2 });
}
