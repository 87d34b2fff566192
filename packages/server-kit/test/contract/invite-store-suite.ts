/** What every {@link InviteStore} must do. Another store passes it by calling {@link inviteStoreSuite} with its factory. */
import type { InviteStore } from '@guildkit/server-kit/invites';
import { describe, expect, it } from 'vitest';

export interface InviteStoreUnderTest {
  readonly store: InviteStore;
  /** Unix ms as the store has it. */
  now(): number;
  close?(): Promise<void>;
}

export function inviteStoreSuite(name: string, create: () => Promise<InviteStoreUnderTest>): void {
  const run = (title: string, body: (store: InviteStore, later: number) => Promise<void>) =>
    it(title, async () => {
      const subject = await create();
      try {
        await body(subject.store, subject.now() + 60_000);
      } finally {
        await subject.close?.();
      }
    });

  describe(`invite store: ${name}`, () => {
    run('revokes one invite, and again', async (store, later) => {
      expect(await store.isRevoked('a', '10')).toBe(false);
      await store.revoke('a', later);
      await store.revoke('a', later);
      expect(await store.isRevoked('a', '10')).toBe(true);
      expect(await store.isRevoked('b', '10')).toBe(false);
    });

    run('revokes every invite of a room, those of the future included', async (store, later) => {
      await store.revokeRoom('10', later);
      expect(await store.isRevoked('a', '10')).toBe(true);
      expect(await store.isRevoked('b', '10')).toBe(true);
      expect(await store.isRevoked('a', '11')).toBe(false);
      expect(await store.isRevoked('10', '12')).toBe(false);
    });

    run('counts people, not uses', async (store, later) => {
      expect(await store.use('a', '7', 2, later)).toBe('counted');
      expect(await store.use('a', '7', 2, later)).toBe('known');
      expect(await store.use('a', '8', 2, later)).toBe('counted');
      expect(await store.use('a', '9', 2, later)).toBe('spent');
      expect(await store.use('a', '8', 2, later)).toBe('known');
      expect(await store.use('b', '9', 2, later)).toBe('counted');
    });

    run('lets no more in than may, however many come at once', async (store, later) => {
      const uses = await Promise.all(Array.from({ length: 30 }, (_, n) => store.use('a', String(n % 15), 4, later)));
      expect(uses.filter((use) => use === 'counted')).toHaveLength(4);
      expect(uses.filter((use) => use === 'known')).toHaveLength(4);
      expect(uses.filter((use) => use === 'spent')).toHaveLength(22);
    });
  });
}
