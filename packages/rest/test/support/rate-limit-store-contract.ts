/** What every RateLimitStore must do. Call it with a way to make one, and two views of the same one. */
import type { RateLimitStore } from '@guildkit/rest';
import { describe, expect, test } from 'vitest';

export interface StoreUnderTest {
  /** Two processes' views of the same store. */
  readonly views: readonly [RateLimitStore, RateLimitStore];
  /** Lets time pass for the store. */
  readonly advance: (ms: number) => Promise<void>;
  readonly close?: (() => Promise<void>) | undefined;
}

export function describeRateLimitStore(name: string, create: () => Promise<StoreUnderTest>): void {
  const withStore = (run: (store: StoreUnderTest) => Promise<void>) => async (): Promise<void> => {
    const store = await create();
    try {
      await run(store);
    } finally {
      await store.close?.();
    }
  };

  describe(`${name} as a RateLimitStore`, () => {
    test(
      'gives as many slots as there are, to all processes together',
      withStore(async ({ views: [a, b] }) => {
        const slots = [{ key: 'k', limit: 3 }];
        expect(await a.take('a1', slots, 10_000)).toBe(0);
        expect(await b.take('b1', slots, 10_000)).toBe(0);
        expect(await a.take('a2', slots, 10_000)).toBe(0);
        expect(await b.take('b2', slots, 10_000)).toBeGreaterThan(0);
        expect(await b.take('b2', [{ key: 'other', limit: 1 }], 10_000)).toBe(0);
      }),
    );

    test(
      'concurrent takers never exceed the limit',
      withStore(async ({ views }) => {
        const slots = [{ key: 'k', limit: 10 }];
        const takers = Array.from({ length: 40 }, (_, n) => views[n % 2 === 0 ? 0 : 1].take(`l${n}`, slots, 10_000));
        expect((await Promise.all(takers)).filter((wait) => wait === 0)).toHaveLength(10);
      }),
    );

    test(
      'takes all of several limits or none',
      withStore(async ({ views: [a, b] }) => {
        expect(await a.take('a1', [{ key: 'full', limit: 1 }], 10_000)).toBe(0);
        const both = [
          { key: 'free', limit: 1 },
          { key: 'full', limit: 1 },
        ];
        expect(await b.take('b1', both, 10_000)).toBeGreaterThan(0);
        expect(await b.take('b2', [{ key: 'free', limit: 1 }], 10_000)).toBe(0);
      }),
    );

    test(
      'a released slot is free after its hold, not before',
      withStore(async ({ views: [a, b], advance }) => {
        const slots = [{ key: 'k', limit: 1 }];
        await a.take('a1', slots, 60_000);
        await a.release('a1', [{ key: 'k', holdMs: 1_000 }]);
        expect(await b.take('b1', slots, 1_000)).toBeGreaterThan(0);
        await advance(1_100);
        expect(await b.take('b1', slots, 1_000)).toBe(0);
        await b.release('b1', [{ key: 'k', holdMs: 0 }]);
        expect(await a.take('a2', slots, 1_000)).toBe(0);
      }),
    );

    test(
      'a release adds the slot of a key that was not taken',
      withStore(async ({ views: [a, b], advance }) => {
        await a.take('a1', [{ key: 'cold', limit: 1 }], 60_000);
        await a.release('a1', [
          { key: 'cold', holdMs: 0 },
          { key: 'hot', holdMs: 1_000 },
        ]);
        expect(await b.take('b1', [{ key: 'cold', limit: 1 }], 1_000)).toBe(0);
        expect(await b.take('b2', [{ key: 'hot', limit: 1 }], 1_000)).toBeGreaterThan(0);
        await advance(1_100);
        expect(await b.take('b2', [{ key: 'hot', limit: 1 }], 1_000)).toBe(0);
      }),
    );

    test(
      'the slots of a process that died are free when its lease ends',
      withStore(async ({ views: [a, b], advance }) => {
        const slots = [{ key: 'k', limit: 1 }];
        await a.take('a1', slots, 1_000);
        expect(await b.take('b1', slots, 1_000)).toBeGreaterThan(0);
        await advance(1_100);
        expect(await b.take('b1', slots, 1_000)).toBe(0);
      }),
    );

    test(
      'a block holds everyone for its time; a shorter one does not end it',
      withStore(async ({ views: [a, b], advance }) => {
        const slots = [{ key: 'k', limit: 5 }];
        await a.block('k', 2_000);
        await b.block('k', 500);
        expect(await b.take('b1', slots, 1_000)).toBeGreaterThan(0);
        await advance(1_000);
        expect(await a.take('a1', slots, 1_000)).toBeGreaterThan(0);
        await advance(1_100);
        expect(await a.take('a1', slots, 1_000)).toBe(0);
      }),
    );

    test(
      'what one process learned the other recalls, the newest of it',
      withStore(async ({ views: [a, b] }) => {
        expect(await b.recall('GET /x')).toBeUndefined();
        await a.learn('GET /x', { hash: 'h', limit: 5, windowMs: 1_000 });
        expect(await b.recall('GET /x')).toEqual({ hash: 'h', limit: 5, windowMs: 1_000 });
        await b.learn('GET /x', { hash: 'i', limit: 2, windowMs: 250 });
        expect(await a.recall('GET /x')).toEqual({ hash: 'i', limit: 2, windowMs: 250 });
      }),
    );
  });
}
