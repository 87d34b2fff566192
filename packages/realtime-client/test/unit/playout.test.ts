/** When what has arrived is played: beside networks that delay, jitter and pause. */
import { createPlayout } from '@guildkit/realtime-client/media';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const RATE = 48_000;
const PACKET_MS = 20;

/** Plays packets that are sent every 20 ms and arrive with the given delays, in order. */
function run(delays: readonly number[], { first = 0, drift = 1 }: { first?: number; drift?: number } = {}) {
  const playout = createPlayout({ clockRate: RATE });
  let arrival = 0;
  return delays.map((delay, index) => {
    // In order, as a socket brings them.
    arrival = Math.max(arrival, index * PACKET_MS * drift + 1_000 + delay);
    const timestamp = (first + index * PACKET_MS * (RATE / 1_000)) >>> 0;
    return { arrival, index, ...playout.plan(timestamp, arrival), delayMs: playout.delayMs };
  });
}

describe('createPlayout', () => {
  it('plays a steady stream steadily, after the least delay', () => {
    const plays = run(Array.from({ length: 500 }, () => 30));
    for (const { playAt, index, late } of plays) {
      expect(playAt).toBeCloseTo(1_030 + index * PACKET_MS + 40, 6);
      expect(late).toBe(false);
    }
  });

  it('crosses the end of the timestamps', () => {
    const plays = run(
      Array.from({ length: 50 }, () => 0),
      { first: 2 ** 32 - 960 * 20 },
    );
    expect(plays.filter(({ restarted }) => restarted)).toHaveLength(1);
    for (const [at, play] of plays.entries()) expect(play.playAt).toBeCloseTo(1_000 + at * PACKET_MS + 40, 6);
  });

  it('never plays before the arrival, nor later than the bound after the fastest', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 400 }), (delays) => {
        for (const { playAt, arrival, delayMs } of run(delays)) {
          expect(playAt).toBeGreaterThanOrEqual(arrival);
          expect(delayMs).toBeGreaterThanOrEqual(40);
          expect(delayMs).toBeLessThanOrEqual(400);
          expect(playAt - arrival).toBeLessThanOrEqual(400);
        }
      }),
    );
  });

  it('learns the jitter: after a while hardly anything is late', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.integer({ min: 0, max: 120 })), (stream) => {
        const delays = Array.from({ length: 1_500 }, () => stream.next().value as number);
        const late = run(delays)
          .slice(500)
          .filter((play) => play.late);
        expect(late.length).toBeLessThan(10);
      }),
      { numRuns: 50 },
    );
  });

  it('forgets the jitter when it is over', () => {
    const rough = Array.from({ length: 500 }, (_, index) => (index % 5) * 40);
    const plays = run([...rough, ...Array.from({ length: 2_000 }, () => 0)]);
    expect(Math.max(...plays.slice(0, 500).map(({ delayMs }) => delayMs))).toBeGreaterThan(150);
    expect(plays.at(-1)?.delayMs).toBe(40);
  });

  it('begins anew after a pause, and after a sender that began anew', () => {
    const playout = createPlayout({ clockRate: RATE });
    expect(playout.plan(0, 1_000)).toMatchObject({ restarted: true, playAt: 1_040 });
    expect(playout.plan(960, 1_020)).toMatchObject({ restarted: false, playAt: 1_060 });
    // Said nothing for five seconds, by a clock that stood.
    expect(playout.plan(1_920, 6_000)).toMatchObject({ restarted: true, playAt: 6_040 });
    expect(playout.plan(3_000_000_000, 6_020)).toMatchObject({ restarted: true, playAt: 6_060 });
  });

  it('follows a sender whose clock is slower or faster', () => {
    for (const drift of [0.999, 1.001]) {
      const plays = run(
        Array.from({ length: 6_000 }, () => 10),
        { drift },
      );
      for (const { playAt, arrival } of plays.slice(1_000)) {
        expect(playAt - arrival).toBeGreaterThanOrEqual(0);
        expect(playAt - arrival).toBeLessThan(80);
      }
    }
  });
});
