/** When rooms are compared with their logs, and what is made of the answer: against a Redis that answers as it is told. */
import { applyRoomEvent, initialRoomState, type RoomRead } from '@guildkit/server-kit/hub';
import { createVirtualClock } from '@guildkit/testkit';
import { expect, it } from 'vitest';
import { ManyRooms } from '../../src/io/many-rooms.js';
import type { RedisScriptOptions } from '../../src/io/port.js';
import { RoomFeed } from '../../src/io/room-feed.js';
import { ScriptRunner } from '../../src/io/scripts.js';
import { TailChecks } from '../../src/io/tail-checks.js';

const EVERY_MS = 7_000;
const RETRY_MS = 500;

/** Rooms at seq 1 of epoch `e`, a Redis whose answers `answer` gives, and who was read again. */
async function world(count: number, answer: (keys: readonly string[]) => Promise<number[]> | number[]) {
  const clock = createVirtualClock();
  const asked: (readonly string[])[] = [];
  const reads: string[] = [];
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const client = {
    async evalSha(_: string, { keys }: RedisScriptOptions) {
      asked.push(keys);
      return await answer(keys);
    },
    eval: () => Promise.reject(new Error('known by its hash')),
  };
  const rooms = Array.from({ length: count }, (_, n) => {
    const room = `channel:${n}`;
    const read = (): RoomRead => ({
      epoch: 'e',
      seq: 1,
      recovered: true,
      events: [],
      snapshot: initialRoomState(room),
    });
    const host = {
      clock,
      applyRoomEvent,
      ringSize: 4,
      retryMs: RETRY_MS,
      read: async () => {
        reads.push(room);
        return read();
      },
      onFilled: () => {},
    };
    return { feed: new RoomFeed(host, room), keys: [`${room} meta`, `${room} log`], room };
  });
  await Promise.all(rooms.map(({ feed }) => feed.fill()));
  reads.length = 0;
  const checks = new TailChecks({
    clock,
    runner: new ScriptRunner(client, 1_000, clock),
    manyRooms: new ManyRooms(),
    everyMs: EVERY_MS,
    retryMs: RETRY_MS,
    maxAgeMs: 300_000,
    rooms: () => rooms,
  });
  checks.start();
  return {
    clock,
    asked,
    reads,
    rooms,
    checks,
    settle,
    isSure: (n: number) => rooms[n]?.feed.read(undefined) !== undefined,
  };
}

it('asks for many rooms in one step, and reads those alone that are not as they were known', async () => {
  const { clock, asked, reads, settle } = await world(150, (keys) => (keys.length === 200 ? [3] : []));
  await clock.advance(EVERY_MS);
  await settle();
  expect(asked.map(({ length }) => length)).toEqual([200, 100]);
  expect(reads).toEqual(['channel:2']);
  await clock.advance(EVERY_MS);
  await settle();
  expect(asked).toHaveLength(4);
});

it('is sure again of what was compared since the connection was cut, not of what was under way', async () => {
  let answer: (places: number[]) => void = () => {};
  const { checks, settle, isSure, reads } = await world(
    1,
    () => new Promise<number[]>((resolve) => (answer = resolve)),
  );
  checks.check();
  await settle();
  checks.doubt();
  answer([]);
  await settle();
  expect(isSure(0)).toBe(false);
  checks.check();
  await settle();
  answer([]);
  await settle();
  expect(isSure(0)).toBe(true);
  expect(reads).toEqual([]);
});

it('asks soon again when Redis does not answer, all rooms being unsure', async () => {
  let isAway = true;
  const { clock, asked, settle, isSure } = await world(150, () => {
    if (isAway) throw new Error('away');
    return [];
  });
  await clock.advance(EVERY_MS);
  await settle();
  expect(asked).toHaveLength(1);
  expect([isSure(0), isSure(149)]).toEqual([false, false]);
  isAway = false;
  await clock.advance(RETRY_MS);
  await settle();
  expect(asked).toHaveLength(3);
  expect([isSure(0), isSure(149)]).toEqual([true, true]);
});

it('asks for each room by itself where their keys are on several nodes', async () => {
  const { clock, asked, reads, settle } = await world(3, (keys) => {
    if (keys.length > 2) throw new Error("CROSSSLOT Keys in request don't hash to the same slot");
    return keys[0] === 'channel:1 meta' ? [1] : [];
  });
  await clock.advance(EVERY_MS);
  await settle();
  expect(asked.map(({ length }) => length)).toEqual([6, 2, 2, 2]);
  expect(reads).toEqual(['channel:1']);
  await clock.advance(EVERY_MS);
  await settle();
  expect(asked).toHaveLength(7);
});
