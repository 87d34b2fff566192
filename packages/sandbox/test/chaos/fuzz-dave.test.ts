/**
 * Hostile bytes for the delivery service: what members send changed at random, and noise. A seeded sample;
 * GUILDKIT_FUZZ_INPUTS sets how many inputs each parser gets, GUILDKIT_FUZZ_SEED where they begin.
 */
import { describe, expect, it } from 'vitest';
import { parseCommit, parseWelcome } from '../../src/protocol/dave/commit.js';
import { parseKeyPackage } from '../../src/protocol/dave/key-package.js';
import type { DaveServiceInput } from '../../src/voice/dave-service-types.js';
import { DaveRoom, userId } from '../support/dave-room.js';
import { dice, mutate } from '../support/mutate.js';

const INPUTS = Number(process.env.GUILDKIT_FUZZ_INPUTS ?? 10_000);
const SEED = Number(process.env.GUILDKIT_FUZZ_SEED ?? 1);
const TIMEOUT_MS = Math.max(60_000, INPUTS * 2);

/** Messages as members send them: of a first group, of adds and of removes. */
function recorded() {
  const room = new DaveRoom();
  const give = room.give.bind(room);
  const keyPackages: Uint8Array[] = [];
  const commits: Uint8Array[] = [];
  room.give = (input) => {
    if (input.type === 'keyPackage') keyPackages.push(input.payload);
    if (input.type === 'commitWelcome') commits.push(input.payload);
    give(input);
  };
  const members = [1, 2, 3, 4, 5].map((n) => room.join(n));
  room.leave(members[1] as (typeof members)[0]);
  room.join(6);
  expect(room.wrong()).toBeUndefined();
  return { room, keyPackages, commits };
}

const { keyPackages, commits } = recorded();

function inputs(seeds: readonly Uint8Array[], use: (bytes: Uint8Array) => void): void {
  const below = dice(SEED);
  for (let n = 0; n < INPUTS; n += 1) {
    const isNoise = n % 10 === 0;
    const bytes = isNoise
      ? Uint8Array.from({ length: below(200) }, (_, at) => ([0, 1, 0, 1 + below(5)][at] ?? below(256)) as number)
      : mutate(seeds[below(seeds.length)] as Uint8Array, below);
    try {
      use(bytes);
    } catch (error) {
      throw new Error(`input ${n} of seed ${SEED}: ${Buffer.from(bytes).toString('hex')}`, { cause: error });
    }
  }
}

/** Whether every view of a parsed message lies within its bytes, however deep. */
function expectWithin(value: unknown, bytes: Uint8Array): void {
  if (value instanceof Uint8Array) {
    const isEmpty = value.length === 0;
    const inside =
      value.buffer === bytes.buffer &&
      value.byteOffset >= bytes.byteOffset &&
      value.byteOffset + value.length <= bytes.byteOffset + bytes.length;
    if (!isEmpty && !inside) throw new Error('a view leads out of the message');
  } else if (typeof value === 'object' && value !== null) {
    for (const one of Object.values(value)) expectWithin(one, bytes);
  }
}

describe('hostile bytes', () => {
  it(
    'to the parsers',
    () => {
      const parsers = [
        [parseKeyPackage, keyPackages],
        [parseCommit, commits],
        [parseWelcome, commits.flatMap((bytes) => welcomeIn(bytes))],
      ] as const;
      for (const [parse, seeds] of parsers) {
        let parsed = 0;
        inputs(seeds, (bytes) => {
          const result = parse(bytes);
          if (!result.ok) return;
          parsed += 1;
          expectWithin(result.value, bytes);
        });
        // Some changes leave the shape: only then the views were looked at.
        expect(parsed).toBeGreaterThan(INPUTS / 50);
        expect(parsed).toBeLessThan(INPUTS);
      }
    },
    TIMEOUT_MS,
  );

  it(
    'to a channel that goes on all the same',
    () => {
      const { room, ...seeds } = recorded();
      const below = dice(SEED + 1);
      const users = [...room.ids(), userId(77)];
      const epoch = room.service.view.epoch;
      const right = new Set(
        [...seeds.keyPackages, ...seeds.commits].map((bytes) => Buffer.from(bytes).toString('hex')),
      );
      let given = 0;
      inputs([...seeds.keyPackages, ...seeds.commits], (payload) => {
        // A change that changes nothing: what a member sent rightly, it may send again.
        if (right.has(Buffer.from(payload).toString('hex'))) return;
        given += 1;
        const from = users[below(users.length)] as string;
        const input: DaveServiceInput =
          below(2) === 0
            ? { type: 'keyPackage', userId: from, payload }
            : { type: 'commitWelcome', userId: from, payload };
        expect(room.service.handle(input, room.now).length).toBe(0);
      });
      const { refused, keyPackages: taken } = room.service.counters;
      expect(Object.values(refused).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(given);
      expect(given).toBeGreaterThan(INPUTS * 0.9);
      expect(taken).toBe(6);
      expect(room.service.view).toMatchObject({ epoch, pending: [], transitions: [] });
      for (const transitionId of [0, -1, 3, 70_000, Number.NaN]) {
        for (const from of users) room.give({ type: 'transitionReady', userId: from, transitionId });
      }
      room.join(8);
      expect(room.wrong()).toBeUndefined();
    },
    TIMEOUT_MS,
  );
});

function welcomeIn(payload: Uint8Array): Uint8Array[] {
  const parsed = parseCommit(payload);
  return parsed.ok && parsed.value.rest.length > 0 ? [parsed.value.rest] : [];
}
