/** Every reachable state of the session machine, against its rules; and mutants that the rules must catch. */
import type { Stamp, TimerInput } from '@guildkit/core';
import { Redacted } from '@guildkit/core';
import { type Edge, type Exploration, explore, toMermaid } from '@guildkit/testkit';
import { expect, test } from 'vitest';
import { isSessionEnd } from '../../src/protocol/gateway/close-codes.js';
import type { ClientFrame } from '../../src/protocol/gateway/frames.js';
import {
  createSessionReducer,
  freshConnection,
  type Link,
  type SessionEffect,
  type SessionInput,
  type SessionRules,
  type SessionState,
} from '../../src/protocol/gateway/session.js';

const RULES: SessionRules = {
  heartbeatIntervalMs: 1000,
  heartbeatGraceMs: 500,
  sendLimit: 3,
  sendWindowMs: 2000,
  resumeWindowMs: 1500,
  replayLimit: 2,
  requiredShards: 1,
};
const reducer = createSessionReducer(RULES);

type Input = (SessionInput | TimerInput) & { readonly advanceMs?: number };
type Step = (
  state: SessionState,
  input: (SessionInput | TimerInput) & Stamp,
) => { state: SessionState; effects: readonly SessionEffect[] };
interface Timed {
  readonly now: number;
  readonly state: SessionState;
}
type TimedEdge = Edge<Timed, Input, SessionEffect>;

const GRANT = { botId: 'bot', privilegedIntents: 0, identify: 'allowed' } as const;
const IDENTIFY: ClientFrame = {
  kind: 'identify',
  token: new Redacted('x'),
  intents: 1,
  shard: undefined,
  compress: false,
  largeThreshold: 50,
  presence: undefined,
};
const FRAMES: readonly ClientFrame[] = [
  { kind: 'heartbeat' },
  IDENTIFY,
  { ...IDENTIFY, intents: 2 },
  { ...IDENTIFY, shard: 'invalid' },
  { kind: 'resume', token: new Redacted('x'), sessionId: 's', seq: 1 },
  { kind: 'request', request: { kind: 'presence', presence: undefined } },
  { kind: 'invalid', code: 4001, why: '' },
  { kind: 'invalid', code: 4002, why: '' },
];
const EVENT = { name: 'E', json: '{}' };
/** Dispatches after which the search stops dispatching: more only repeats states. */
const MAX_SEQ = 4;

const sessionOf = (state: SessionState) => ('session' in state ? state.session : undefined);
const socketOf = (state: SessionState): number | undefined =>
  state.phase === 'fresh' ? state.socket : 'link' in state ? state.link.socket : undefined;

function inputs({ now, state }: Timed): readonly Input[] {
  const socket = socketOf(state) ?? 1;
  const seq = sessionOf(state)?.seq ?? 0;
  const link: Link = { socket: socket + 1, heartbeatBy: now + 1500, windowEndsAt: now + 2000, sent: 1 };
  const claim = { botId: 'bot', sessionId: 's', seq };
  const all: Input[] = [
    { type: 'opened', version: 10 },
    { type: 'opened', version: 8 },
    { type: 'handedOver' },
    { type: 'refused', reason: 'unknown' },
    { type: 'refused', reason: 'invalidSeq' },
    { type: 'reconnect' },
    { type: 'askHeartbeat' },
    { type: 'invalidate', resumable: true },
    { type: 'invalidate', resumable: false },
    { type: 'cut', close: undefined },
    { type: 'cut', close: { code: 4000, reason: '' } },
    { type: 'cut', close: { code: 4004, reason: '' } },
    { type: 'expire' },
    { type: 'timer' },
    { type: 'timer', advanceMs: 500 },
    { type: 'adopt', link, claim: { ...claim, botId: 'other' }, oldest: 1 },
    { type: 'adopt', link, claim: { ...claim, sessionId: 'other' }, oldest: 1 },
    { type: 'adopt', link, claim: { ...claim, seq: seq + 1 }, oldest: 1 },
    // Nothing is left, or nothing but the last.
    { type: 'adopt', link, claim: { ...claim, seq: Math.max(0, seq - 1) }, oldest: seq + 1 },
    { type: 'adopt', link, claim: { ...claim, seq: Math.max(0, seq - 1) }, oldest: seq },
  ];
  for (let missed = 0; missed <= Math.min(seq, 3); missed += 1) {
    const oldest = Math.max(1, seq - RULES.replayLimit + 1);
    all.push({ type: 'adopt', link, claim: { ...claim, seq: seq - missed }, oldest });
  }
  if (seq < MAX_SEQ)
    all.push({ type: 'dispatch', event: EVENT, needs: 0 }, { type: 'dispatch', event: EVENT, needs: 1 });
  all.push({ type: 'dispatch', event: EVENT, needs: 2 });
  for (const at of [socket, socket - 1]) {
    for (const code of [1000, 1001, 1006, 4000]) all.push({ type: 'closed', socket: at, code });
    for (const frame of FRAMES) {
      all.push({ type: 'frame', socket: at, frame, grant: GRANT, newId: 's' });
    }
    all.push(
      { type: 'frame', socket: at, frame: IDENTIFY },
      { type: 'frame', socket: at, frame: IDENTIFY, grant: { ...GRANT, identify: 'tooSoon' }, newId: 's' },
      { type: 'frame', socket: at, frame: IDENTIFY, grant: { ...GRANT, identify: 'exhausted' }, newId: 's' },
      { type: 'frame', socket: at, frame: FRAMES[4] as ClientFrame },
    );
  }
  // RESUMED counts too: adopting adds one.
  return seq < MAX_SEQ ? all : all.filter(({ type }) => type !== 'adopt');
}

