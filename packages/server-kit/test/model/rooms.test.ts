/** Capacity, cleanup and inventory of rooms: searched exhaustively, with mutants that the search must catch. */
import type { Reducer, Stamp, TimerInput } from '@guildkit/core';
import { explore } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admit, vacate } from '../../src/rooms/protocol/capacity.js';
import {
  type CleanupEffect,
  type CleanupInput,
  type CleanupState,
  type CleanupTimes,
  createCleanupReducer,
  newCleanup,
} from '../../src/rooms/protocol/cleanup.js';
import { takeInventory } from '../../src/rooms/protocol/inventory.js';
import { type RoomRecord, readRoleName, roleName } from '../../src/rooms/protocol/room.js';
import { aRoom } from '../contract/room-store-suite.js';

// ─── cleanup ────────────────────────────────────────────────────────────────────────────────────────────────────

const TIMES: CleanupTimes = { lookEveryMs: 5, idleMs: 12, noticeMs: 3 };

type CleanupReducer = Reducer<CleanupState, CleanupInput, CleanupEffect>;
type Input = CleanupInput | TimerInput | { readonly type: 'pass' };
interface World {
  readonly now: number;
  readonly room: CleanupState;
  /** Nobody has been there since, by the world's own book. */
  readonly emptySince: number;
  /** It was announced when. */
  readonly noticeAt: number | undefined;
}

const reducer = createCleanupReducer(TIMES);

function stepWorld(
  subject: CleanupReducer,
  world: World,
  input: Input,
): { state: World; effects: readonly CleanupEffect[] } {
  if (input.type === 'pass') return { state: { ...world, now: world.now + 1 }, effects: [] };
  const now = input.type === 'timer' ? Math.max(world.now, subject.deadline(world.room) ?? world.now) : world.now;
  const stamp: Stamp = { now, random: 0.5 };
  const { state: room, effects } = subject.step(world.room, { ...input, ...stamp });
  const someone =
    input.type === 'arrived' ||
    input.type === 'keep' ||
    (input.type === 'looked' && input.occupied && world.room.looking);
  const announced = effects.some(({ type }) => type === 'announce');
  const noticeAt = announced ? now : effects.some(({ type }) => type === 'cancel') ? undefined : world.noticeAt;
  return { state: { now, room, emptySince: someone ? now : world.emptySince, noticeAt }, effects };
}

function brokenRule(
  subject: CleanupReducer,
  from: World,
  input: Input,
  to: World,
  effects: readonly CleanupEffect[],
): string | undefined {
  const has = (type: CleanupEffect['type']): boolean => effects.some((effect) => effect.type === type);
  const at = subject.deadline(to.room);
  if (from.room.closed && effects.length > 0) return 'closed is over';
  if (has('close') && from.noticeAt === undefined) return 'nothing is closed unannounced';
  if (has('close') && to.now - (from.noticeAt ?? 0) < TIMES.noticeMs) return 'the notice is kept';
  if (has('close') && to.now - from.emptySince < TIMES.idleMs)
    return 'a room is closed only after it was empty for long';
  if (has('close') && !(input.type === 'looked' && !input.occupied)) return 'a look comes before the end';
  if (has('announce') && from.noticeAt !== undefined) return 'an end is announced once';
  if (has('announce') && to.now - from.emptySince < TIMES.idleMs) return 'an end is announced only when due';
  const saved =
    input.type === 'arrived' ||
    input.type === 'keep' ||
    (input.type === 'looked' && input.occupied && from.room.looking);
  if (saved && from.noticeAt !== undefined && !from.room.closed && !has('cancel')) return 'who saves a room is told';
  if (has('cancel') && from.noticeAt === undefined) return 'only what was announced is cancelled';
  if (has('look') && from.room.looking) return 'one look at a time';
  if (input.type === 'looked' && !from.room.looking && to.room !== from.room)
    return 'a look that was overtaken says nothing';
  if (input.type === 'looked' && to.room.looking) return 'a look ends';
  if (to.room.closed || to.room.looking) return at === undefined ? undefined : 'nothing is waited for';
  if (at === undefined) return 'someone looks again';
  if (input.type !== 'pass' && at <= to.now) return 'time moves on';
  if (at - to.now > Math.max(TIMES.lookEveryMs, TIMES.noticeMs)) return 'looks do not get rare';
  return undefined;
}

