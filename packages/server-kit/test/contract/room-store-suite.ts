/** What every {@link RoomStore} must do. Another store passes it by calling {@link roomStoreSuite} with its factory. */
import type { RoomRecord, RoomStore } from '@guildkit/server-kit/rooms';
import { describe, expect, it } from 'vitest';

export interface RoomStoreUnderTest {
  readonly store: RoomStore;
  advance(ms: number): Promise<void>;
  close?(): Promise<void>;
}

export const aRoom = (change: Partial<RoomRecord> = {}): RoomRecord => ({
  guildId: '1',
  channelId: '10',
  roleId: '20',
  name: 'Table 1',
  creatorId: '42',
  userLimit: 4,
  marker: '0123456789abcdef',
  createdAt: 5,
  state: 'open',
  holders: ['42'],
  ...change,
});

export function roomStoreSuite(name: string, create: () => Promise<RoomStoreUnderTest>): void {
  const run = (title: string, body: (subject: RoomStoreUnderTest) => Promise<void>) =>
    it(title, async () => {
      const subject = await create();
      try {
        await body(subject);
      } finally {
        await subject.close?.();
      }
    });

  describe(`room store: ${name}`, () => {
    run('keeps rooms, each once', async ({ store }) => {
      expect(await store.get('10')).toBeUndefined();
      expect(await store.add(aRoom())).toBe(true);
      expect(await store.add(aRoom({ name: 'another' }))).toBe(false);
      expect(await store.get('10')).toEqual(aRoom());
      await store.add(aRoom({ channelId: '11', marker: 'f'.repeat(16), endedAt: 7, state: 'ended' }));
      expect((await store.list()).map(({ channelId }) => channelId).sort()).toEqual(['10', '11']);
      expect((await store.findByMarker('f'.repeat(16)))?.channelId).toBe('11');
      expect(await store.findByMarker('0'.repeat(16))).toBeUndefined();
      await store.remove('10');
      await store.remove('10');
      expect(await store.get('10')).toBeUndefined();
    });

    run('changes a room atomically', async ({ store }) => {
      await store.add(aRoom({ holders: [] }));
      const sit = (userId: string) =>
        store.update('10', (room) =>
          room.holders.length < 4 ? { ...room, holders: [...room.holders, userId] } : undefined,
        );
      await Promise.all(Array.from({ length: 12 }, (_, n) => sit(String(n))));
      expect((await store.get('10'))?.holders).toHaveLength(4);
      expect((await sit('late'))?.holders).toHaveLength(4);
      expect(await store.update('nowhere', (room) => ({ ...room, name: 'x' }))).toBeUndefined();
      expect(await store.get('nowhere')).toBeUndefined();
    });

    run('gives a claim to one, until it is released or runs out', async ({ store, advance }) => {
      const tickets = await Promise.all(Array.from({ length: 9 }, () => store.claim('a', 1_000)));
      const [ticket, ...others] = tickets.filter((each) => each !== undefined);
      expect(others).toEqual([]);
      await store.release('a', 'not the ticket');
      expect(await store.claim('a', 1_000)).toBeUndefined();
      await store.release('a', ticket as string);
      const second = await store.claim('a', 1_000);
      expect(second).toBeDefined();
      await advance(1_100);
      const third = await store.claim('a', 1_000);
      expect(third).toBeDefined();
      // The second ticket has run out: it does not end the third.
      await store.release('a', second as string);
      expect(await store.claim('a', 1_000)).toBeUndefined();
      expect(await store.claim('b', 1_000)).toBeDefined();
    });
  });
}