/** The rules. `undefined`: all hold. */
function invariant({ from, input, to, effects }: TimedEdge): string | undefined {
  const before = sessionOf(from.state);
  const after = sessionOf(to.state);
  const delivered = effects.filter((effect) => effect.type === 'deliver');
  const closes = effects.filter((effect) => effect.type === 'close' || effect.type === 'destroy');
  const forgets = effects.some((effect) => effect.type === 'forget');
  const named = 'socket' in input ? input.socket : undefined;

  if (from.state.phase === 'ended' && (to.state !== from.state || effects.some(({ type }) => type !== 'refuse'))) {
    return 'an ended actor does nothing';
  }
  if (named !== undefined && named !== socketOf(from.state) && (to.state !== from.state || effects.length > 0)) {
    return 'a stale socket is not heard';
  }
  const sockets = [socketOf(from.state), socketOf(to.state)];
  for (const effect of effects) {
    if (effect.type === 'refuse' || !('socket' in effect) || effect.socket === undefined) continue;
    if (!sockets.includes(effect.socket)) return 'effects name the own socket';
  }
  for (const closed of closes) if (closed.socket === socketOf(to.state)) return 'a closed socket is let go';
  const due = reducer.deadline(to.state);
  const longest = to.now + Math.max(RULES.heartbeatIntervalMs + RULES.heartbeatGraceMs, RULES.resumeWindowMs);
  const waits = to.state.phase !== 'fresh' && to.state.phase !== 'ended';
  if (waits && (due === undefined || due < to.now || due > longest)) return 'whoever waits has a deadline';
  if (!waits && due !== undefined) return 'no timer without a wait';
  if ((before !== undefined && after?.id !== before.id) !== forgets) return 'a session that ends is forgotten, once';
  if (before !== undefined && after !== undefined && after.seq !== before.seq + delivered.length)
    return 'seq counts dispatches';
  for (const [at, { seq }] of delivered.entries()) {
    if (seq !== (before?.seq ?? 0) + at + 1) return 'dispatches have no holes';
  }
  if (input.type === 'dispatch' && before !== undefined) {
    const visible = input.needs === 0 || (input.needs & before.intents) !== 0;
    if (delivered.length !== (visible ? 1 : 0)) return 'a dispatch reaches who may see it, connected or not';
    if (visible && delivered[0]?.socket !== (from.state.phase === 'live' ? socketOf(from.state) : undefined)) {
      return 'a dispatch is sent on the live socket';
    }
  }
  if (effects.some(({ type }) => type === 'request') && from.state.phase !== 'live') return 'requests need a session';
  const isIdentify = input.type === 'frame' && input.frame === IDENTIFY && named === socketOf(from.state);
  if (isIdentify && from.state.phase === 'greeting' && input.grant !== undefined && closes.length === 0) {
    const isRefused = input.grant.identify !== 'allowed';
    const invalid = effects.some((effect) => effect.type === 'send' && effect.frame.op === 9);
    if (isRefused !== invalid || isRefused === (after !== undefined)) return 'an IDENTIFY too soon gets opcode 9 alone';
  }
  if (isIdentify && input.grant?.identify === 'exhausted' && from.state.phase === 'greeting' && closes.length !== 1) {
    return 'a bot without IDENTIFYs left is closed';
  }
  if (effects.some(({ type }) => type === 'start') !== (before === undefined && after !== undefined))
    return 'a session starts once';
  for (const effect of effects) {
    if (effect.type !== 'replay') continue;
    if (input.type !== 'adopt' || effect.after !== input.claim.seq || effect.through !== before?.seq) {
      return 'a replay begins where the client was and ends at the last dispatch';
    }
    if (effect.after + 1 < input.oldest) return 'a replay is all in the log';
    const names = effects.map(({ type }) => type);
    if (names.indexOf('take') > names.indexOf('replay')) return 'the socket is taken before it is written';
    if (delivered.at(-1)?.event.name !== 'RESUMED' || names.at(-1) !== 'deliver') return 'RESUMED comes last';
  }
  if (
    input.type === 'frame' &&
    input.frame.kind === 'heartbeat' &&
    named === socketOf(from.state) &&
    from.state.phase !== 'fresh'
  ) {
    const acks = effects.filter((effect) => effect.type === 'send' && effect.frame.op === 11).length;
    if (acks + closes.length !== 1) return 'a heartbeat has one answer';
  }
  if (input.type === 'closed' && from.state.phase === 'live' && named === socketOf(from.state)) {
    if (isSessionEnd(input.code) !== (to.state.phase === 'ended'))
      return '1000 and 1001 end the session, others do not';
  }
  return undefined;
}

