/** The hub on real sockets: order, recovery, Discord events. */
import { RealtimeHub } from '@guildkit/server-kit/hub';
import { describe, expect, it } from 'vitest';
import { created, deleted, joined, left, moved, snapshot } from '../support/events.js';
import { startHub } from '../support/hub-server.js';

const ROOM = 'channel:10';

describe('events', () => {
  it('reach two clients in order, each once', async () => {
    await using app = await startHub();
    const [a, b] = await Promise.all([app.join('user-1'), app.join('user-2')]);
    const acks = await Promise.all([a.subscribe(ROOM), b.subscribe(ROOM)]);
    for (const ack of acks) {
      expect(ack).toMatchObject({ type: 'ack', payload: { room: ROOM, seq: 0, recovered: false } });
      expect(ack.payload.snapshot).toEqual({
        kind: 'voice',
        channelId: '10',
        members: [],
        state: 'open',
        stale: false,
      });
    }
    for (let n = 1; n <= 50; n += 1) await app.hub.publishDiscordEvent(joined(String(n), '10'));
    for (const client of [a, b]) {
      const log = await client.untilSeq(ROOM, 50);
      expect(log.map((frame) => frame.seq)).toEqual(Array.from({ length: 50 }, (_, n) => n + 1));
      expect(log.map((frame) => frame.payload.userId)).toEqual(Array.from({ length: 50 }, (_, n) => String(n + 1)));
    }
    expect(app.hub.stats()).toMatchObject({ connections: 2, users: 2, rooms: 1, subscriptions: 2, published: 50 });
  });

  it('are recovered after a disconnect by position', async () => {
    await using app = await startHub();
    const first = await app.join('user-1');
    const ack = await first.subscribe(ROOM);
    await app.hub.publishDiscordEvent(joined('1', '10'));
    await first.untilSeq(ROOM, 1);
    first.ws.terminate();
    await app.hub.publishDiscordEvent(joined('2', '10'));
    await app.hub.publishDiscordEvent(left('1', '10'));

    const second = await app.join('user-1');
    const again = await second.subscribe(ROOM, { epoch: ack.payload.epoch as string, seq: 1 });
    expect(again.payload).toEqual({ room: ROOM, epoch: ack.payload.epoch, seq: 3, recovered: true });
    await app.hub.publishDiscordEvent(joined('3', '10'));
    const log = await second.untilSeq(ROOM, 4);
    expect(log.map((frame) => [frame.seq, frame.event])).toEqual([
      [2, 'voice.joined'],
      [3, 'voice.left'],
      [4, 'voice.joined'],
    ]);
  });

  it('of another epoch, or after a position that never was, are a snapshot', async () => {
    await using app = await startHub();
    await app.hub.publishDiscordEvent(joined('1', '10'));
    const client = await app.join('user-1');
    const ack = await client.subscribe(ROOM, { epoch: 'gone', seq: 1 });
    expect(ack.payload).toMatchObject({ recovered: false, seq: 1, snapshot: { members: [{ userId: '1' }] } });
    const ahead = await client.subscribe(ROOM, { epoch: ack.payload.epoch as string, seq: 9 });
    expect(ahead.payload).toMatchObject({ recovered: false, seq: 1 });
  });

  it('of a guild keep the list of voice channels, and of a move tell each room only its own part', async () => {
    await using app = await startHub();
    const client = await app.join('user-1');
    for (const room of ['guild:1', 'channel:10', 'channel:11']) await client.subscribe(room);
    const { hub } = app;
    for (const event of [created('10'), created('11'), joined('5', '10'), moved('5', '10', '11'), deleted('10')]) {
      expect(await hub.publishDiscordEvent(event)).toBe('published');
    }
    await client.untilSeq('guild:1', 3);
    expect(client.log('guild:1').map((frame) => frame.event)).toEqual(['room.created', 'room.created', 'room.deleted']);
    expect(client.log('channel:10').map((frame) => frame.event)).toEqual([
      'voice.joined',
      'voice.left',
      'room.deleted',
    ]);
    expect(client.log('channel:11').map((frame) => frame.event)).toEqual(['voice.joined']);
    expect(JSON.stringify(client.log('channel:10'))).not.toContain('"11"');
    expect(JSON.stringify(client.log('channel:11'))).not.toContain('"10"');
    const late = await app.join('user-2');
    expect((await late.subscribe('guild:1')).payload.snapshot).toEqual({
      kind: 'guild',
      guildId: '1',
      channels: [{ channelId: '11', name: 'voice 11' }],
    });
    expect((await late.subscribe('channel:10')).payload.snapshot).toMatchObject({ state: 'deleted', members: [] });
  });

  it('of a snapshot change only the rooms that differ, and a second delivery changes nothing', async () => {
    await using app = await startHub();
    const { hub } = app;
    for (const event of [created('10'), created('11'), joined('1', '10'), joined('2', '11')]) {
      await hub.publishDiscordEvent(event);
    }
    const client = await app.join('user-1');
    const before = await client.subscribe('channel:11');
    await client.subscribe('channel:10');
    const truth = snapshot(
      [
        { userId: '2', channelId: '11' },
        { userId: '3', channelId: '10' },
      ],
      ['10', '11'],
    );
    expect(await hub.publishDiscordEvent(truth)).toBe('published');
    await client.untilSeq('channel:10', 3);
    expect(client.log('channel:10').map((frame) => [frame.event, frame.payload.userId])).toEqual([
      ['voice.left', '1'],
      ['voice.joined', '3'],
    ]);
    await hub.publishDiscordEvent(left('3', '10'));
    expect(await hub.publishDiscordEvent(truth)).toBe('duplicate');
    expect((await client.subscribe('channel:11')).payload.seq).toBe(before.payload.seq);
    expect((await client.subscribe('channel:10')).payload).toMatchObject({ seq: 4, snapshot: { members: [] } });
  });

  it('published by the app reach the room, and an id is appended once', async () => {
    await using app = await startHub();
    const client = await app.join('user-7');
    await client.subscribe('user:user-7');
    const closing = { channelId: '10', guildId: '1', closesAt: 5 };
    const once = await app.hub.sendToUser('user-7', 'room.closing', closing, { id: 'x', traceId: 'trace' });
    const twice = await app.hub.sendToUser('user-7', 'room.closing', closing, { id: 'x' });
    expect([once.duplicate, twice.duplicate, twice.seq]).toEqual([false, true, 1]);
    await app.hub.broadcastToGuild('1', 'room.closing', closing);
    const frame = await client.event('room.closing');
    expect(frame).toEqual({
      v: 1,
      type: 'event',
      event: 'room.closing',
      payload: closing,
      ts: expect.any(Number),
      room: 'user:user-7',
      seq: 1,
      id: 'x',
      traceId: 'trace',
    });
  });
});