function search(subject: CleanupReducer) {
  return explore<World, Input, CleanupEffect>({
    initial: { now: 0, room: newCleanup(TIMES, 0), emptySince: 0, noticeAt: undefined },
    inputs: ({ room, now }) => [
      { type: 'arrived' },
      { type: 'keep' },
      { type: 'looked', occupied: true },
      { type: 'looked', occupied: false },
      ...(subject.deadline(room) === undefined ? [] : ([{ type: 'timer' }] as const)),
      // Looks take time.
      ...(room.looking && now < 60 ? ([{ type: 'pass' }] as const) : []),
    ],
    step: (world, input) => stepWorld(subject, world, input),
    key: ({ now, room, emptySince, noticeAt }) => {
      const ago = (time: number | undefined): number => (time === undefined ? -1 : Math.min(now - time, 20));
      return JSON.stringify([
        room.nextLookAt - now,
        ago(room.emptySince),
        ago(room.closesAt),
        room.looking,
        room.closed,
        ago(emptySince),
        ago(noticeAt),
      ]);
    },
    invariant: ({ from, input, to, effects }) => brokenRule(subject, from, input, to, effects),
    label: (input) => (input.type === 'looked' ? `looked: ${input.occupied ? 'someone' : 'nobody'}` : input.type),
    phase: ({ room }) => (room.closed ? 'closed' : room.closesAt === undefined ? 'watching' : 'notice'),
    maxStates: 50_000,
  });
}

type Step = ReturnType<CleanupReducer['step']>;
const mutant = (
  bend: (from: CleanupState, input: Parameters<CleanupReducer['step']>[1], step: Step) => Step,
): CleanupReducer => ({
  deadline: reducer.deadline,
  step: (state, input) => bend(state, input, reducer.step(state, input)),
});
const CLEANUP_MUTANTS: Record<string, CleanupReducer> = {
  'closes without a notice': createCleanupReducer({ ...TIMES, noticeMs: 0 }),
  'closes too early': createCleanupReducer({ ...TIMES, idleMs: 6 }),
  'does not hear arrivals': mutant((from, input, step) =>
    input.type === 'arrived' ? { state: from, effects: [] } : step,
  ),
  'takes an overtaken look': {
    deadline: reducer.deadline,
    step: (state, input) => reducer.step(input.type === 'looked' ? { ...state, looking: true } : state, input),
  },
  'does not look before the end': mutant((from, input, step) =>
    input.type === 'timer' && from.closesAt !== undefined && input.now >= from.closesAt
      ? { state: { ...from, closed: true }, effects: [{ type: 'close' }] }
      : step,
  ),
  'forgets to look again': mutant((_, input, { state, effects }) =>
    input.type === 'looked' ? { state: { ...state, looking: true }, effects } : { state, effects },
  ),
  'does not say that it stays': mutant((_, __, { state, effects }) => ({
    state,
    effects: effects.filter(({ type }) => type !== 'cancel'),
  })),
  'announces twice': mutant((_, __, { state, effects }) => ({
    state,
    effects: effects.flatMap<CleanupEffect>((effect) =>
      effect.type === 'close' ? [{ type: 'announce', inMs: 3 } as const, effect] : [effect],
    ),
  })),
};

describe('cleanup', () => {
  it('keeps every rule in every reachable state', () => {
    const found = search(reducer);
    expect(found.violation).toBeUndefined();
    expect(found.complete).toBe(true);
    expect(found.states).toBeGreaterThan(100);
    expect([...new Set(found.phaseEdges.map(({ from, to }) => `${from} → ${to}`))].sort()).toEqual([
      'notice → closed',
      'notice → watching',
      'watching → notice',
    ]);
  });

  it.each(Object.keys(CLEANUP_MUTANTS))('catches the mutant: %s', (name) => {
    const found = search(CLEANUP_MUTANTS[name] as CleanupReducer);
    const phases = found.phaseEdges.map(({ from, to }) => `${from} → ${to}`);
    expect(found.violation !== undefined || !phases.includes('notice → closed')).toBe(true);
  });
});

// ─── capacity ───────────────────────────────────────────────────────────────────────────────────────────────────

type Capacity = { admit: typeof admit; vacate: typeof vacate };
type Seat = { readonly type: 'join' | 'leave'; readonly userId: string } | { readonly type: 'end' };

function searchSeats(subject: Capacity) {
  return explore<RoomRecord, Seat, string>({
    initial: aRoom({ userLimit: 2, holders: [] }),
    inputs: () => [
      ...['1', '2', '3'].flatMap((userId) => [{ type: 'join', userId } as const, { type: 'leave', userId } as const]),
      { type: 'end' },
    ],
    step: (room, input) => {
      if (input.type === 'end') return { state: { ...room, state: 'ending' }, effects: [] };
      if (input.type === 'leave') return { state: subject.vacate(room, input.userId) ?? room, effects: [] };
      const admission = subject.admit(room, input.userId);
      return { state: admission.kind === 'admitted' ? admission.room : room, effects: [admission.kind] };
    },
    key: ({ holders, state }) => JSON.stringify([holders, state]),
    invariant: ({ from, input, to, effects: [verdict] }) => {
      if (to.holders.length > 2) return 'no more than fit in';
      if (new Set(to.holders).size !== to.holders.length) return 'one seat a person';
      if (input.type === 'leave' && to.holders.includes(input.userId)) return 'who leaves is gone';
      if (input.type !== 'join') return undefined;
      if (from.state !== 'open')
        return verdict === 'over' && to === from ? undefined : 'nobody gets into a room that is over';
      if (verdict === 'full' && (from.holders.length < 2 || from.holders.includes(input.userId)))
        return 'full means full';
      if ((verdict === 'admitted' || verdict === 'seated') !== to.holders.includes(input.userId))
        return 'a yes is a seat';
      return undefined;
    },
    label: (input) => input.type,
    phase: ({ holders }) => String(holders.length),
  });
}

