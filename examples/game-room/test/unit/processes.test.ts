import { type DomainEvent, silentLogger } from '@guildkit/core';
import { type HubEngine, memoryEngine, RealtimeHub } from '@guildkit/server-kit/hub';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createProcesses, type Processes } from '../../src/server/processes.js';
import { FEED_ROOM } from '../../src/server/shared-feed.js';
import type { SharedRedis } from '../../src/server/stores.js';
import { createTroubles } from '../../src/server/troubles.js';

const GUILD = '7';
let engine: HubEngine;
let all: Processes[] = [];

beforeEach(() => {
  engine = memoryEngine();
});
afterEach(async () => {
  for (const each of all) each.close();
  all = [];
  await engine.close();
});

function event(id: string, name = 'voice.joined', payload: object = {}): DomainEvent {
  const person = { userId: '1', username: 'P', avatar: null, channelId: '10', mute: false, deaf: false, video: false };
  return {
    event: name,
    id,
    traceId: 't',
    ts: 1,
    payload: { guildId: GUILD, timestamp: 1, ...person, ...payload },
  } as unknown as DomainEvent;
}
const snapshot = (id: string) =>
  event(id, 'voice.snapshot', { members: [], channels: [{ channelId: '10', name: 'Ten' }] });

function start(processId: string, hears = false) {
  const heard: string[] = [];
  const told: (string | undefined)[] = [];
  const state = { hears, isThere: (_: boolean): void => {} };
  const processes = createProcesses({
    shared: {
      processId,
      engine,
      onChange: (listener: (isThere: boolean) => void) => {
        state.isThere = listener;
      },
    } as unknown as SharedRedis,
    guildId: GUILD,
    follow: ({ event: name, id }, seated) =>
      void heard.push(`${name} ${id.startsWith('whole') ? 'whole' : id}${seated.length > 0 ? ' seated' : ''}`),
    seatedIn: ({ event: name }) =>
      name === 'voice.joined' ? [{ seatUserId: '1', player: { userId: '2', username: 'Q', avatar: null } }] : [],
    onDeed: (deed) => heard.push(`${deed.kind} ${deed.channelId}`),
    hears: () => state.hears,
    troubles: createTroubles((reason) => told.push(reason)),
    logger: silentLogger,
  });
  all.push(processes);
  return { processes, heard, told, state };
}
const isKnown = async ({ processes }: { processes: Processes }) =>
  Promise.race([processes.known.then(() => true), new Promise((resolve) => setTimeout(resolve, 0, false))]);

test('what one hears and does the others follow, once and in order; it itself is told nothing', async () => {
  const [a, b, c] = [start('a', true), start('b'), start('c')];
  for (const { processes } of [a, b, c]) await processes.start();
  await a.processes.tellEvent(snapshot('s'));
  await a.processes.tellEvent(event('e1'));
  // Told again after a failure further on.
  await a.processes.tellEvent(event('e1'));
  b.processes.tell({ kind: 'kept', channelId: '10' });
  await vi.waitFor(() => expect(c.heard).toEqual(['voice.snapshot s', 'voice.joined e1 seated', 'kept 10']));
  expect(b.heard).toEqual(['voice.snapshot s', 'voice.joined e1 seated']);
  expect(a.heard).toEqual(['kept 10']);
  expect(await Promise.all([a, b, c].map(isKnown))).toEqual([true, true, true]);
});

test('who comes later begins with what the hub shows, and is told the whole by who hears of Discord', async () => {
  const hub = new RealtimeHub({ origins: [], authenticate: () => null, authorize: () => false, engine });
  const a = start('a', true);
  await a.processes.start();
  for (const each of [snapshot('s'), event('e1')]) {
    await a.processes.tellEvent(each);
    await hub.publishDiscordEvent(each);
  }
  const b = start('b');
  await b.processes.start();
  expect(b.heard[0]).toBe('voice.snapshot whole');
  expect(await isKnown(b)).toBe(true);
  await vi.waitFor(() => expect(b.heard).toEqual(['voice.snapshot whole', 'voice.snapshot whole']));
  expect(b.processes.isHeard()).toBe(true);
  // Nobody is connected: the hub alone says what was.
  a.state.hears = false;
  const c = start('c');
  await c.processes.start();
  expect([c.heard, c.processes.isHeard()]).toEqual([['voice.snapshot whole'], false]);
  await hub.close();
});

test('without anybody who knows, nothing is known', async () => {
  const a = start('a');
  await a.processes.start();
  expect([await isKnown(a), a.heard, a.processes.isHeard()]).toEqual([false, [], false]);
});

test('pages of all are told when Discord is away, and when Redis is: Redis counts for more', async () => {
  const [a, b] = [start('a', true), start('b')];
  for (const { processes } of [a, b]) await processes.start();
  a.processes.tellAway('Discord has been away for long');
  await vi.waitFor(() => expect(b.told.at(-1)).toBe('Discord has been away for long'));
  expect(b.processes.isHeard()).toBe(false);
  const late = start('c');
  await late.processes.start();
  await vi.waitFor(() => expect(late.told.at(-1)).toBe('Discord has been away for long'));
  const before = b.told.length;
  b.state.isThere(false);
  b.state.isThere(true);
  a.processes.tellAway(undefined);
  await vi.waitFor(() => expect(b.told.at(-1)).toBeUndefined());
  expect(b.told.slice(before, -1)).toEqual(['Live updates are being restored', 'Discord has been away for long']);
  expect(b.processes.isHeard()).toBe(true);
});

test('what a later version tells is passed over; no page can listen', async () => {
  const [a, b] = [start('a', true), start('b')];
  for (const { processes } of [a, b]) await processes.start();
  const payload = { from: 'a', notice: { kind: 'news of another kind' } };
  await engine.publish(FEED_ROOM, { event: 'x', payload, id: 'x', ts: 1 });
  a.processes.tell({ kind: 'kept', channelId: '10' });
  await vi.waitFor(() => expect(b.heard).toEqual(['kept 10']));
  const hub = new RealtimeHub({ origins: [], authenticate: () => null, authorize: () => true, engine });
  await expect(
    hub.publish(FEED_ROOM, 'room.created', { channelId: '1', guildId: '7', name: 'x' }),
  ).rejects.toMatchObject({
    code: 'ERR_HUB_ROOM_INVALID',
  });
  await hub.close();
});

test('what is lost is looked for: the feed says that something is missing', async () => {
  const a = start('a', true);
  await a.processes.start();
  await a.processes.tellEvent(snapshot('s'));
  const watched: ((record: never) => void)[] = [];
  const watch = engine.watch.bind(engine);
  engine.watch = (room, listener) => {
    watched.push(listener as never);
    return watch(room, listener);
  };
  const b = start('b');
  await b.processes.start();
  await vi.waitFor(() => expect(b.heard).toEqual(['voice.snapshot whole']));
  watched[0]?.({ room: FEED_ROOM, epoch: 'e', seq: 0, event: 'room.resync', payload: 'null', id: '', ts: 0 } as never);
  await vi.waitFor(() => expect(b.heard).toEqual(['voice.snapshot whole', 'voice.snapshot whole']));
});
