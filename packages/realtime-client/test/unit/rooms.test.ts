/** Rooms: holds, order, holes, snapshots, refusals. */
import { describe, expect, it } from 'vitest';
import { presence } from '../support/scripted-hub.js';
import { type Setup, setup } from '../support/setup.js';

const ROOM = 'channel:10';

async function open(world: Setup): Promise<Setup> {
  world.client.connect();
  await world.settle();
  return world;
}

const framesOf = ({ hub }: Setup, type: string) => hub.last.received.filter((frame) => frame.type === type);
const event = (seq: number, userId: string, name = 'voice.joined') => ({
  event: name,
  room: ROOM,
  seq,
  payload: presence('10', userId),
});

describe('holding a room', () => {
  it('subscribes once for many handles and lets go with the last, a moment later', async () => {
    const world = setup();
    const { client, clock, settle } = world;
    const first = client.room(ROOM);
    await open(world);
    const second = client.room(ROOM);
    await settle();
    expect(framesOf(world, 'subscribe')).toHaveLength(1);
    expect(second.status).toBe('live');
    first.close();
    first.close();
    await clock.advance(5_000);
    expect(framesOf(world, 'unsubscribe')).toHaveLength(0);
    second.close();
    await clock.advance(499);
    expect(framesOf(world, 'unsubscribe')).toHaveLength(0);
    await clock.advance(1);
    expect(framesOf(world, 'unsubscribe')).toHaveLength(1);
    expect(client.roomView(ROOM).status).toBe('loading');
  });

  it('keeps the room when it is wanted again at once', async () => {
    const world = setup();
    const room = world.client.room(ROOM);
    await open(world);
    room.close();
    const again = world.client.room(ROOM);
    expect(again.status).toBe('live');
    await world.clock.advance(5_000);
    expect(framesOf(world, 'subscribe')).toHaveLength(1);
    expect(framesOf(world, 'unsubscribe')).toHaveLength(0);
  });

  it('calls no listener of a closed handle', async () => {
    const world = setup();
    const room = world.client.room(ROOM);
    const kept = world.client.room(ROOM);
    const calls: string[] = [];
    room.on('voice.joined', () => calls.push('closed'));
    room.subscribe(() => calls.push('closed'));
    kept.on('voice.joined', () => calls.push('kept'));
    const off = kept.on('*', () => calls.push('off'));
    off();
    off();
    await open(world);
    calls.length = 0;
    room.close();
    world.hub.join('10', 'a');
    await world.settle();
    expect(calls).toEqual(['kept']);
  });

  it('subscribes every room again after a reconnect, each from where it was', async () => {
    const world = setup();
    const { client, hub, clock } = world;
    client.room(ROOM);
    client.room('guild:1');
    await open(world);
    hub.join('10', 'a');
    await world.settle();
    hub.cut();
    await clock.advance(1_000);
    expect(framesOf(world, 'subscribe').map(({ payload }) => payload)).toEqual([
      { room: ROOM, since: { epoch: 'e1', seq: 1 } },
      { room: 'guild:1', since: { epoch: 'e1', seq: 0 } },
    ]);
  });

  it('goes on after close() and connect()', async () => {
    const world = setup();
    const room = world.client.room(ROOM);
    await open(world);
    world.client.close();
    expect(room.status).toBe('recovering');
    world.hub.join('10', 'a');
    await open(world);
    expect(room.status).toBe('live');
    expect(room.members).toHaveLength(1);
  });
});