const CAPACITY_MUTANTS: Record<string, Capacity> = {
  'one too many': { admit: (room, userId) => admit({ ...room, userLimit: room.userLimit + 1 }, userId), vacate },
  'two seats for one': {
    admit: (room, userId) =>
      room.state === 'open' && room.holders.length < 2
        ? { kind: 'admitted', room: { ...room, holders: [...room.holders, userId] } }
        : admit(room, userId),
    vacate,
  },
  'full before who is in': {
    admit: (room, userId) =>
      room.state === 'open' && room.holders.length >= room.userLimit ? { kind: 'full' } : admit(room, userId),
    vacate,
  },
  'into a room that is over': { admit: (room, userId) => admit({ ...room, state: 'open' }, userId), vacate },
  'leaving is forgotten': { admit, vacate: () => undefined },
};

describe('capacity', () => {
  it('keeps every rule in every reachable state', () => {
    const found = searchSeats({ admit, vacate });
    expect(found).toMatchObject({ violation: undefined, complete: true });
    expect(found.states).toBe(20);
  });

  it.each(Object.keys(CAPACITY_MUTANTS))('catches the mutant: %s', (name) => {
    expect(searchSeats(CAPACITY_MUTANTS[name] as Capacity).violation).toBeDefined();
  });
});

// ─── inventory ──────────────────────────────────────────────────────────────────────────────────────────────────

describe('inventory', () => {
  const marker = (n: number): string => n.toString(16).padStart(16, '0');

  it('reads the names that it writes, and no others', () => {
    const mark = { marker: marker(7), creatorId: '42' };
    expect(readRoleName(roleName(mark))).toEqual(mark);
    expect(roleName({ marker: marker(7), creatorId: '9'.repeat(20) }).length).toBeLessThanOrEqual(100);
    for (const name of [
      'room',
      'Moderator',
      `room ${marker(7)} 42 x`,
      `Room ${marker(7)} 42`,
      `room ${marker(7)} x`,
      '',
    ]) {
      expect(readRoleName(name)).toBeUndefined();
    }
  });

  it('counts every role and channel of ours once, and none of others, in whatever order they come', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ marker: fc.integer({ min: 1, max: 3 }), channels: fc.integer({ min: 0, max: 2 }) }), {
          maxLength: 6,
        }),
        fc.infiniteStream(fc.nat()),
        (rooms, random) => {
          const shuffled = <T>(items: readonly T[]): T[] =>
            items
              .map((item) => [random.next().value, item] as const)
              .sort(([a], [b]) => a - b)
              .map(([, item]) => item);
          const roles = rooms.map((room, n) => ({
            id: String(100 + n),
            name: roleName({ marker: marker(room.marker), creatorId: '42' }),
          }));
          const channels = rooms.flatMap((room, n) =>
            Array.from({ length: room.channels }, (_, k) => ({
              id: String(1_000 + 10 * n + k),
              type: 2,
              name: 'Table',
              user_limit: 4,
              permission_overwrites: [{ id: '1' }, { id: String(100 + n) }],
            })),
          );
          const others = [
            { id: '5', type: 2, name: 'Lounge' },
            { id: '6', type: 0, permission_overwrites: roles.map(({ id }) => ({ id })) },
          ];
          const found = takeInventory(
            shuffled([...roles, { id: '1', name: '@everyone' }]),
            shuffled([...channels, ...others]),
          );
          const listed = [...found.rooms, ...found.surplus].map(({ channelId }) => channelId);
          expect(listed.sort()).toEqual(channels.map(({ id }) => id).sort());
          expect(new Set(found.rooms.map((room) => room.marker)).size).toBe(found.rooms.length);
          expect(found.orphanRoles.map(({ roleId }) => roleId).sort()).toEqual(
            rooms.flatMap((room, n) => (room.channels === 0 ? [String(100 + n)] : [])).sort(),
          );
          for (const room of found.rooms) {
            const rivals = found.surplus.filter((other) => other.marker === room.marker);
            expect(
              rivals.every(
                (rival) =>
                  Number(rival.roleId) > Number(room.roleId) || Number(rival.channelId) > Number(room.channelId),
              ),
            ).toBe(true);
          }
        },
      ),
    );
  });
});
