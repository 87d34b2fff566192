/** The hub over time: permissions that change, limits, slow readers, the end. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { memoryEngine } from '@guildkit/server-kit/hub';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it, vi } from 'vitest';
import { deleted, joined } from '../support/events.js';
import { ORIGIN, startHub } from '../support/hub-server.js';

const ROOM = 'channel:10';
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('permissions', () => {
  it('are asked again on revalidate, for one user or all, and a no ends the subscription', async () => {
    const denied = new Set<string>();
    await using app = await startHub({ authorize: ({ userId }, room) => !denied.has(`${userId} ${room}`) });
    const [a, tab, b] = await Promise.all([app.join('user-1'), app.join('user-1'), app.join('user-2')]);
    for (const client of [a, tab, b]) for (const room of [ROOM, 'guild:1']) await client.subscribe(room);
    for (const user of ['user-1', 'user-2']) denied.add(`${user} ${ROOM}`);

    app.hub.revalidate('user-1');
    for (const client of [a, tab]) {
      expect((await client.event('sys.unsubscribed')).payload).toEqual({ room: ROOM, code: 'ERR_HUB_ROOM_FORBIDDEN' });
    }
    app.hub.revalidate('user-3');
    await app.hub.publishDiscordEvent(joined('1', '10'));
    expect(await b.untilSeq(ROOM, 1)).toHaveLength(1);
    app.hub.revalidate();
    await b.event('sys.unsubscribed');
    await app.hub.publishDiscordEvent(joined('2', '10'));
    await app.hub.publishDiscordEvent(deleted('10'));
    for (const client of [a, tab, b]) await client.untilSeq('guild:1', 1);
    expect([a.log(ROOM), tab.log(ROOM)]).toEqual([[], []]);
    expect(b.log(ROOM)).toHaveLength(1);
    expect(app.hub.stats()).toMatchObject({ rooms: 1, subscriptions: 3 });
  });

  it('that nobody answers for are no yes: the subscription fails, and one that was heard ends', async () => {
    const clock = createVirtualClock();
    let hangs = true;
    await using app = await startHub({
      clock,
      heartbeatMs: 600_000,
      authorize: () => (hangs ? new Promise<boolean>(() => {}) : true),
    });
    const client = await app.join('user-1');
    const id = client.send({ type: 'subscribe', payload: { room: ROOM } });
    await vi.waitFor(() => expect(clock.pending).toBeGreaterThan(1));
    await clock.advance(5_000);
    expect((await client.until((frame) => frame.re === id)).payload.code).toBe('ERR_HUB_SUBSCRIPTION_FAILED');
    hangs = false;
    await client.subscribe(ROOM);
    hangs = true;
    app.hub.revalidate();
    await clock.advance(5_000);
    expect(await client.end()).toEqual({ code: 1013, reason: 'ERR_HUB_SUBSCRIPTION_FAILED' });
  });

  it('that cannot be asked end the connection with 1013: it comes back and asks anew', async () => {
    let down = false;
    await using app = await startHub({
      authorize: () => {
        if (down) throw new Error('down');
        return true;
      },
    });
    const client = await app.join('user-1');
    await client.subscribe(ROOM);
    down = true;
    app.hub.revalidate();
    expect(await client.end()).toEqual({ code: 1013, reason: 'ERR_HUB_SUBSCRIPTION_FAILED' });
  });

  it('are asked again when a room ends, after its last event', async () => {
    let open = true;
    await using app = await startHub({ authorize: () => open });
    const client = await app.join('user-1');
    await client.subscribe(ROOM);
    open = false;
    await app.hub.publishDiscordEvent(deleted('10'));
    await client.event('sys.unsubscribed');
    expect(client.frames.slice(-2).map((frame) => frame.event)).toEqual(['room.deleted', 'sys.unsubscribed']);
  });
});

describe('limits', () => {
  it('of connections hold for each user, and a place is given back', async () => {
    await using app = await startHub({ maxConnectionsPerUser: 2 });
    const [one] = await Promise.all([app.join('user-1'), app.join('user-1'), app.join('user-2')]);
    const third = app.connect();
    await third.welcome();
    third.send({ type: 'auth', payload: { token: 'user-1' } });
    expect(await third.end()).toEqual({ code: 4429, reason: 'ERR_HUB_CONNECTION_LIMIT' });
    expect(third.frames.at(-1)?.payload).toMatchObject({ retryAfterMs: 5_000 });
    const gone = new Promise((resolve) => app.hub.once('disconnected', resolve));
    one.ws.close();
    expect(await gone).toMatchObject({ userId: 'user-1' });
    await app.join('user-1');
    expect(app.hub.stats()).toMatchObject({ connections: 3, users: 2, errors: { ERR_HUB_CONNECTION_LIMIT: 1 } });
  });

  it('of bytes: a reader that stops is let go with 4408, and others miss nothing', async () => {
    await using app = await startHub({ engine: memoryEngine({ maxEvents: 8 }) });
    const [slow, witness] = await Promise.all([app.join('user-1'), app.join('user-2')]);
    await Promise.all([slow.subscribe('guild:1'), witness.subscribe('guild:1')]);
    slow.ws.pause();
    const name = 'x'.repeat(200_000);
    let sent = 0;
    // The kernel hides some megabytes before the hub sees anything waiting.
    while (app.hub.stats().closes['4408'] === undefined && sent < 500) {
      sent += 1;
      await app.hub.publish('guild:1', 'room.created', { channelId: '1', guildId: '1', name: `${sent} ${name}` });
      await witness.untilSeq('guild:1', sent);
      await turn();
    }
    expect(app.hub.stats()).toMatchObject({
      closes: { 4408: 1 },
      errors: { ERR_HUB_CONNECTION_SLOW: 1 },
      subscriptions: 1,
    });
    await app.hub.publish('guild:1', 'room.deleted', { channelId: '1', guildId: '1' });
    const log = await witness.untilSeq('guild:1', sent + 1);
    expect(log.map((frame) => frame.seq)).toEqual(Array.from({ length: sent + 1 }, (_, n) => n + 1));
    slow.ws.resume();
    expect(await slow.end()).toEqual({ code: 4408, reason: 'ERR_HUB_CONNECTION_SLOW' });
    // What it got is in order, and nothing of it comes twice.
    const got = slow.log('guild:1').map((frame) => frame.seq);
    expect(got).toEqual(Array.from({ length: got.length }, (_, n) => n + 1));
    expect(got.length).toBeLessThan(sent);
    const back = await app.join('user-1');
    expect((await back.subscribe('guild:1')).payload).toMatchObject({ seq: sent + 1, snapshot: { channels: [] } });
  });

  it('of bytes: history that does not fit is told as the state instead', async () => {
    await using app = await startHub({ maxBufferedBytes: 20_000 });
    const first = await app.join('user-1');
    const { epoch } = (await first.subscribe('guild:1')).payload as { epoch: string };
    for (let n = 1; n <= 10; n += 1) {
      const name = `${n} ${'x'.repeat(2_000)}`;
      await app.hub.publish('guild:1', 'room.created', { channelId: '1', guildId: '1', name });
    }
    const second = await app.join('user-1');
    expect((await second.subscribe('guild:1', { epoch, seq: 8 })).payload.recovered).toBe(true);
    await second.untilSeq('guild:1', 10);
    expect((await second.subscribe('guild:1', { epoch, seq: 0 })).payload).toMatchObject({ recovered: false, seq: 10 });
    expect(second.closed).toBeUndefined();
  });
});

it('tells everyone that Discord is out of sight, those who come later too, and only once', async () => {
  await using app = await startHub();
  const early = await app.join('user-1');
  const stranger = app.connect();
  await stranger.welcome();
  app.hub.setDegraded(true, 'gateway away');
  app.hub.setDegraded(true, 'gateway away');
  const late = await app.join('user-2');
  app.hub.setDegraded(false);
  for (const client of [early, late]) {
    await client.until((frame) => frame.event === 'sys.degraded' && frame.payload.degraded === false);
    expect(client.frames.filter((frame) => frame.event === 'sys.degraded').map((frame) => frame.payload)).toEqual([
      { degraded: true, reason: 'gateway away' },
      { degraded: false, reason: '' },
    ]);
  }
  expect(stranger.frames).toHaveLength(1);
});

describe('figures', () => {
  it('of round trips: one for each ping that is answered, none for a pong that nobody asked for', async () => {
    const clock = createVirtualClock();
    await using app = await startHub({ clock, random: () => 0 });
    const trips: { connectionId: string; ms: number }[] = [];
    app.hub.on('roundTrip', (trip) => trips.push(trip));
    const client = await app.join('user-1');
    const { connectionId } = (await client.welcome()).payload;
    client.send({ type: 'pong', payload: {} });
    await client.subscribe(ROOM);
    expect(trips).toEqual([]);
    // The first ping comes after half an interval, 40 ms before the end; its pong comes over a real socket, after it.
    await clock.advance(7_540);
    await vi.waitFor(() => expect(trips).toEqual([{ connectionId, ms: 40 }]));
    client.send({ type: 'pong', payload: {} });
    await client.subscribe('guild:1');
    expect(trips).toHaveLength(1);
  });
});

describe('the end', () => {
  it('is announced, spread, and leaves neither socket nor timer', async () => {
    const clock = createVirtualClock();
    let draws = 0;
    const app = await startHub({
      clock,
      random: () => {
        draws += 1;
        return (draws * 0.37) % 1;
      },
    });
    const sockets = new Set<unknown>();
    app.server.on('connection', (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    });
    const [a, b] = await Promise.all([app.join('user-1'), app.join('user-2')]);
    const stranger = app.connect();
    await stranger.welcome();
    await a.subscribe(ROOM);
    const closed = app.hub.close({ drainMs: 1_000 });
    expect(app.hub.close()).toBe(closed);
    expect(await stranger.end()).toEqual({ code: 4503, reason: 'ERR_HUB_DRAINING' });
    const told = await Promise.all([a, b].map((client) => client.event('sys.drain')));
    const [first, second] = told.map((frame) => frame.payload.reconnectInMs as number);
    expect(first).not.toBe(second);
    for (const ms of [first, second]) expect(ms).toSatisfy((each: number) => each >= 0 && each < 5_000);
    expect((await b.subscribe(ROOM)).payload).toMatchObject({ code: 'ERR_HUB_DRAINING', retryAfterMs: 1_000 });
    const refused = app.connect();
    await once(refused.ws, 'error');
    expect(app.hub.stats()).toMatchObject({ connections: 2, errors: { ERR_HUB_DRAINING: 2 } });
    await clock.advance(1_000);
    expect((await a.end()).code).toBe(4503);
    expect((await b.end()).code).toBe(4503);
    await closed;
    expect(clock.pending).toBe(0);
    expect(app.hub.stats()).toMatchObject({ connections: 0, users: 0, rooms: 0, subscriptions: 0 });
    expect(app.server.listenerCount('upgrade')).toBe(0);
    await vi.waitFor(() => expect(sockets.size).toBe(0));
    expect(await app.hub.publishDiscordEvent(joined('1', '10'))).toBe('failed');
    expect(() => app.hub.attach(app.server, { ws: '/x' })).toThrow('closed');
    await app[Symbol.asyncDispose]();
  });

  it('may be asked for again by who hears of it', async () => {
    await using app = await startHub();
    const client = await app.join('user-1');
    const again = new Promise<void>((resolve) => {
      app.hub.on('disconnected', () => void app.hub.close({ drainMs: 0 }).then(resolve));
    });
    await Promise.all([app.hub.close({ drainMs: 0 }), again]);
    expect(await client.end()).toEqual({ code: 4503, reason: 'ERR_HUB_DRAINING' });
  });

  it('does not wait for a peer that does not answer', async () => {
    const clock = createVirtualClock();
    await using app = await startHub({ clock });
    const socket = connect(app.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      `GET /api/ws HTTP/1.1\r\nHost: x\r\nOrigin: ${ORIGIN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`,
    );
    await once(socket, 'data');
    socket.pause();
    expect(app.hub.stats().connections).toBe(1);
    const closed = app.hub.close({ drainMs: 0 });
    await clock.advance(2_000);
    await closed;
    expect([app.hub.stats().connections, clock.pending]).toEqual([0, 0]);
    socket.destroy();
  });

  it('of every connection is clean, whatever it was doing', async () => {
    const clock = createVirtualClock();
    let answer: ((value: boolean) => void) | undefined;
    const app = await startHub({
      clock,
      authorize: () =>
        new Promise<boolean>((resolve) => {
          answer = resolve;
        }),
    });
    const client = await app.join('user-1');
    client.send({ type: 'subscribe', payload: { room: ROOM } });
    await vi.waitFor(() => expect(answer).toBeDefined());
    client.ws.terminate();
    await vi.waitFor(() => expect(app.hub.stats().connections).toBe(0));
    answer?.(true);
    await turn();
    expect(app.hub.stats()).toMatchObject({ rooms: 0, subscriptions: 0, users: 0 });
    expect(clock.pending).toBe(0);
    await app[Symbol.asyncDispose]();
  });
});