describe('order', () => {
  it('drops doubles, holds what is early back, asks for the hole, tells all in order', async () => {
    const world = setup();
    const { client, hub } = world;
    const room = client.room(ROOM);
    const seen: (number | undefined)[] = [];
    room.on('*', (_payload, { seq }) => seen.push(seq));
    await open(world);
    for (const user of ['a', 'b', 'c', 'd']) hub.publish('channel:99', 'voice.joined', presence('99', user));
    const { last } = hub;
    last.subscriptions.clear();
    for (const user of ['a', 'b', 'c', 'd']) hub.join('10', user);
    last.send(event(1, 'a'));
    last.send(event(1, 'a'));
    last.send(event(4, 'd'));
    last.send(event(3, 'c'));
    await world.settle();
    expect(seen).toEqual([undefined, 1, 2, 3, 4]);
    expect(room.members.map(({ userId }) => userId)).toEqual(['a', 'b', 'c', 'd']);
    expect(framesOf(world, 'subscribe').map(({ payload }) => payload)).toEqual([
      { room: ROOM },
      { room: ROOM, since: { epoch: 'e1', seq: 1 } },
    ]);
    expect(room.status).toBe('live');
  });

  it('shows that it is behind while a hole is open', async () => {
    const world = setup();
    const room = world.client.room(ROOM);
    await open(world);
    world.hub.mute = true;
    world.hub.last.send(event(2, 'b'));
    await world.settle();
    expect(room.status).toBe('recovering');
    expect(world.client.state.status).toBe('open');
  });

  it('tells listeners when the state was replaced as a whole', async () => {
    const world = setup({}, { logLength: 1 });
    const { client, hub, clock } = world;
    const room = client.room(ROOM);
    const seen: string[] = [];
    room.on('*', (_payload, { event: name }) => seen.push(name));
    room.on('sys.snapshot', ({ epoch, seq }) => seen.push(`${epoch}/${seq}`));
    await open(world);
    hub.cut();
    for (const user of ['a', 'b', 'c']) hub.join('10', user);
    await clock.advance(1_000);
    expect(seen).toEqual(['e1/0', 'sys.snapshot', 'e1/3', 'sys.snapshot'].map((each) => expect.stringContaining(each)));
    expect(room.members).toHaveLength(3);
  });

  it('takes sys.snapshot with a new epoch and goes on from it', async () => {
    const world = setup();
    const { client, hub } = world;
    const room = client.room(ROOM);
    await open(world);
    hub.join('10', 'a');
    const snapshot = { kind: 'voice', channelId: '10', members: [], state: 'open', stale: true };
    hub.last.send({ event: 'sys.snapshot', payload: { room: ROOM, epoch: 'e9', seq: 40, snapshot } });
    hub.last.send(event(41, 'z'));
    await world.settle();
    expect(room.members.map(({ userId }) => userId)).toEqual(['z']);
    expect(room.snapshot).toMatchObject({ stale: true });
  });

  it('hands on events outside the log as they come', async () => {
    const world = setup();
    const room = world.client.room(ROOM);
    const seen: unknown[] = [];
    room.on('*', (payload, { event: name }) => name === ('typing' as string) && seen.push(payload));
    await open(world);
    world.hub.last.send({ event: 'typing', room: ROOM, payload: { userId: 'a' } });
    await world.settle();
    expect(seen).toEqual([{ userId: 'a' }]);
  });

  it('goes on when a listener throws, and lets its exception surface', async () => {
    const world = setup();
    const room = world.client.room(ROOM);
    const surfaced: unknown[] = [];
    const { queueMicrotask: honest } = globalThis;
    globalThis.queueMicrotask = (task) =>
      honest(() => {
        try {
          task();
        } catch (error) {
          surfaced.push(error);
        }
      });
    try {
      const bug = new Error('a bug of the app');
      room.on('voice.joined', () => {
        throw bug;
      });
      const seen: string[] = [];
      room.on('voice.joined', ({ userId }) => seen.push(userId));
      await open(world);
      world.hub.join('10', 'a');
      await world.settle();
      expect(seen).toEqual(['a']);
      expect(surfaced).toEqual([bug]);
    } finally {
      globalThis.queueMicrotask = honest;
    }
  });
});

