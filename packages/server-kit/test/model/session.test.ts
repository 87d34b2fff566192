/** The hub session: every reachable state searched, long random runs, and mutants that the search must catch. */
import { explore } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSessionReducer, newSession } from '../../src/hub/protocol/session.js';
import type { SessionEffect, SessionState } from '../../src/hub/protocol/session-types.js';
import {
  brokenRule,
  inputsOf,
  keyOf,
  LIMITS,
  labelOf,
  type ModelInput,
  newWorld,
  nextInputs,
  type SessionReducer,
  stepWorld,
  type World,
} from '../support/session-model.js';

const reducer: SessionReducer = createSessionReducer(LIMITS);
const stream: SessionReducer = { ...createSessionReducer(LIMITS, 'stream'), kind: 'stream' };

function search(subject: SessionReducer) {
  return explore<World, ModelInput, SessionEffect>({
    initial: newWorld(),
    inputs: (world) => nextInputs(subject, world),
    step: (world, input) => stepWorld(subject, world, input),
    key: keyOf,
    invariant: (edge) => brokenRule(subject, edge),
    label: labelOf,
    phase: (world) => world.session.phase,
  });
}

type Input = Parameters<SessionReducer['step']>[1];
type Step = ReturnType<SessionReducer['step']>;

/** A session with a mistake in it, made from the outside: inputs bent before, or the outcome after. */
function mutant(bend: {
  input?: (state: SessionState, input: Input) => Input;
  step?: (from: SessionState, input: Input, step: Step) => Step;
}): SessionReducer {
  return {
    deadline: reducer.deadline,
    step(state, given) {
      const input = bend.input?.(state, given) ?? given;
      const step = reducer.step(state, input);
      return bend.step?.(state, input, step) ?? step;
    },
  };
}

const without = (type: SessionEffect['type']) =>
  mutant({
    step: (_, __, { state, effects }) => ({ state, effects: effects.filter((effect) => effect.type !== type) }),
  });

/** A ticket is replaced by the current one: as if tickets were not compared. */
const currentTicket = (state: SessionState, input: Input): Input => {
  if (!('ticket' in input && 'room' in input)) return input;
  const sub = state.subscriptions.get(input.room);
  return { ...input, ticket: sub?.ticket ?? input.ticket };
};

const MUTANTS: Record<string, SessionReducer> = {
  'a stale yes is taken': mutant({ input: currentTicket }),
  'a failed check is a yes': mutant({
    input: (_, input) =>
      input.type === 'authorized' && input.verdict === 'failed' ? { ...input, verdict: 'allowed' } : input,
  }),
  'leave is forgotten': without('leave'),
  'release is forgotten': without('release'),
  'a cancelled subscribe is not answered': mutant({
    step: (_, __, { state, effects }) => ({
      state,
      effects: effects.filter((effect) => effect.type !== 'refuse' || effect.code !== 'ERR_HUB_SUBSCRIPTION_CANCELLED'),
    }),
  }),
  'the auth deadline is forgotten': mutant({
    step: (_, __, { state, effects }) => ({ state: { ...state, authBy: undefined }, effects }),
  }),
  'the heartbeat is forgotten': mutant({
    step: (_, __, { state, effects }) => ({ state: { ...state, heartbeat: undefined, expiry: undefined }, effects }),
  }),
  'revalidation skips what is being asked': mutant({
    step: (from, input, step) =>
      input.type === 'revalidate' && [...from.subscriptions.values()].some((sub) => sub.stage === 'authorizing')
        ? { state: from, effects: [] }
        : step,
  }),
  'drain does not stop new subscriptions': mutant({
    step: (from, input, step) =>
      from.phase === 'draining' &&
      input.type === 'frame' &&
      input.parsed.kind === 'frame' &&
      input.parsed.frame.type === 'subscribe'
        ? ((open) => ({ state: { ...open.state, phase: 'draining' as const }, effects: open.effects }))(
            reducer.step({ ...from, phase: 'open' }, input),
          )
        : step,
  }),
  'another user may take over': mutant({
    step: (from, input, step) =>
      input.type === 'authenticated' &&
      from.principal !== undefined &&
      step.state.phase === 'closed' &&
      input.admitted &&
      input.expiresInMs > 0
        ? { state: { ...from, principal: input.principal, auth: undefined, authBy: undefined }, effects: [] }
        : step,
  }),
  'too many connections are admitted': mutant({
    input: (_, input) => (input.type === 'authenticated' ? { ...input, admitted: true } : input),
  }),
  'an expired proof is taken': mutant({
    input: (_, input) =>
      input.type === 'authenticated' ? { ...input, expiresInMs: Math.max(1, input.expiresInMs) } : input,
  }),
  'lag is not looked at': mutant({
    input: (_, input) => (input.type === 'frame' ? { ...input, behind: 0 } : input),
  }),
  'a command is answered twice': mutant({
    step: (_, input, { state, effects }) => ({
      state,
      effects: input.type === 'commandDone' ? [...effects, ...effects] : effects,
    }),
  }),
  'a command is forgotten': mutant({
    step: (_, __, { state, effects }) => ({ state: { ...state, commands: new Map() }, effects }),
  }),
  'the proof of another user renews': mutant({
    step: (from, input, step) =>
      input.type === 'renewed' && from.phase !== 'closed'
        ? { state: { ...step.state, principal: input.principal }, effects: step.effects }
        : step,
  }),
  'commands have no bound': mutant({
    step: (from, input, step) =>
      step.effects.some((effect) => effect.type === 'refuse' && effect.code === 'ERR_HUB_COMMAND_LIMIT')
        ? ((free) => ({
            state: { ...free.state, commands: new Map([...from.commands, ...free.state.commands]) },
            effects: free.effects,
          }))(reducer.step({ ...from, commands: new Map() }, input))
        : step,
  }),
  'the welcome comes twice': mutant({
    step: (_, input, { state, effects }) => ({
      state,
      effects:
        input.type === 'authFailed' ? [...effects, ...effects.filter(({ type }) => type === 'welcome')] : effects,
    }),
  }),
};

