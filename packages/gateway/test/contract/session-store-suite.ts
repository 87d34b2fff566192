/** What every {@link SessionStore} must do. Another store passes it by calling {@link sessionStoreSuite} with its factory. */
import type { IdentifyBudgetStore, SessionStore } from '@guildkit/gateway';
import { describe, expect, it } from 'vitest';

export const aSession = (seq: number) => ({
  sessionId: 's',
  seq,
  resumeUrl: 'wss://resume',
  userId: '42',
  savedAt: 1_000,
});

/** @param create Gives an empty store. */
export function sessionStoreSuite(name: string, create: () => Promise<SessionStore>): void {
  describe(`session store: ${name}`, () => {
    it('gives what was kept last, by key', async () => {
      const store = await create();
      expect(await store.load('a')).toBeUndefined();
      await store.save('a', aSession(1));
      await store.save('b', aSession(7));
      await store.save('a', aSession(2));
      expect(await store.load('a')).toEqual(aSession(2));
      expect(await store.load('b')).toEqual(aSession(7));
    });

    it('forgets, also what it never had', async () => {
      const store = await create();
      await store.remove('a');
      await store.save('a', aSession(1));
      await store.remove('a');
      expect(await store.load('a')).toBeUndefined();
    });

    it('a reader meets a whole session while it is written', async () => {
      const store = await create();
      await store.save('a', aSession(0));
      const reads: Promise<{ seq: number } | undefined>[] = [];
      for (let seq = 1; seq <= 20; seq += 1) {
        const saved = store.save('a', aSession(seq));
        reads.push(store.load('a'));
        await saved;
      }
      for (const read of await Promise.all(reads)) expect(read?.seq).toBeTypeOf('number');
      expect(await store.load('a')).toEqual(aSession(20));
    });

    it('keeps counts of IDENTIFYs, the last by key, beside the sessions', async () => {
      const budget = (remaining: number) => ({ total: 1_000, remaining, resetAt: 5_000 });
      const store = await create();
      const budgets = store.identifyBudgets as IdentifyBudgetStore;
      expect(await budgets.load('bot')).toBeUndefined();
      await store.save('a', aSession(1));
      await budgets.save('bot', budget(9));
      await budgets.save('other', budget(3));
      await budgets.save('bot', budget(8));
      expect(await budgets.load('bot')).toEqual(budget(8));
      expect(await budgets.load('a')).toBeUndefined();
      await store.remove('a');
      expect(await budgets.load('other')).toEqual(budget(3));
    });
  });
}
