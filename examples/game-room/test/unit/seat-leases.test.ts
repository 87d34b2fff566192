import { silentLogger } from '@guildkit/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { connectTo, hasRedis, TestRedis } from '../../../../packages/redis/test/support/redis-server.js';
import { createSeatLeases, type SeatLeases } from '../../src/server/seat-leases.js';
import { sweepSeats } from '../../src/server/seat-sweeper.js';

const player = (userId: string) => ({ userId, username: `P${userId}`, avatar: null });

describe.skipIf(!hasRedis)('bots that several processes share', () => {
  let redis: TestRedis;
  let client: Awaited<ReturnType<typeof connectTo>>;
  let all: SeatLeases[] = [];
  const start = (processId: string, renewMs = 5_000): SeatLeases => {
    const leases = createSeatLeases({ client, prefix: 'test', processId, size: 2, logger: silentLogger, renewMs });
    all.push(leases);
    return leases;
  };

  beforeAll(async () => {
    redis = await TestRedis.start();
    client = await connectTo(redis.path);
  });
  afterEach(async () => {
    await Promise.all(all.map((leases) => leases.close()));
    all = [];
    await client.sendCommand(['FLUSHALL']);
  });
  afterAll(async () => {
    await client?.close();
    await redis?.close();
  });

  test('each is one process’s until it is given back', async () => {
    const [a, b] = [start('a'), start('b')];
    expect(await Promise.all([a.take(0), b.take(0)])).toEqual([true, false]);
    expect(await b.take(1)).toBe(true);
    expect(await a.take(0), 'again is no harm').toBe(true);
    await b.release(0);
    expect(await b.take(0), 'what is another’s cannot be given back').toBe(false);
    await a.release(0);
    expect(await b.take(0)).toBe(true);
    await b.close();
    expect(await Promise.all([a.take(0), a.take(1)])).toEqual([true, true]);
  });

  test('every process can know for whom one speaks; looks that come together are one', async () => {
    const [a, b] = [start('a'), start('b')];
    await a.take(0);
    await a.name(0, { seatUserId: 'bot0', player: player('1') });
    await b.refresh();
    expect(b.playerOf('bot0')).toEqual(player('1'));
    const looks = vi.spyOn(client, 'eval');
    const first = b.refresh();
    const named = a.name(0, { seatUserId: 'bot0', player: player('2') });
    await Promise.all([first, named, b.refresh(), b.refresh(), b.refresh()]);
    expect(looks.mock.calls.filter(([, options]) => options?.keys?.length === 2)).toHaveLength(2);
    looks.mockRestore();
    expect(b.playerOf('bot0')).toEqual(player('2'));
    await a.release(0);
    await b.refresh();
    expect([b.playerOf('bot0'), b.unused()]).toEqual([undefined, ['bot0']]);
    b.learn([{ seatUserId: 'bot0', player: player('3') }]);
    expect([b.playerOf('bot0'), b.unused()]).toEqual([player('3'), []]);
  });

  test('a process that stood still too long has lost its bot, and is told; one that Redis forgot keeps it', async () => {
    const [a, b] = [start('a', 20), start('b')];
    const lost: number[] = [];
    a.onLost((index) => lost.push(index));
    await a.take(0);
    await a.name(0, { seatUserId: 'bot0', player: player('1') });
    await client.sendCommand(['FLUSHALL']);
    await vi.waitFor(async () => {
      await b.refresh();
      expect(b.playerOf('bot0')).toEqual(player('1'));
    });
    // Its lease has run out, and another was faster.
    await client.sendCommand(['HSET', 'test:{seats}:0', 'by', 'b']);
    await vi.waitFor(() => expect(lost).toEqual([0]));
  });
});

describe('bots whose process is gone', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('are taken out of voice by the owner, after a second look', async () => {
    let unused: string[] = [];
    let isOwner = true;
    const inVoice = new Set(['bot1', 'bot2']);
    const out: string[] = [];
    const stop = sweepSeats({
      leases: { refresh: async () => {}, unused: () => unused },
      isOwner: () => isOwner,
      isInVoice: (id) => inVoice.has(id),
      disconnect: async (id) => {
        out.push(id);
        inVoice.delete(id);
      },
      logger: silentLogger,
      everyMs: 1_000,
    });
    unused = ['bot1', 'bot3'];
    await vi.advanceTimersByTimeAsync(1_000);
    expect(out, 'it may be on its way').toEqual([]);
    isOwner = false;
    await vi.advanceTimersByTimeAsync(3_000);
    isOwner = true;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(out).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(out).toEqual(['bot1']);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(out).toEqual(['bot1']);
    stop();
    unused = ['bot2'];
    await vi.advanceTimersByTimeAsync(10_000);
    expect(out).toEqual(['bot1']);
  });
});