describe('exhaustive search', () => {
  it('finds every rule kept in every reachable state', () => {
    const found = search(reducer);
    expect(found.violation).toBeUndefined();
    expect(found.complete).toBe(true);
    expect(found.states).toBeGreaterThan(500);
    const edges = new Set(found.phaseEdges.map(({ from, to }) => `${from} → ${to}`));
    expect([...edges].sort()).toEqual([
      'authenticating → closed',
      'authenticating → open',
      'draining → closed',
      'open → closed',
      'open → draining',
      'opening → authenticating',
      'opening → closed',
      'opening → open',
    ]);
  });

  it('finds every rule kept in every reachable state of a stream', () => {
    const found = search(stream);
    expect(found.violation).toBeUndefined();
    expect(found.complete).toBe(true);
    const edges = new Set(found.phaseEdges.map(({ from, to }) => `${from} → ${to}`));
    expect([...edges].sort()).toEqual([
      'draining → closed',
      'open → closed',
      'open → draining',
      'opening → closed',
      'opening → open',
    ]);
  });

  for (const [name, subject] of Object.entries(MUTANTS)) {
    it(`catches: ${name}`, () => {
      expect(search(subject).violation?.rule).toBeTypeOf('string');
    });
  }
});

describe('random runs', () => {
  const limits = { ...LIMITS, maxSubscriptions: 3 };
  const wide = createSessionReducer(limits);

  it('keep every rule over many rooms and long times', () => {
    const choice = fc.record({
      pick: fc.nat(10_000),
      friendly: fc.nat(9),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(choice, { maxLength: 120, size: 'max' }), (choices) => {
        let world = newWorld(limits);
        for (const { pick, friendly, random } of choices) {
          // Mostly inputs that lead on: uniform ones end nearly every run within a few steps.
          const all = nextInputs(wide, world, limits);
          const on = all.filter((input) => stepWorld(wide, world, input, random).state.session.phase !== 'closed');
          const from = friendly > 0 && on.length > 0 ? on : all;
          const input = from[pick % from.length] as ModelInput;
          const { state, effects } = stepWorld(wide, world, input, random);
          const rule = brokenRule(wide, { from: world, input, to: state, effects }, limits);
          if (rule !== undefined) throw new Error(`${rule}, at ${labelOf(input)}`);
          world = state;
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('times', () => {
  const open = (): World => {
    let world = newWorld();
    for (const input of [
      { type: 'opened' },
      {
        type: 'authenticated',
        attempt: 1,
        principal: { userId: '1', roles: [], expiresAt: 60 },
        expiresInMs: 60,
        admitted: true,
      },
    ] as const) {
      world = stepWorld(reducer, world, input, 0.999).state;
    }
    return world;
  };

  it('ping, and end when no pong comes', () => {
    let world = open();
    const seen: string[] = [];
    while (world.session.phase !== 'closed') {
      const { state, effects } = stepWorld(reducer, world, { type: 'timer' });
      seen.push(
        ...effects.map((effect) => `${state.now.toFixed(2)} ${'event' in effect ? effect.event : effect.type}`),
      );
      world = state;
    }
    expect(seen).toEqual(['19.99 ping', '29.99 count', '29.99 close', '29.99 release']);
  });

  it('end with the proof when pongs come but no new proof', () => {
    let world = open();
    const seen: string[] = [];
    while (world.session.phase !== 'closed') {
      const { state, effects } = stepWorld(reducer, world, { type: 'timer' });
      world = state;
      for (const effect of effects)
        seen.push(
          `${Math.floor(state.now)} ${'code' in effect ? effect.code : 'event' in effect ? effect.event : effect.type}`,
        );
      if (effects[0]?.type === 'ping') {
        const pong = inputsOf(world).find((input) => labelOf(input) === 'pong') as ModelInput;
        world = stepWorld(reducer, world, pong).state;
      }
    }
    expect(seen).toEqual([
      '19 ping',
      '39 ping',
      '50 sys.reauth',
      '59 ping',
      '60 ERR_HUB_AUTH_EXPIRED',
      '60 4401',
      '60 release',
    ]);
  });

  it('end a stream that reports late or from far behind, and none that never reports', () => {
    const limits = { ...LIMITS, heartbeatMs: 20, pongTimeoutMs: 10 };
    const subject = createSessionReducer(limits, 'stream');
    const begin = () => {
      let { state } = subject.step(newSession(limits, 0), { type: 'opened', now: 0, random: 0 });
      const principal = { userId: '1', roles: [], expiresAt: Number.POSITIVE_INFINITY };
      const expiresInMs = Number.POSITIVE_INFINITY;
      const known = { type: 'authenticated', attempt: 1, principal, expiresInMs, admitted: true } as const;
      ({ state } = subject.step(state, { ...known, now: 0, random: 0 }));
      return state;
    };
    const pong = (behind: number) =>
      ({
        type: 'frame',
        parsed: { kind: 'frame', frame: { v: 1, type: 'pong', id: 'p', payload: {} } },
        behind,
        random: 0,
      }) as const;
    /** When the session ends by itself, when it does before 1000. */
    const endsAt = (start: SessionState) => {
      let state = start;
      for (;;) {
        const now = subject.deadline(state);
        if (now === undefined || now > 1_000) return undefined;
        ({ state } = subject.step(state, { type: 'timer', now, random: 0 }));
        if (state.phase === 'closed') return now;
      }
    };
    expect(endsAt(begin())).toBeUndefined();
    expect(endsAt(subject.step(begin(), { ...pong(0), now: 5 }).state)).toBe(5 + 2 * 20 + 10);
    // Marked at 10 (half an interval after the beginning).
    const marked = subject.step(begin(), { type: 'timer', now: 10, random: 0 }).state;
    expect(subject.step(marked, { ...pong(1), now: 19 }).state.phase).toBe('open');
    expect(subject.step(marked, { ...pong(1), now: 20 }).state.phase).toBe('closed');
    expect(subject.step(marked, { ...pong(0), now: 20 }).state.phase).toBe('open');
    expect(subject.step(marked, { ...pong(limits.maxLagEvents + 1), now: 11 }).state.phase).toBe('closed');
  });

  it('let frames through up to the burst, then end with 4429', () => {
    const slow = createSessionReducer({ ...LIMITS, maxFramesPerSecond: 2, maxSubscriptions: 3 });
    let { state } = slow.step(open().session, { type: 'timer', now: 0, random: 0 });
    state = { ...state, budget: { tokens: 5, at: 0 } };
    const frame = { type: 'frame', parsed: { kind: 'unknown', id: 'x' }, random: 0 } as const;
    for (let n = 0; n < 5; n += 1) state = slow.step(state, { ...frame, now: 0 }).state;
    const later = slow.step(state, { ...frame, now: 500 });
    expect(later.state.phase).toBe('open');
    const { effects } = slow.step(later.state, { ...frame, now: 501 });
    expect(effects).toEqual([
      { type: 'refuse', code: 'ERR_HUB_FRAME_RATE', re: undefined, retryAfterMs: 1_000 },
      { type: 'close', code: 4429, cause: 'ERR_HUB_FRAME_RATE' },
      { type: 'release' },
    ]);
  });
});
