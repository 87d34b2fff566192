/**
 * The delivery service against every input in every state, and against mistakes on purpose. GUILDKIT_DAVE_SEARCH=full searches
 * the two large scopes, too: one to its end, one as far as 200,000 states.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDelivery, initialDelivery } from '../../src/protocol/dave/delivery.js';
import { inGroup } from '../../src/protocol/dave/delivery-draft.js';
import type { DeliveryEffect, DeliveryInput, DeliveryState } from '../../src/protocol/dave/delivery-types.js';
import { applyCommit } from '../../src/protocol/dave/leaves.js';
import { commitOf, exploreDelivery, MODEL_RULES, SCOPES } from './delivery-model.js';
import { DELIVERY_MUTANTS } from './delivery-mutants.js';

const isFull = process.env.GUILDKIT_DAVE_SEARCH === 'full';
/** Enough for all kinds of effects. */
const SOME_STATES = 5_000;

describe('every rule holds', () => {
  test.each(['flags', 'readable'] as const)('in every reachable state: %s', (scope) => {
    const { exploration } = exploreDelivery(SCOPES[scope]);
    expect(exploration.violation).toBeUndefined();
    expect(exploration.complete).toBe(true);
    expect(exploration.states).toBeGreaterThan(100);
  });

  test('in the first states of three', () => {
    const { exploration, seen } = exploreDelivery(SCOPES.trio, createDelivery, SOME_STATES);
    expect(exploration.violation).toBeUndefined();
    // The search is worth something only if it gets everywhere.
    expect([...seen].sort()).toMatchInlineSnapshot(`
      [
        "announce",
        "append",
        "commitTimeouts",
        "commits",
        "execute",
        "externalSender",
        "keyPackages",
        "prepareEpoch",
        "prepareTransition",
        "proposals",
        "propose",
        "refuse incompleteWelcome",
        "refuse wrongEpoch",
        "refuse wrongProposals",
        "refuse wrongSender",
        "resets",
        "revocations",
        "revoke",
        "transitionTimeouts",
        "transitions",
        "welcome",
        "welcomes",
      ]
    `);
  });

  if (isFull) {
    test('in all states of the large scopes', () => {
      const rekeys = exploreDelivery(SCOPES.rekeys).exploration;
      expect(rekeys.violation).toBeUndefined();
      expect(rekeys.complete).toBe(true);
      expect(exploreDelivery(SCOPES.trio).exploration.violation).toBeUndefined();
    }, 600_000);
  }
});

test.each(DELIVERY_MUTANTS)('caught: $name', ({ make, breaks, scope }) => {
  const { exploration } = exploreDelivery(SCOPES[scope], make, SOME_STATES);
  expect(exploration.violation?.rule).toBe(breaks);
});

describe('leaves', () => {
  test('removes count first, adds go to the leftmost blank leaf, the last leaf is never blank', () => {
    expect(applyCommit(['a', 'b', 'c', 'd'], [1, 3], ['e'])).toEqual(['a', 'e', 'c']);
    expect(applyCommit(['a', undefined, 'c'], [0], ['e', 'f', 'g'])).toEqual(['e', 'f', 'c', 'g']);
    expect(applyCommit(['a', 'b', 'c'], [2, 1], [])).toEqual(['a']);
    expect(applyCommit(['a'], [], ['b', 'c'])).toEqual(['a', 'b', 'c']);
    expect(applyCommit(['a', 'b'], [1], ['b'])).toEqual(['a', 'b']);
  });
});

/** Members who do what DAVE asks, with a mailbox that is worked off in any order of members. */
class Crowd {
  state: DeliveryState = initialDelivery(MODEL_RULES);
  now = 0;
  private keyPackages = 0;
  private readonly reducer = createDelivery(MODEL_RULES);
  private readonly mail: { readonly to: string; readonly effect: DeliveryEffect }[] = [];

  give(input: DeliveryInput | { type: 'timer' }): void {
    const step = this.reducer.step(this.state, { ...input, now: this.now, random: 0 });
    this.state = step.state;
    for (const effect of step.effects) if ('to' in effect) this.mail.push({ to: effect.to, effect });
  }

  keyPackage(userId: string): void {
    this.keyPackages += 1;
    this.give({ type: 'keyPackage', userId, keyPackage: this.keyPackages });
  }

