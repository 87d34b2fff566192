/** Who has a room open: counted by user, across processes by leases, told to pages at most once a second. */
import { type HubEngine, memoryEngine, RealtimeHub } from '@guildkit/server-kit/hub';
import { createVirtualClock } from '@guildkit/testkit';
import { expect, it, vi } from 'vitest';
import { startHub } from '../support/hub-server.js';

const ROOM = 'channel:10';

it('counts users, not tabs, by socket and stream, and only while they may hear the room', async () => {
  let open = true;
  await using app = await startHub({ authorize: (_, room) => room !== ROOM || open });
  expect(await app.hub.viewers(ROOM)).toEqual([]);
  const [tab, other] = [await app.join('user-1'), await app.join('user-1')];
  for (const client of [tab, other]) await client.subscribe(ROOM);
  const stream = app.stream(ROOM, { token: 'user-2' });
  await stream.event('sys.snapshot');
  expect([...(await app.hub.viewers(ROOM))].sort()).toEqual(['user-1', 'user-2']);
  tab.ws.terminate();
  await tab.end();
  stream.destroy();
  await vi.waitFor(async () => expect(await app.hub.viewers(ROOM)).toEqual(['user-1']));
  await other.request('unsubscribe', { room: ROOM });
  expect(await app.hub.viewers(ROOM)).toEqual([]);
  await other.subscribe(ROOM);
  open = false;
  app.hub.revalidate(ROOM);
  await other.event('sys.unsubscribed');
  expect(await app.hub.viewers(ROOM)).toEqual([]);
});

it('tells the room once a second who views it, however many come and go', async () => {
  const clock = createVirtualClock();
  await using app = await startHub({ clock, announceViewers: true });
  const first = await app.join('user-1');
  await first.subscribe(ROOM);
  for (let n = 2; n <= 70; n += 1) await (await app.join(`user-${n}`)).subscribe(ROOM);
  await clock.advance(999);
  expect(first.frames.filter((frame) => frame.event === 'sys.viewers')).toEqual([]);
  await clock.advance(1);
  const { payload } = await first.event('sys.viewers');
  expect(payload).toMatchObject({ room: ROOM, count: 70 });
  expect(payload.userIds).toHaveLength(50);
  await clock.advance(10_000);
  await first.request('unsubscribe', { room: 'channel:99' });
  expect(first.frames.filter((frame) => frame.event === 'sys.viewers')).toHaveLength(1);
});

it('knows the viewers of other processes by their leases, and takes its own back at the end', async () => {
  const clock = createVirtualClock();
  const memory = memoryEngine({ clock });
  let fails = 0;
  let leases = 0;
  const shared: HubEngine = {
    ...memory,
    async setViewers(...lease) {
      leases += 1;
      if (fails > 0) {
        fails -= 1;
        throw new Error('away');
      }
      await memory.setViewers?.(...lease);
    },
  };
  const heartbeatMs = 600_000;
  await using one = await startHub({ clock, engine: shared, heartbeatMs });
  const two = new RealtimeHub({ clock, engine: shared, origins: [], authenticate: () => null, authorize: () => true });
  for (let n = 1; n <= 20; n += 1) await (await one.join(`user-${n}`)).subscribe(ROOM);
  await clock.advance(200);
  // A crowd is one lease.
  expect(leases).toBe(1);
  expect(await two.viewers(ROOM)).toHaveLength(20);
  fails = 1;
  await clock.advance(100_000);
  expect(await two.viewers(ROOM)).toHaveLength(20);
  await one.hub.close({ drainMs: 0 });
  expect(await two.viewers(ROOM)).toEqual([]);
  await two.close();
  expect(clock.pending).toBe(0);
});

it('forgets a process that died when its leases end', async () => {
  const clock = createVirtualClock();
  const engine = memoryEngine({ clock });
  await engine.setViewers?.(ROOM, 'dead', ['user-9'], 45_000);
  const hub = new RealtimeHub({ clock, engine, origins: [], authenticate: () => null, authorize: () => true });
  expect(await hub.viewers(ROOM)).toEqual(['user-9']);
  await clock.advance(45_000);
  expect(await hub.viewers(ROOM)).toEqual([]);
  await hub.close();
});
