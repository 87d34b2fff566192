/**
 * What every RateLimitStore must do, by itself and below several clients. Call it, in any package's tests, with a way to make
 * a store and two views of it: two connections of a Redis, the same object twice for one in memory.
 */
import type { Clock } from '@guildkit/core';
import { DiscordRestClient, type RateLimitStore, type RestEvents } from '@guildkit/rest';
import { describe, expect, test } from 'vitest';
import { createModelDiscord, type ModelDiscord, type ModelDiscordOptions } from './model-discord.js';

export interface StoreUnderTest {
  /** Two processes' views of the same store. */
  readonly views: readonly [RateLimitStore, RateLimitStore];
  /** The time that the store goes by: `systemClock` for one that has its own. */
  readonly clock: Clock;
  /** Lets time pass for the store. */
  readonly advance: (ms: number) => Promise<void>;
  /** Waits for a promise while time passes. */
  readonly settle: <T>(promise: Promise<T>) => Promise<T>;
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

    test(
      'of one bucket the longest window stands, and who tells of it hears that',
      withStore(async ({ views: [a, b] }) => {
        const whole = { hash: 'h', limit: 5, windowMs: 1_000 };
        expect(await a.learn('GET /x', whole)).toEqual(whole);
        expect(await b.learn('GET /x', { ...whole, windowMs: 300 })).toEqual(whole);
        expect(await a.recall('GET /x')).toEqual(whole);
        expect(await b.learn('GET /x', { ...whole, windowMs: 2_000 })).toEqual({ ...whole, windowMs: 2_000 });
        expect(await a.learn('GET /x', { ...whole, limit: 6 })).toEqual({ ...whole, limit: 6 });
      }),
    );

    test(
      'names a wait that is no longer than the slot is held',
      withStore(async ({ views: [a, b], advance }) => {
        const slots = [{ key: 'k', limit: 1 }];
        await a.take('a1', slots, 60_000);
        await a.release('a1', [{ key: 'k', holdMs: 800 }]);
        const wait = await b.take('b1', slots, 1_000);
        expect(wait).toBeGreaterThan(0);
        expect(wait).toBeLessThanOrEqual(800);
        await advance(900);
        expect(await b.take('b1', slots, 1_000)).toBe(0);
      }),
    );
  });

  describe(`${name} below several clients`, () => {
    test(
      'keeps them within one bucket and one global limit, cold routes included',
      withStore(async (store) => {
        const { discord, clients } = clientsOn(store, {
          rule: (method) => ({ hash: method, limit: 3, windowMs: 250, counting: 'sliding' }),
          globalPerSecond: 20,
        });
        const all = Array.from({ length: 36 }, (_, n) =>
          clients[n % clients.length]?.request('POST', `/channels/10000000${n % 4}/messages`),
        );
        await store.settle(Promise.all(all));
        expect(discord.refused).toBe(0);
        expect(discord.done).toHaveLength(36);
      }),
    );

    test(
      'holds all of them back when one meets a 429',
      withStore(async (store) => {
        let refusals = 1;
        const hits: RestEvents['rateLimited'][] = [];
        const { discord, clients } = clientsOn(store, {
          rule: () => ({ hash: 'b', limit: 50, windowMs: 250, counting: 'sliding' }),
          globalPerSecond: 1_000,
          tooMany: () => (refusals-- > 0 ? 1 : undefined),
        });
        for (const client of clients) client.on('rateLimited', (event) => event.kind === 'hit' && hits.push(event));
        const get = (n: number) => clients[n]?.request('GET', '/channels/100000001');
        const first = get(0);
        // Its answer is in once it has told.
        while (hits.length === 0) await store.advance(10);
        const metAt = store.clock.now();
        await store.advance(50);
        await store.settle(Promise.all([first, get(1), get(2)]));
        expect(hits).toHaveLength(1);
        expect(discord.done).toHaveLength(3);
        expect(store.clock.now() - metAt).toBeGreaterThan(900);
      }),
    );

    test(
      'holds nobody up on a route that names no limit',
      withStore(async (store) => {
        const { discord, clients } = clientsOn(store, { rule: () => undefined, globalPerSecond: 1_000 });
        const get = (n: number) => clients[n % clients.length]?.request('GET', '/channels/100000001');
        await store.settle(Promise.all([get(0), get(1), get(2)]));
        expect(discord.mostAtOnce).toBe(1);
        await store.settle(Promise.all(Array.from({ length: 60 }, (_, n) => get(n))));
        expect(discord.done).toHaveLength(63);
        expect(discord.mostAtOnce).toBeGreaterThan(3);
      }),
    );

    test(
      'frees what a client holds that aborts',
      withStore(async (store) => {
        const { discord, clients } = clientsOn(store, {
          rule: () => ({ hash: 'b', limit: 1, windowMs: 250, counting: 'sliding' }),
          globalPerSecond: 1_000,
        });
        const leaving = new AbortController();
        const path = '/channels/100000001';
        const first = clients[0]?.request('GET', path);
        const aborted = clients[1]?.request('GET', path, { signal: leaving.signal }).catch((error: unknown) => error);
        const last = clients[2]?.request('GET', path);
        leaving.abort();
        await store.settle(Promise.all([first, aborted, last]));
        expect(await aborted).toMatchObject({ code: 'ERR_REST_REQUEST_ABORTED' });
        expect(discord.refused).toBe(0);
        expect(discord.done).toHaveLength(2);
      }),
    );
  });
}

/** Three clients with one token on two views of the store, and the Discord that they share. */
function clientsOn(
  { views: [a, b], clock }: StoreUnderTest,
  options: Pick<ModelDiscordOptions, 'rule' | 'globalPerSecond' | 'tooMany'>,
): { discord: ModelDiscord; clients: readonly DiscordRestClient[] } {
  const discord = createModelDiscord({ clock, latency: (n) => [5 + (n % 9), n % 7], ...options });
  const clients = [a, b, a].map(
    (rateLimitStore) =>
      new DiscordRestClient({
        token: 'a-token',
        transport: discord,
        clock,
        rateLimitStore,
        globalRequestsPerSecond: options.globalPerSecond,
      }),
  );
  return { discord, clients };
}
