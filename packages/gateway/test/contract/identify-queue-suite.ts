/**
 * What every identify queue does, in one process or shared by several (Discord docs, Gateway: Max Concurrency). An
 * implementation gives a fresh queue and its time; `identify-queue.test.ts` shows how.
 */
import type { IdentifyPermit, IdentifyQueue } from '@guildkit/gateway';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

/** A fresh queue under test. */
export interface IdentifyQueueHarness {
  /** Two ways to the same queue, as two processes have them; in one process the same twice. */
  readonly queues: readonly [IdentifyQueue, IdentifyQueue];
  /** The queue's time, ms. */
  now(): number;
  /** Lets time pass, and what is due happen. */
  advance(ms: number): Promise<void>;
  /** Timers and connections that are left when nobody waits; 0 when the implementation cannot tell. */
  pending(): number;
  close(): Promise<void>;
}

const WINDOW_MS = 5_000;
/** A shared queue may need a moment to hear of a turn. */
const LEEWAY_MS = 250;

interface Grant {
  readonly shardId: number;
  readonly at: number;
}

/** Declares the suite's tests. */
export function identifyQueueSuite(name: string, make: () => Promise<IdentifyQueueHarness>): void {
  describe(`${name} identify queue`, () => {
    let harness: IdentifyQueueHarness;
    let grants: Grant[];

    beforeEach(async () => {
      harness = await make();
      grants = [];
    });

    afterEach(async () => {
      await harness.close();
    });

    /** Asks as a shard does: told to stay away, it comes again. */
    function ask(
      shardId: number,
      { maxConcurrency = 1, signal = new AbortController().signal, process = shardId % 2 } = {},
    ): Promise<void> {
      const queue = harness.queues[process] as IdentifyQueue;
      const asked = (async () => {
        const permit: IdentifyPermit = await queue.acquire({ shardId, maxConcurrency, signal });
        if (permit.granted) grants.push({ shardId, at: harness.now() });
        else {
          expect(permit.retryAfterMs).toBeGreaterThanOrEqual(0);
          expect(Number.isFinite(permit.retryAfterMs)).toBe(true);
        }
      })();
      asked.catch(() => {});
      return asked;
    }

    async function pass(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += LEEWAY_MS) await harness.advance(LEEWAY_MS);
    }

    const order = () => grants.map(({ shardId }) => shardId);

    test('the first of a bucket need not wait', async () => {
      ask(0);
      await pass(LEEWAY_MS);
      expect(order()).toEqual([0]);
    });

    test('one in 5 s in a bucket, in the order of asking, over all processes', async () => {
      for (const shardId of [3, 0, 2, 1]) {
        ask(shardId);
        await harness.advance(1);
      }
      await pass(3 * WINDOW_MS + 4 * LEEWAY_MS);
      expect(order()).toEqual([3, 0, 2, 1]);
      grants.slice(1).forEach(({ at }, index) => {
        expect(at - (grants[index]?.at ?? 0)).toBeGreaterThanOrEqual(WINDOW_MS);
      });
    });

    test('buckets are shard id % max_concurrency, and do not wait for each other', async () => {
      for (let shardId = 0; shardId < 8; shardId += 1) {
        ask(shardId, { maxConcurrency: 4 });
        await harness.advance(1);
      }
      await pass(LEEWAY_MS);
      expect(order().sort()).toEqual([0, 1, 2, 3]);
      await pass(WINDOW_MS + LEEWAY_MS);
      expect(order().slice(4).sort()).toEqual([4, 5, 6, 7]);
    });

    test('an idle bucket saves nothing up', async () => {
      await pass(4 * WINDOW_MS);
      for (const shardId of [0, 1]) ask(shardId);
      await pass(LEEWAY_MS);
      expect(grants).toHaveLength(1);
    });

    test('a withdrawn wish rejects with its reason, at once, and costs nobody a turn', async () => {
      const withdrawn = new AbortController();
      await ask(0);
      const wish = ask(1, { signal: withdrawn.signal });
      await harness.advance(1);
      ask(2);
      await harness.advance(1_000);
      withdrawn.abort(new Error('closed'));
      await expect(wish).rejects.toThrow('closed');
      await pass(WINDOW_MS);
      expect(order()).toEqual([0, 2]);
    });

    test('a wish that was withdrawn before it was made takes no turn', async () => {
      const signal = AbortSignal.abort(new Error('too late'));
      await expect(ask(0, { signal })).rejects.toThrow('too late');
      ask(1);
      await pass(LEEWAY_MS);
      expect(order()).toEqual([1]);
    });

    test('withdrawing after the permit changes nothing', async () => {
      const done = new AbortController();
      await ask(0, { signal: done.signal });
      done.abort();
      ask(1);
      await pass(LEEWAY_MS);
      expect(order()).toEqual([0]);
      await pass(WINDOW_MS);
      expect(order()).toEqual([0, 1]);
    });

    test('32 shards of 16 buckets: all come through, none too early', async () => {
      for (let shardId = 0; shardId < 32; shardId += 1) ask(shardId, { maxConcurrency: 16 });
      // The asking takes its time, too.
      for (let window = 0; window < 4 && grants.length < 32; window += 1) await pass(WINDOW_MS);
      expect(grants).toHaveLength(32);
      for (let bucket = 0; bucket < 16; bucket += 1) {
        const [first, second] = grants.filter(({ shardId }) => shardId % 16 === bucket);
        expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(WINDOW_MS);
      }
    });

    test('when nobody waits, nothing is left running', async () => {
      const withdrawn = new AbortController();
      await ask(0);
      const wish = ask(1, { signal: withdrawn.signal });
      withdrawn.abort(new Error('closed'));
      await expect(wish).rejects.toThrow('closed');
      expect(harness.pending()).toBe(0);
    });
  });
}