it('refuses wrong options and wrong events', async () => {
  const required = { origins: [], authenticate: () => null, authorize: () => true };
  expect(() => new RealtimeHub({ ...required, origins: ['app.example'] })).toThrow(TypeError);
  expect(() => new RealtimeHub({ ...required, heartbeat: 1 } as never)).toThrow('unknown option "heartbeat"');
  expect(() => new RealtimeHub({ origins: [] } as never)).toThrow('"authenticate"');
  const hub = new RealtimeHub(required);
  const closing = { channelId: '10', guildId: '1', closesAt: 5 };
  await expect(hub.publish('nowhere', 'room.closing', closing)).rejects.toMatchObject({ code: 'ERR_HUB_ROOM_INVALID' });
  await expect(hub.publish('guild:1', 'sys.ping' as never, {} as never)).rejects.toMatchObject({
    code: 'ERR_HUB_EVENT_INVALID',
  });
  await expect(hub.publish('guild:1', 'room.closing', 1n as never)).rejects.toMatchObject({
    code: 'ERR_HUB_EVENT_INVALID',
  });
  await expect(
    hub.publish('guild:1', 'room.created', { channelId: '1', guildId: '1', name: 'x'.repeat(300_000) }),
  ).rejects.toMatchObject({ code: 'ERR_HUB_EVENT_TOO_LARGE' });
  const errors: string[] = [];
  hub.on('error', ({ error }) => errors.push(error.code));
  expect(await hub.publishDiscordEvent({ event: 'voice.joined', payload: { userId: 7 } } as never)).toBe('invalid');
  expect(await hub.publishDiscordEvent(null as never)).toBe('invalid');
  expect(await hub.publishDiscordEvent({ event: 'typing.started' } as never)).toBe('invalid');
  expect(await hub.publishDiscordEvent({ event: 'later.event' } as never)).toBe('ignored');
  expect(errors).toEqual(['ERR_HUB_EVENT_INVALID', 'ERR_HUB_EVENT_INVALID', 'ERR_HUB_EVENT_INVALID']);
  await hub.close();
  await hub.close();
  await expect(hub.publish('guild:1', 'room.closing', closing)).rejects.toMatchObject({ code: 'ERR_HUB_CLOSED' });
});
