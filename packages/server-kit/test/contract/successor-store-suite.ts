/** What every {@link SuccessorStore} must do. Another store passes it by calling {@link successorStoreSuite}. */
import type { SuccessorStore } from '@guildkit/server-kit/oauth';
import { describe, expect, it } from 'vitest';

export interface SuccessorStoreUnderTest {
  readonly store: SuccessorStore;
  advance(ms: number): Promise<void>;
  close?(): Promise<void>;
}

export function successorStoreSuite(name: string, create: () => Promise<SuccessorStoreUnderTest>): void {
  const run = (title: string, body: (subject: SuccessorStoreUnderTest) => Promise<void>) =>
    it(title, async () => {
      const subject = await create();
      try {
        await body(subject);
      } finally {
        await subject.close?.();
      }
    });

  describe(`successor store: ${name}`, () => {
    run('gives a claim to one, until it is released or runs out', async ({ store, advance }) => {
      const claims = await Promise.all(Array.from({ length: 9 }, () => store.claim('a', 1_000)));
      expect(claims.filter(Boolean)).toHaveLength(1);
      await store.release('a');
      expect(await store.claim('a', 1_000)).toBe(true);
      await advance(1_100);
      expect(await store.claim('a', 1_000)).toBe(true);
      expect(await store.claim('b', 1_000)).toBe(true);
      await store.release('never claimed');
    });

    run('keeps a value for its time', async ({ store, advance }) => {
      expect(await store.get('a')).toBeUndefined();
      await store.put('a', 'first', 1_000);
      await store.put('a', 'second', 2_000);
      await advance(1_100);
      expect(await store.get('a')).toBe('second');
      await advance(1_000);
      expect(await store.get('a')).toBeUndefined();
    });

    run('keeps claims and values apart', async ({ store }) => {
      await store.put('a', 'value', 1_000);
      expect(await store.claim('a', 1_000)).toBe(true);
      await store.release('a');
      expect(await store.get('a')).toBe('value');
    });
  });
}