  /** One message is heard, if `heard`; otherwise it is lost. */
  work(pick: number, heard: boolean): void {
    const at = this.mail.length === 0 ? -1 : pick % this.mail.length;
    // In order for each member.
    const to = this.mail[at]?.to;
    const first = this.mail.findIndex((one) => one.to === to);
    const [one] = first < 0 ? [] : this.mail.splice(first, 1);
    if (one === undefined || !heard) return;
    const { effect } = one;
    if (effect.type === 'prepareEpoch') this.keyPackage(one.to);
    if (effect.type === 'append') this.give({ type: 'commit', userId: one.to, facts: commitOf(this.state, one.to) });
    if (effect.type === 'announce' || effect.type === 'welcome' || effect.type === 'prepareTransition') {
      this.give({ type: 'transitionReady', userId: one.to, transitionId: effect.transitionId });
    }
  }

  /** Everyone hears everything, and time passes, until nothing is left. */
  settle(): void {
    for (let n = 0; n < 2_000; n += 1) {
      if (this.mail.length > 0) this.work(0, true);
      else {
        const at = this.reducer.deadline(this.state);
        if (at === undefined) return;
        this.now = Math.max(this.now, at);
        this.give({ type: 'timer' });
      }
    }
    throw new Error('it does not come to rest');
  }
}

test('transition ids have 16 bits, and 0 is none that is waited for', () => {
  const crowd = new Crowd();
  for (const userId of ['u1', 'u2']) {
    crowd.give({ type: 'joined', userId, maxVersion: 1 });
    crowd.keyPackage(userId);
  }
  crowd.settle();
  // The first group is in force at once.
  expect(crowd.state).toMatchObject({ epoch: 1, lastTransition: 0, transitions: [] });
  crowd.state = { ...crowd.state, lastTransition: 0xfffe };
  for (const [userId, id] of [
    ['u3', 0xffff],
    ['u4', 1],
  ] as const) {
    crowd.give({ type: 'joined', userId, maxVersion: 1 });
    crowd.keyPackage(userId);
    crowd.settle();
    expect(crowd.state.lastTransition).toBe(id);
  }
  expect(inGroup(crowd.state)).toHaveLength(4);
});

test('whatever happened, once all do what DAVE asks everyone is in one group', () => {
  const happening = fc.record({
    kind: fc.constantFrom(
      'join',
      'join',
      'old',
      'leave',
      'keys',
      'flag',
      'work',
      'work',
      'work',
      'lose',
      'wait',
      'cut',
    ),
    n: fc.nat(99),
  });
  let groups = 0;
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60, size: 'max' }), (happenings) => {
      const crowd = new Crowd();
      for (const { kind, n } of happenings) {
        const userId = `u${n % 5}`;
        const isThere = crowd.state.members.some((one) => one.userId === userId);
        if (kind === 'join') {
          crowd.give({ type: 'joined', userId, maxVersion: 1 });
          if (crowd.state.encrypted) crowd.keyPackage(userId);
        }
        if (kind === 'old' && n < 20) crowd.give({ type: 'joined', userId, maxVersion: 0 });
        if (kind === 'leave') crowd.give({ type: 'left', userId });
        if (kind === 'keys' && isThere) crowd.keyPackage(userId);
        if (kind === 'flag') crowd.give({ type: 'invalid', userId, transitionId: crowd.state.lastTransition });
        if (kind === 'flag' && isThere && crowd.state.encrypted) crowd.keyPackage(userId);
        if (kind === 'work') crowd.work(n, true);
        if (kind === 'lose') crowd.work(n, false);
        if (kind === 'cut') crowd.give({ type: 'detached', userId });
        if (kind === 'wait') {
          crowd.now += n * 40;
          crowd.give({ type: 'timer' });
        }
      }
      for (const { userId, maxVersion } of crowd.state.members)
        if (maxVersion === 0) crowd.give({ type: 'left', userId });
      crowd.settle();
      // Who lost a message has not asked again: as a client that noticed, it does now.
      for (const { userId } of crowd.state.members) {
        if (inGroup(crowd.state).includes(userId)) continue;
        crowd.keyPackage(userId);
      }
      crowd.settle();
      const members = crowd.state.members.map(({ userId }) => userId).sort();
      expect(crowd.state.encrypted).toBe(true);
      expect(crowd.state.transitions).toEqual([]);
      if (members.length < 2) return;
      groups += 1;
      expect(inGroup(crowd.state).sort()).toEqual(members);
    }),
    { numRuns: 400, seed: 20_261_120 },
  );
  expect(groups).toBeGreaterThan(200);
});