function key({ now, state }: Timed): string {
  const link = (it: Link) => [it.heartbeatBy - now, Math.max(0, it.windowEndsAt - now), it.sent];
  if (state.phase === 'fresh' || state.phase === 'ended') return state.phase;
  if (state.phase === 'greeting') return JSON.stringify([state.phase, link(state.link)]);
  if (state.phase === 'live') return JSON.stringify([state.phase, link(state.link), state.session.seq]);
  return JSON.stringify([state.phase, state.expiresAt - now, state.session.seq]);
}

function search(step: Step): Exploration {
  return explore<Timed, Input, SessionEffect>({
    initial: { now: 0, state: freshConnection(1) },
    inputs,
    step({ now, state }, { advanceMs, ...input }) {
      const due = reducer.deadline(state);
      let at = now;
      // A timer fires when it is due; a spurious one, or mere time, does not pass the deadline.
      if (input.type === 'timer') at = advanceMs === undefined ? (due ?? now) : Math.min(now + advanceMs, due ?? now);
      const next = step(state, { ...input, now: at, random: 0 } as (SessionInput | TimerInput) & Stamp);
      return { state: { now: at, state: next.state }, effects: next.effects };
    },
    key,
    invariant,
    label: labelOf,
    phase: ({ state }) => state.phase,
  });
}

function labelOf(input: Input): string {
  if (input.type === 'frame') return input.frame.kind;
  if (input.type === 'closed') return isSessionEnd(input.code) ? 'closed 1000' : 'closed';
  return input.type;
}

test('every rule holds in every reachable state', () => {
  const found = search(reducer.step);
  expect(found.violation).toBeUndefined();
  expect(found.complete).toBe(true);
  expect(found.states).toBeGreaterThan(100);
  expect(toMermaid(found)).toContain('detached --> live: adopt');
});

const MUTANTS: Record<string, { readonly rule: string; readonly step: Step }> = {
  'hears stale sockets': {
    rule: 'a stale socket is not heard',
    step: (state, input) => reducer.step(state, 'socket' in input ? { ...input, socket: socketOf(state) ?? 0 } : input),
  },
  'forgets nobody': {
    rule: 'a session that ends is forgotten, once',
    step: (state, input) => {
      const next = reducer.step(state, input);
      return { ...next, effects: next.effects.filter(({ type }) => type !== 'forget') };
    },
  },
  'resumes although dispatches are gone': {
    rule: 'a replay is all in the log',
    step: (state, input) => reducer.step(state, input.type === 'adopt' ? { ...input, oldest: 1 } : input),
  },
  'skips a dispatch when it resumes': {
    rule: 'a replay begins where the client was and ends at the last dispatch',
    step: (state, input) => {
      if (input.type !== 'adopt') return reducer.step(state, input);
      const seq = Math.min(input.claim.seq + 1, sessionOf(state)?.seq ?? 0);
      return reducer.step(state, { ...input, claim: { ...input.claim, seq } });
    },
  },
  'loses dispatches while nobody is connected': {
    rule: 'a dispatch reaches who may see it, connected or not',
    step: (state, input) =>
      input.type === 'dispatch' && state.phase === 'detached' ? { state, effects: [] } : reducer.step(state, input),
  },
  'resumes without a heartbeat deadline': {
    rule: 'whoever waits has a deadline',
    step: (state, input) =>
      input.type === 'adopt'
        ? reducer.step(state, { ...input, link: { ...input.link, heartbeatBy: Number.POSITIVE_INFINITY } })
        : reducer.step(state, input),
  },
  'lets everyone identify at once': {
    rule: 'an IDENTIFY too soon gets opcode 9 alone',
    step: (state, input) =>
      input.type === 'frame' && input.grant?.identify === 'tooSoon'
        ? reducer.step(state, { ...input, grant: GRANT })
        : reducer.step(state, input),
  },
  'keeps the socket it closed': {
    rule: 'a closed socket is let go',
    step: (state, input) => {
      const next = reducer.step(state, input);
      return next.effects.some(({ type }) => type === 'close') && state.phase === 'live' ? { ...next, state } : next;
    },
  },
};

test.each(Object.entries(MUTANTS))('a machine that %s is caught', (_name, { rule, step }) => {
  expect(search(step).violation?.rule).toBe(rule);
});
