/** What every {@link ReplayStore} must do. Another store passes it by calling {@link replayStoreSuite} with its factory. */
import type { ReplayStore } from '@guildkit/server-kit/hmac';
import { describe, expect, it } from 'vitest';

export interface ReplayStoreUnderTest {
  readonly store: ReplayStore;
  advance(ms: number): Promise<void>;
  close?(): Promise<void>;
}

export function replayStoreSuite(name: string, create: () => Promise<ReplayStoreUnderTest>): void {
  const run = (title: string, body: (subject: ReplayStoreUnderTest) => Promise<void>) =>
    it(title, async () => {
      const subject = await create();
      try {
        await body(subject);
      } finally {
        await subject.close?.();
      }
    });

  describe(`replay store: ${name}`, () => {
    run('gives a key to exactly one of all who claim it at once', async ({ store }) => {
      const claims = await Promise.all(Array.from({ length: 20 }, () => store.claim('key', 1_000)));
      expect(claims.filter(Boolean)).toHaveLength(1);
      expect(await store.claim('key', 1_000)).toBe(false);
    });

    run('tells what it remembers, without claiming', async ({ store }) => {
      expect(await store.has('key')).toBe(false);
      expect(await store.has('key')).toBe(false);
      expect(await store.claim('key', 1_000)).toBe(true);
      expect(await store.has('key')).toBe(true);
      expect(await store.has('Key')).toBe(false);
    });

    run('remembers for as long as was said and forgets then', async ({ store, advance }) => {
      await store.claim('short', 1_000);
      await store.claim('long', 121_000);
      await advance(900);
      expect(await store.claim('short', 1_000)).toBe(false);
      await advance(200);
      expect(await store.has('short')).toBe(false);
      expect(await store.claim('short', 1_000)).toBe(true);
      expect(await store.claim('long', 1_000)).toBe(false);
      await advance(121_000);
      expect(await store.claim('long', 1_000)).toBe(true);
    });

    run('keeps keys of any letters apart', async ({ store }) => {
      const keys = ['a', 'a:', ':a', 'a b', 'ä', '__proto__', '', 'x'.repeat(300)];
      for (const key of keys) expect(await store.claim(key, 1_000)).toBe(true);
      for (const key of keys) expect(await store.claim(key, 1_000)).toBe(false);
    });
  });
}
