import { silentLogger } from '@guildkit/core';
import type { MediaSeat, SeatAudio } from '@guildkit/server-kit/media';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { createLiveQueue } from '../../src/server/live-queue.js';
import { createSeatPool, type Seat } from '../../src/server/seat-pool.js';

interface FakeSeat extends Seat {
  readonly steps: string[];
  readonly said: SeatAudio[];
  /** Somebody removed it from its channel. */
  kick(): void;
}

function start(
  size: number,
  { joining = () => Promise.resolve() }: { joining?: (step: string) => Promise<void> } = {},
) {
  const clock = createVirtualClock();
  const made: FakeSeat[] = [];
  const open = async (index: number): Promise<Seat> => {
    const steps: string[] = [];
    const said: SeatAudio[] = [];
    const ended = new Set<() => void>();
    const media: MediaSeat = {
      sendAudio: (frame) => void said.push(frame),
      sendVideo: () => {},
      onAudio: () => () => {},
      onVideo: () => () => {},
      onEnded(listener) {
        ended.add(listener);
        return () => ended.delete(listener);
      },
    };
    const seat: FakeSeat = {
      media,
      userId: `bot${index}`,
      steps,
      said,
      kick: () => ended.forEach((listener) => void listener()),
      connect: async () => {},
      async join(channelId) {
        steps.push(`join ${channelId}`);
        await joining(`bot${index} ${channelId}`);
      },
      leave: async () => void steps.push('leave'),
      close: async () => void steps.push('close'),
    };
    made.push(seat);
    return seat;
  };
  const pool = createSeatPool({ size, open, clock, logger: silentLogger });
  const take = (userId: string, channelId = '10') =>
    pool.take({ player: { userId, username: `Player ${userId}`, avatar: null }, channelId });
  return { pool, clock, made, take };
}

const frame: SeatAudio = { payload: new Uint8Array(1), timestamp: 0 };

describe('seats', () => {
  test('are made when they are needed, and run out', async () => {
    const { pool, made, take } = start(2);
    expect(made).toEqual([]);
    const first = await take('1');
    expect(await take('2')).not.toBeNull();
    expect(await take('3'), 'all are taken').toBeNull();
    expect(made.map(({ steps }) => steps)).toEqual([['join 10'], ['join 10']]);
    expect(pool.playerOf('bot0')).toMatchObject({ username: 'Player 1' });
    expect(pool.playerOf('stranger')).toBeUndefined();
    pool.release(first as MediaSeat);
    expect(await take('3'), 'who is here goes before who may come back').not.toBeNull();
    expect(made[0]?.steps).toEqual(['join 10', 'leave', 'join 10']);
    expect(pool.playerOf('bot0')).toMatchObject({ username: 'Player 3' });
  });

  test('wait for a player who comes back, but not for long', async () => {
    const { pool, clock, made, take } = start(1);
    pool.release((await take('1')) as MediaSeat);
    await clock.advance(4_000);
    const again = await take('1');
    await clock.advance(60_000);
    expect(made[0]?.steps, 'nobody saw them leave').toEqual(['join 10']);
    pool.release(again as MediaSeat);
    pool.release(again as MediaSeat);
    await clock.advance(5_001);
    expect(made[0]?.steps).toEqual(['join 10', 'leave']);
    expect(pool.playerOf('bot0')).toBeUndefined();
  });

  test('a page that comes back before the socket of before was missed speaks; the other does not', async () => {
    const { pool, made, take } = start(2);
    const before = (await take('1')) as MediaSeat;
    const after = (await take('1')) as MediaSeat;
    expect(made).toHaveLength(1);
    before.sendAudio(frame);
    expect(made[0]?.said).toEqual([]);
    after.sendAudio(frame);
    expect(made[0]?.said).toEqual([frame]);
    pool.release(after);
    before.sendAudio(frame);
    expect(made[0]?.said, 'the one that is left has the word again').toHaveLength(2);
  });

  test('one that was removed from its channel ends for its page, and goes to the next', async () => {
    const { pool, made, take } = start(1);
    const seat = (await take('1')) as MediaSeat;
    seat.onEnded?.(() => pool.release(seat));
    made[0]?.kick();
    expect(made[0]?.steps).toEqual(['join 10', 'leave']);
    expect(await take('2', '20')).not.toBeNull();
    expect(made[0]?.steps.at(-1)).toBe('join 20');
  });

  test('a player who leaves a room loses the seat there, and no other', async () => {
    const { pool, take } = start(3);
    const ended: string[] = [];
    for (const [userId, channelId] of [
      ['1', '10'],
      ['1', '20'],
      ['2', '10'],
    ] as const) {
      const seat = (await take(userId, channelId)) as MediaSeat;
      seat.onEnded?.(() => ended.push(`${userId} ${channelId}`));
    }
    pool.end('1', '10');
    expect(ended).toEqual(['1 10']);
  });

  test('waits for nobody who got up, unless another page of theirs is there', async () => {
    const { pool, made, take } = start(2);
    const first = (await take('1')) as MediaSeat;
    pool.release(first);
    pool.getUp('1', '10');
    expect(made[0]?.steps).toEqual(['join 10', 'leave']);
    // Heard of before the connection has ended.
    const second = (await take('1')) as MediaSeat;
    pool.getUp('1', '10');
    pool.release(second);
    expect(pool.playerOf('bot0')).toBeUndefined();
    const [page, other] = [(await take('1')) as MediaSeat, (await take('1')) as MediaSeat];
    pool.getUp('1', '10');
    pool.release(page);
    expect(pool.playerOf('bot0')).toBeDefined();
    pool.release(other);
    expect(pool.playerOf('bot0'), 'a page that is lost is waited for').toBeDefined();
  });

  test('one that is taken back while it joins is not handed out', async () => {
    let joined = (): void => {};
    const { pool, made, take } = start(1, {
      joining: () =>
        new Promise((resolve) => {
          joined = resolve;
        }),
    });
    const taking = take('1');
    await expect.poll(() => made[0]?.steps).toEqual(['join 10']);
    pool.end('1', '10');
    joined();
    expect(await taking).toBeNull();
    expect(pool.playerOf('bot0')).toBeUndefined();
    expect(made[0]?.steps).toEqual(['join 10', 'leave']);
  });

  test('one that cannot join is told, is free again, and the others go before it', async () => {
    let isBroken = true;
    const { made, take } = start(2, {
      joining: () => (isBroken ? Promise.reject(new Error('not permitted')) : Promise.resolve()),
    });
    await expect(take('1')).rejects.toThrow('not permitted');
    isBroken = false;
    expect(await take('1')).not.toBeNull();
    expect(await take('2')).not.toBeNull();
    expect(made).toHaveLength(2);
  });

  test('close for good', async () => {
    const { pool, clock, made, take } = start(2);
    const seat = (await take('1')) as MediaSeat;
    await pool.close();
    pool.release(seat);
    expect(made[0]?.steps).toContain('close');
    expect(await take('2')).toBeNull();
    expect(clock.pending).toBe(0);
  });
});

describe('what waits for a seat', () => {
  test('comes in order, is bounded, and ends', async () => {
    const queue = createLiveQueue<number>(3);
    for (const item of [1, 2, 3, 4]) queue.push(item);
    const got: number[] = [];
    const reading = (async () => {
      for await (const item of queue) got.push(item);
    })();
    await expect.poll(() => got).toEqual([2, 3, 4]);
    queue.push(5);
    await expect.poll(() => got.at(-1)).toBe(5);
    queue.push(6);
    queue.end();
    queue.push(7);
    await reading;
    expect(got).toEqual([2, 3, 4, 5, 6]);
  });
});
