/** What every {@link HubEngine} must do. Another engine passes it by calling {@link engineSuite} with its own factory. */
import type { HubEngine, NewRoomEvent, RoomRecord } from '@guildkit/server-kit/hub';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

/** A fresh engine, with its time under the suite's control. */
export interface EngineUnderTest {
  readonly engine: HubEngine;
  /** Lets the engine's time pass. */
  advance(ms: number): Promise<void>;
  /** Waits until everything that was published has reached its listeners. */
  settle(): Promise<void>;
}

/** Bounds that the factory must apply. */
export interface EngineBounds {
  readonly maxEvents: number;
  readonly maxAgeMs: number;
  readonly maxIds: number;
}

const ROOM = 'channel:10';

export function engineSuite(name: string, create: (bounds: EngineBounds) => Promise<EngineUnderTest>): void {
  const bounds: EngineBounds = { maxEvents: 10, maxAgeMs: 60_000, maxIds: 20 };
  let ids = 0;
  const event = (payload: unknown = {}, init: Partial<NewRoomEvent> = {}): NewRoomEvent => {
    ids += 1;
    return { event: 'room.closing', payload, id: `id ${ids}`, ts: 5, ...init };
  };
  const joined = (userId: string, init: Partial<NewRoomEvent> = {}): NewRoomEvent =>
    event(
      {
        guildId: '1',
        channelId: '10',
        userId,
        username: userId,
        avatar: null,
        mute: false,
        deaf: false,
        video: false,
        timestamp: 1,
      },
      { event: 'voice.joined', ...init },
    );
  const run = (title: string, body: (subject: EngineUnderTest) => Promise<void>) =>
    it(title, async () => {
      const subject = await create(bounds);
      try {
        await body(subject);
      } finally {
        await subject.engine.close();
        await subject.engine.close();
      }
    });

  describe(`engine: ${name}`, () => {
    run('numbers a room’s events by one, in the order of the calls', async ({ engine }) => {
      const published = await Promise.all(Array.from({ length: 5 }, (_, n) => engine.publish(ROOM, event({ n }))));
      expect(published.map(({ seq, duplicate }) => [seq, duplicate])).toEqual(
        [1, 2, 3, 4, 5].map((seq) => [seq, false]),
      );
      expect(new Set(published.map(({ epoch }) => epoch)).size).toBe(1);
      const { epoch, events } = await engine.read(ROOM, { epoch: published[0]?.epoch as string, seq: 0 });
      expect(events.map(({ seq, payload }) => [seq, payload])).toEqual(
        [1, 2, 3, 4, 5].map((seq) => [seq, JSON.stringify({ n: seq - 1 })]),
      );
      expect(epoch).toBe(published[0]?.epoch);
    });

    run('keeps rooms apart', async ({ engine }) => {
      const first = await engine.publish(ROOM, event());
      const second = await engine.publish('channel:11', event());
      expect([first.seq, second.seq]).toEqual([1, 1]);
      expect(await engine.read('guild:1')).toMatchObject({ seq: 0, recovered: false, events: [] });
    });

    run('hands every field of an event to listeners and readers alike', async ({ engine, settle }) => {
      const heard: RoomRecord[] = [];
      await engine.watch(ROOM, (record) => heard.push(record));
      const given = event({ text: 'héllo "\u2028"' }, { id: 'own', traceId: 'trace', ts: 42 });
      const { epoch } = await engine.publish(ROOM, given);
      await settle();
      const record = {
        room: ROOM,
        epoch,
        seq: 1,
        event: 'room.closing',
        payload: JSON.stringify(given.payload),
        id: 'own',
        ts: 42,
        traceId: 'trace',
      };
      expect(heard).toEqual([record]);
      expect((await engine.read(ROOM, { epoch, seq: 0 })).events).toEqual([record]);
    });

    run('keeps its own copy of a payload', async ({ engine }) => {
      const payload = { list: [1] };
      const { epoch } = await engine.publish(ROOM, event(payload));
      payload.list.push(2);
      const { events } = await engine.read(ROOM, { epoch, seq: 0 });
      expect(events[0]?.payload).toBe('{"list":[1]}');
    });

    run('appends an id once, and says which event it was', async ({ engine, settle }) => {
      const heard: number[] = [];
      await engine.watch(ROOM, ({ seq }) => heard.push(seq));
      const one = event();
      const [first, again] = await Promise.all([engine.publish(ROOM, one), engine.publish(ROOM, one)]);
      await engine.publish(ROOM, event());
      const later = await engine.publish(ROOM, { ...one, payload: { other: true } });
      expect([first.duplicate, again.duplicate, later.duplicate]).toEqual([false, true, true]);
      expect([first.seq, again.seq, later.seq]).toEqual([1, 1, 1]);
      await settle();
      expect(heard).toEqual([1, 2]);
      const elsewhere = await engine.publish('channel:11', one);
      expect(elsewhere.duplicate).toBe(false);
    });

    run('forgets the oldest ids beyond its bound', async ({ engine }) => {
      const one = event();
      await engine.publish(ROOM, one);
      for (let n = 0; n < bounds.maxIds; n += 1) await engine.publish(ROOM, event());
      expect((await engine.publish(ROOM, one)).duplicate).toBe(false);
    });

    run(
      'reads what followed a position, and nothing when it is gone, ahead or of another epoch',
      async ({ engine }) => {
        for (let n = 0; n < bounds.maxEvents + 3; n += 1) await engine.publish(ROOM, event());
        const { epoch, seq } = await engine.read(ROOM);
        expect(seq).toBe(13);
        const since = async (from: number, of = epoch) => {
          const read = await engine.read(ROOM, { epoch: of, seq: from });
          return read.recovered ? read.events.map((each) => each.seq) : 'not recovered';
        };
        expect(await since(13)).toEqual([]);
        expect(await since(11)).toEqual([12, 13]);
        expect(await since(3)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        expect(await since(2)).toBe('not recovered');
        expect(await since(14)).toBe('not recovered');
        expect(await since(13, 'another')).toBe('not recovered');
      },
    );

    run('forgets events by age, but neither the numbers nor the state', async ({ engine, advance }) => {
      const { epoch } = await engine.publish(ROOM, joined('1'));
      await advance(bounds.maxAgeMs / 2);
      await engine.publish(ROOM, joined('2'));
      await advance(bounds.maxAgeMs / 2 + 1);
      expect(await engine.read(ROOM, { epoch, seq: 1 })).toMatchObject({ recovered: true, events: [{ seq: 2 }] });
      expect(await engine.read(ROOM, { epoch, seq: 0 })).toMatchObject({
        recovered: false,
        seq: 2,
        snapshot: { members: [{ userId: '1' }, { userId: '2' }] },
      });
      await advance(bounds.maxAgeMs + 1);
      expect((await engine.publish(ROOM, joined('3'))).seq).toBe(3);
    });

    run('keeps the state of channel rooms and guild rooms, and none of others', async ({ engine }) => {
      expect((await engine.read(ROOM)).snapshot).toEqual({
        kind: 'voice',
        channelId: '10',
        members: [],
        state: 'open',
        stale: false,
      });
      await engine.publish(ROOM, joined('1'));
      expect((await engine.read(ROOM)).snapshot).toMatchObject({ members: [{ userId: '1', joinedAt: 1 }] });
      await engine.publish(ROOM, event({ channelId: '10', guildId: '1' }, { event: 'room.deleted' }));
      expect((await engine.read(ROOM)).snapshot).toMatchObject({ members: [], state: 'deleted' });

      const channel = { channelId: '10', guildId: '1', name: 'a' };
      await engine.publish('guild:1', event(channel, { event: 'room.created' }));
      await engine.publish('guild:1', event({ ...channel, name: 'b' }, { event: 'room.created' }));
      expect((await engine.read('guild:1')).snapshot).toEqual({
        kind: 'guild',
        guildId: '1',
        channels: [{ channelId: '10', name: 'b' }],
      });
      await engine.publish('guild:1', event(channel, { event: 'room.deleted' }));
      expect((await engine.read('guild:1')).snapshot).toMatchObject({ channels: [] });
      await engine.publish('user:1', event());
      expect((await engine.read('user:1')).snapshot).toEqual({ kind: 'none' });
    });

    run('lets several listen, each until it stops', async ({ engine, settle }) => {
      const heard: string[] = [];
      const stopA = await engine.watch(ROOM, ({ seq }) => heard.push(`a${seq}`));
      const stopB = await engine.watch(ROOM, ({ seq }) => heard.push(`b${seq}`));
      await engine.publish(ROOM, event());
      await engine.publish('channel:11', event());
      await settle();
      stopA();
      stopA();
      await engine.publish(ROOM, event());
      await settle();
      stopB();
      await engine.publish(ROOM, event());
      await settle();
      expect(heard.sort()).toEqual(['a1', 'b1', 'b2']);
    });

    run('lists the rooms of a group', async ({ engine }) => {
      await engine.publish('channel:10', event({}, { group: 'guild:1' }));
      await engine.publish('channel:11', event({}, { group: 'guild:1' }));
      await engine.publish('channel:12', event({}, { group: 'guild:2' }));
      await engine.publish('channel:13', event());
      expect([...(await engine.rooms('guild:1'))].sort()).toEqual(['channel:10', 'channel:11']);
      expect(await engine.rooms('guild:2')).toEqual(['channel:12']);
      expect(await engine.rooms('guild:3')).toEqual([]);
    });

    run('keeps who views a room as leases of processes, which replace, end and can be taken back', async (subject) => {
      const { engine, advance } = subject;
      const set = (node: string, ...userIds: string[]) => engine.setViewers?.(ROOM, node, userIds, 1_000);
      const viewers = async () => [...((await engine.viewers?.(ROOM)) ?? [])].sort();
      expect(typeof engine.setViewers).toBe(typeof engine.viewers);
      if (engine.setViewers === undefined) return;
      expect(await viewers()).toEqual([]);
      await set('a', '1', '2');
      await set('b', '2', '3');
      expect(await viewers()).toEqual(['1', '2', '3']);
      expect(await engine.viewers?.('channel:11')).toEqual([]);
      await set('a', '4');
      expect(await viewers()).toEqual(['2', '3', '4']);
      await advance(600);
      await set('b', '3');
      await advance(600);
      expect(await viewers()).toEqual(['3']);
      await set('b');
      expect(await viewers()).toEqual([]);
    });

    it('a reader that joins the feed first and reads then has every event once', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(6), fc.nat(6), async (before, during) => {
          const { engine, settle } = await create(bounds);
          const heard: number[] = [];
          for (let n = 0; n < before; n += 1) await engine.publish(ROOM, event());
          const racing: Promise<unknown>[] = [];
          const watching = engine.watch(ROOM, ({ seq }) => heard.push(seq));
          for (let n = 0; n < during; n += 1) racing.push(engine.publish(ROOM, event()));
          await watching;
          const { seq } = await engine.read(ROOM);
          racing.push(engine.publish(ROOM, event()));
          await Promise.all(racing);
          await settle();
          const total = before + during + 1;
          const live = heard.filter((each) => each > seq);
          expect(live).toEqual(Array.from({ length: total - seq }, (_, n) => seq + n + 1));
          await engine.close();
        }),
        { numRuns: 30 },
      );
    });
  });
}
