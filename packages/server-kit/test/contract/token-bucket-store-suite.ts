/** What every token bucket store keeps to. */
import type { BucketLimit, TokenBucketStore } from '@guildkit/server-kit/commands';
import { describe, expect, it } from 'vitest';

const LIMIT: BucketLimit = { tokens: 5, perMs: 5_000, burst: 10 };

export interface StoreUnderTest {
  readonly store: TokenBucketStore;
  /** Lets the store's time pass. */
  advance(ms: number): Promise<void>;
}

export function tokenBucketStoreSuite(name: string, create: () => Promise<StoreUnderTest>): void {
  describe(`the ${name} token bucket store`, () => {
    it('gives a burst, then as many as come in, and says when the next is there', async () => {
      const { store, advance } = await create();
      for (let left = 9; left >= 0; left -= 1) {
        expect(await store.take('a', 1, LIMIT)).toEqual({ allowed: true, remaining: left, retryAfterMs: 0 });
      }
      expect(await store.take('a', 1, LIMIT)).toEqual({ allowed: false, remaining: 0, retryAfterMs: 1_000 });
      await advance(999);
      expect(await store.take('a', 1, LIMIT)).toEqual({ allowed: false, remaining: 0, retryAfterMs: 1 });
      await advance(1);
      expect((await store.take('a', 1, LIMIT)).allowed).toBe(true);
      expect((await store.take('a', 1, LIMIT)).allowed).toBe(false);
    });

    it('refuses what does not fit and takes nothing for it', async () => {
      const { store } = await create();
      expect(await store.take('a', 4, LIMIT)).toMatchObject({ allowed: true, remaining: 6 });
      expect(await store.take('a', 7, LIMIT)).toMatchObject({ allowed: false, remaining: 6, retryAfterMs: 1_000 });
      expect(await store.take('a', 6, LIMIT)).toMatchObject({ allowed: true, remaining: 0 });
    });

    it('keeps each key’s bucket apart, and never more than the burst', async () => {
      const { store, advance } = await create();
      await store.take('a', 10, LIMIT);
      expect((await store.take('b', 10, LIMIT)).allowed).toBe(true);
      await advance(3_600_000);
      expect((await store.take('a', 10, LIMIT)).allowed).toBe(true);
      expect((await store.take('a', 1, LIMIT)).allowed).toBe(false);
    });

    it('puts back what was taken in vain, up to the burst', async () => {
      const { store } = await create();
      await store.take('a', 10, LIMIT);
      await store.give('a', 2, LIMIT);
      expect((await store.take('a', 2, LIMIT)).allowed).toBe(true);
      expect((await store.take('a', 1, LIMIT)).allowed).toBe(false);
      await store.give('b', 5, LIMIT);
      expect((await store.take('b', 10, LIMIT)).remaining).toBe(0);
    });

    it('takes each token once, however many ask at the same time', async () => {
      const { store } = await create();
      const results = await Promise.all(Array.from({ length: 50 }, () => store.take('a', 1, LIMIT)));
      expect(results.filter(({ allowed }) => allowed)).toHaveLength(10);
    });
  });
}