describe('guild and user rooms', () => {
  it('keeps the list of channels', async () => {
    const world = setup();
    const room = world.client.room('guild:1');
    await open(world);
    const create = (channelId: string, name: string) =>
      world.hub.publish('guild:1', 'room.created', { guildId: '1', channelId, name });
    create('5', 'five');
    create('6', 'six');
    create('5', 'renamed');
    world.hub.publish('guild:1', 'room.deleted', { guildId: '1', channelId: '6' });
    await world.settle();
    expect(room.snapshot).toEqual({ kind: 'guild', guildId: '1', channels: [{ channelId: '5', name: 'renamed' }] });
    expect(room.members).toEqual([]);
  });

  it('keeps events only for a user', async () => {
    const world = setup();
    const room = world.client.room('user:u1');
    const seen: unknown[] = [];
    room.on('*', (payload) => seen.push(payload));
    await open(world);
    const before = room.view;
    world.hub.publish('user:u1', 'notice', { text: 'hi' });
    await world.settle();
    expect(seen.at(-1)).toEqual({ text: 'hi' });
    expect(room.view).toBe(before);
  });
});

describe('refused and deleted rooms', () => {
  it('shows a refusal and is open all the same', async () => {
    const world = setup();
    world.hub.denied.add(ROOM);
    const room = world.client.room(ROOM);
    const other = world.client.room('channel:11');
    await open(world);
    expect(room.status).toBe('denied');
    expect(room.view.reason).toBe('ERR_HUB_ROOM_DENIED');
    expect(world.errors).toMatchObject([
      { code: 'ERR_REALTIME_ROOM_DENIED', detail: 'ERR_HUB_ROOM_DENIED', room: ROOM, retryable: false },
    ]);
    expect(other.status).toBe('live');
    expect(world.client.state.status).toBe('open');
  });

  it('asks again with the next connection, and when the room is wanted anew', async () => {
    const world = setup();
    world.hub.denied.add(ROOM);
    const room = world.client.room(ROOM);
    await open(world);
    world.hub.denied.clear();
    room.close();
    const again = world.client.room(ROOM);
    await world.settle();
    expect(again.status).toBe('live');
    expect(again.view.reason).toBeUndefined();
  });

  it('drops what it showed when access is taken', async () => {
    const world = setup();
    const room = world.client.room(ROOM);
    await open(world);
    world.hub.join('10', 'a');
    world.hub.last.send({ event: 'sys.unsubscribed', payload: { room: ROOM, code: 'ERR_HUB_ROOM_FORBIDDEN' } });
    world.hub.join('10', 'b');
    await world.settle();
    expect(room).toMatchObject({ status: 'denied', members: [], snapshot: undefined });
  });

  it('knows that a channel was deleted, even when its subscription ends', async () => {
    const world = setup();
    const room = world.client.room(ROOM);
    await open(world);
    world.hub.join('10', 'a');
    world.hub.publish(ROOM, 'room.deleted', { channelId: '10', guildId: '1' });
    await world.settle();
    expect(room).toMatchObject({ status: 'deleted', members: [] });
    world.hub.last.send({ event: 'sys.unsubscribed', payload: { room: ROOM, code: 'ERR_HUB_ROOM_GONE' } });
    await world.settle();
    expect(room.status).toBe('deleted');
  });

  it('asks later when the hub says so, and is open meanwhile', async () => {
    const world = setup();
    const { hub, client, clock } = world;
    const answer = hub.answer.bind(hub);
    hub.answer = (to, frame) => {
      if (frame.type !== 'subscribe') return answer(to, frame);
      const payload = { code: 'ERR_HUB_SUBSCRIPTION_FAILED', message: '', retryAfterMs: 3_000 };
      return to.send({ type: 'error', event: 'subscribe', re: frame.id, payload });
    };
    const room = client.room(ROOM);
    await open(world);
    expect(client.state.status).toBe('open');
    expect(room.status).toBe('loading');
    hub.answer = answer;
    await clock.advance(3_000);
    expect(room.status).toBe('live');
    expect(hub.all).toHaveLength(1);
  });
});
