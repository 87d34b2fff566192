/** The hub over server-sent events: what a stream says, how it recovers, how it ends. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { memoryEngine, RealtimeHub } from '@guildkit/server-kit/hub';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it, vi } from 'vitest';
import { BlockParser } from '../support/event-stream.js';
import { deleted, joined } from '../support/events.js';
import { closeServer, ORIGIN, principalOf, startHub } from '../support/hub-server.js';

const ROOM = 'channel:10';
const pongOf = (connectionId: unknown, cursor: string | undefined) => ({
  v: 1,
  type: 'pong',
  id: 'p',
  payload: { connectionId, cursor },
});

describe('a stream', () => {
  it('begins with welcome, state and cursor of every room, and goes on with their events', async () => {
    await using app = await startHub({ random: () => 0 });
    await app.hub.publishDiscordEvent(joined('1', '10'));
    const stream = await app.stream(`${ROOM},guild:1&rooms=user:user-1`).opened();
    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-store, no-transform',
      'x-accel-buffering': 'no',
      'transfer-encoding': 'chunked',
    });
    await stream.until((frame) => frame.payload.room === 'user:user-1');
    expect(stream.blocks[0]).toMatchObject({ retry: 1_000, frame: { event: 'sys.welcome' } });
    const snapshots = stream.frames.slice(1);
    expect(snapshots.map(({ event, payload }) => [event, payload.room, payload.seq])).toEqual([
      ['sys.snapshot', ROOM, 1],
      ['sys.snapshot', 'guild:1', 0],
      ['sys.snapshot', 'user:user-1', 0],
    ]);
    expect(snapshots[0]?.payload.snapshot).toMatchObject({ kind: 'voice', members: [{ userId: '1' }] });
    const before = stream.lastEventId;
    expect(before?.split(';')).toHaveLength(3);
    await app.hub.publishDiscordEvent(joined('2', '10'));
    const [event] = await stream.untilSeq(ROOM, 2);
    expect(event).toMatchObject({ v: 1, type: 'event', event: 'voice.joined', payload: { userId: '2' }, seq: 2 });
    expect(stream.lastEventId).not.toBe(before);
    expect(app.hub.stats()).toMatchObject({ connections: 1, users: 1, subscriptions: 3 });
    stream.destroy();
    await vi.waitFor(() => expect(app.hub.stats()).toMatchObject({ connections: 0, subscriptions: 0, rooms: 0 }));
  });

  it('recovers exactly what was missed, by Last-Event-ID or ?since=, and says so', async () => {
    await using app = await startHub();
    const first = app.stream(`${ROOM},guild:1`);
    await first.until((frame) => frame.payload.room === 'guild:1');
    await app.hub.publishDiscordEvent(joined('1', '10'));
    await first.untilSeq(ROOM, 1);
    const cursor = first.lastEventId as string;
    first.destroy();
    for (const user of ['2', '3']) await app.hub.publishDiscordEvent(joined(user, '10'));
    const back = app.stream(`${ROOM},guild:1`, { headers: { 'last-event-id': cursor } });
    const log = await back.untilSeq(ROOM, 3);
    expect(log.map((frame) => frame.payload.userId)).toEqual(['2', '3']);
    const guild = await back.until((frame) => frame.type === 'ack' && frame.re === 'guild:1');
    expect(guild.payload).toMatchObject({ recovered: true, seq: 0 });
    // The position is known before anything happens.
    expect(back.blocks[0]?.id).toBe(cursor);
    const again = app.stream(`${ROOM}&since=${encodeURIComponent(back.lastEventId as string)}`);
    expect((await again.event('subscribe')).payload).toMatchObject({ recovered: true, seq: 3 });
    expect(again.log(ROOM)).toEqual([]);
    // The header is newer than the address.
    const newer = app.stream(`${ROOM}&since=${encodeURIComponent(cursor)}`, {
      headers: { 'last-event-id': back.lastEventId as string },
    });
    await newer.event('subscribe');
    expect(newer.log(ROOM)).toEqual([]);
  });

  it('tells the state where history is gone, unknown, of another life or no cursor at all', async () => {
    await using app = await startHub({ engine: memoryEngine({ maxEvents: 1 }) });
    const first = app.stream(ROOM);
    await first.event('sys.snapshot');
    const cursor = first.lastEventId as string;
    for (const user of ['1', '2', '3']) await app.hub.publishDiscordEvent(joined(user, '10'));
    const [room, , seq] = cursor.split(',');
    const cursors = [cursor, `${room},other,${seq}`, `${room},%zz,1`, 'x'.repeat(9_000), ';;,,', '\u00ff'];
    for (const since of cursors) {
      const stream = app.stream(`${ROOM}&since=${encodeURIComponent(since)}`);
      const { payload } = await stream.event('sys.snapshot');
      expect(payload).toMatchObject({ room: ROOM, seq: 3, snapshot: { members: [{}, {}, {}] } });
      // The unknown cursor does not stick.
      expect(stream.lastEventId).toMatch(/,3$/);
      expect(stream.frames.map(({ event }) => event)).toEqual(['sys.welcome', 'sys.snapshot']);
    }
  });

  it('says no for a room that may not be heard, and serves the others', async () => {
    await using app = await startHub({ authorize: (_, room) => room !== 'channel:13' });
    const stream = app.stream(`channel:13,${ROOM}`);
    const refused = await stream.until((frame) => frame.type === 'error');
    expect(refused).toMatchObject({ re: 'channel:13', payload: { code: 'ERR_HUB_ROOM_FORBIDDEN' } });
    await app.hub.publishDiscordEvent(joined('1', '13'));
    await app.hub.publishDiscordEvent(joined('1', '10'));
    await stream.untilSeq(ROOM, 1);
    expect(stream.log('channel:13')).toEqual([]);
    expect(stream.lastEventId).not.toContain('channel:13');
  });

  it('loses a room when access ends', async () => {
    let open = true;
    await using app = await startHub({ authorize: (_, room) => room !== ROOM || open });
    const stream = app.stream(`${ROOM},guild:1`);
    await stream.until((frame) => frame.payload.room === 'guild:1');
    open = false;
    app.hub.revalidate('guild:1');
    app.hub.revalidate(ROOM);
    expect((await stream.event('sys.unsubscribed')).payload).toEqual({ room: ROOM, code: 'ERR_HUB_ROOM_FORBIDDEN' });
    await app.hub.publishDiscordEvent(joined('1', '10'));
    await app.hub.publishDiscordEvent(deleted('10'));
    await stream.untilSeq('guild:1', 1);
    expect(stream.log(ROOM)).toEqual([]);
    expect(stream.lastEventId).toMatch(/^guild:1,[^;]+$/);
  });

  it('says ": ping" after 15 s of silence, and only then', async () => {
    const clock = createVirtualClock();
    await using app = await startHub({ clock });
    const stream = app.stream(ROOM);
    await stream.event('sys.snapshot');
    await clock.advance(14_999);
    await app.hub.publishDiscordEvent(joined('1', '10'));
    await stream.untilSeq(ROOM, 1);
    await clock.advance(14_999);
    await app.hub.publish('user:9', 'room.deleted', { channelId: '1', guildId: '1' });
    expect(stream.blocks.filter(({ comment }) => comment !== undefined)).toEqual([]);
    await clock.advance(1);
    await stream.block(({ comment }) => comment === 'ping');
    expect(app.hub.stats().connections).toBe(1);
  });

  it('tells how long events waited for the write, and nothing of those that went to sockets', async () => {
    const clock = createVirtualClock();
    await using app = await startHub({ clock });
    const stream = app.stream(ROOM);
    await stream.event('sys.snapshot');
    const socket = await app.join('user-2');
    await socket.subscribe('guild:1');
    const flushes: number[] = [];
    app.hub.on('streamsFlushed', ({ ms }) => flushes.push(ms));
    await app.hub.publishDiscordEvent(deleted('11'));
    await socket.untilSeq('guild:1', 1);
    expect(flushes).toEqual([]);
    await app.hub.publishDiscordEvent(joined('1', '10'));
    await stream.untilSeq(ROOM, 1);
    expect(flushes).toEqual([0]);
  });

  it('comes back together no more than it must: retry differs, and a drain names its own', async () => {
    const clock = createVirtualClock();
    let draws = 0;
    await using app = await startHub({
      clock,
      random: () => {
        draws += 1;
        return (draws * 0.37) % 1;
      },
    });
    const [a, b] = [app.stream(ROOM), app.stream(ROOM)];
    await Promise.all([a.event('sys.snapshot'), b.event('sys.snapshot')]);
    expect(a.blocks[0]?.retry).not.toBe(b.blocks[0]?.retry);
    const closed = app.hub.close({ drainMs: 1_000 });
    const told = await a.block(({ frame }) => frame?.event === 'sys.drain');
    expect(told.retry).toBe(told.frame?.payload.reconnectInMs);
    const refused = await app.stream(ROOM).opened();
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    await clock.advance(1_000);
    for (const stream of [a, b]) {
      await stream.end();
      expect(stream.frames.at(-1)).toMatchObject({
        event: 'sys.closed',
        payload: { code: 4503, cause: 'ERR_HUB_DRAINING' },
      });
    }
    await closed;
    expect(clock.pending).toBe(0);
  });

  it('ends with the proof of identity, unless a posted position brings a newer one', async () => {
    const clock = createVirtualClock();
    let expiresAt = clock.wallTime() + 60_000;
    await using app = await startHub({
      clock,
      authenticate: ({ token }) => {
        const principal = principalOf(token);
        return principal && { ...principal, expiresAt };
      },
    });
    const stream = app.stream(ROOM);
    const { connectionId } = (await stream.event('sys.welcome')).payload;
    await stream.event('sys.snapshot');
    await clock.advance(30_000);
    expect((await stream.event('sys.reauth')).payload).toEqual({ expiresAt });
    expiresAt += 30_000;
    expect((await app.post(pongOf(connectionId, stream.lastEventId))).status).toBe(204);
    await clock.advance(30_000);
    // The same proof again brings nothing.
    expect((await app.post(pongOf(connectionId, stream.lastEventId))).status).toBe(204);
    await clock.advance(29_999);
    expect(stream.ended).toBe(false);
    await clock.advance(1);
    await stream.end();
    expect(stream.frames.at(-1)?.payload).toEqual({ code: 4401, cause: 'ERR_HUB_AUTH_EXPIRED' });
  });

  it('is let go when the positions that were posted stop, or lag behind', async () => {
    const clock = createVirtualClock();
    await using app = await startHub({ clock, random: () => 0, maxLagEvents: 5 });
    const [silent, behind, quiet] = [app.stream(ROOM), app.stream(ROOM), app.stream(ROOM)];
    const ids = [];
    for (const stream of [silent, behind, quiet]) {
      await stream.event('sys.snapshot');
      ids.push((await stream.event('sys.welcome')).payload.connectionId);
    }
    const start = behind.lastEventId;
    expect((await app.post(pongOf(ids[0], silent.lastEventId))).status).toBe(204);
    for (let n = 1; n <= 10; n += 1) await app.hub.publishDiscordEvent(joined(`${n}`, '10'));
    await behind.untilSeq(ROOM, 10);
    await clock.advance(15_000);
    expect((await app.post(pongOf(ids[1], start))).status).toBe(204);
    await behind.end();
    expect(behind.frames.at(-1)?.payload).toMatchObject({ code: 4408, cause: 'ERR_HUB_CONNECTION_SLOW' });
    await clock.advance(25_000);
    await silent.end();
    expect(silent.frames.at(-1)?.payload).toMatchObject({ code: 4408 });
    // Whoever never posted is bound by bytes alone.
    await clock.advance(100_000);
    expect(quiet.ended).toBe(false);
    expect(app.hub.stats()).toMatchObject({ closes: { 4408: 2 }, errors: { ERR_HUB_CONNECTION_SLOW: 2 } });
  });

  it('is let go when its reader stops, and the others miss nothing', async () => {
    await using app = await startHub({ engine: memoryEngine({ maxEvents: 8 }) });
    const [slow, witness] = [app.stream('guild:1'), app.stream('guild:1', { token: 'user-2' })];
    await Promise.all([slow.event('sys.snapshot'), witness.event('sys.snapshot')]);
    slow.response?.pause();
    const name = 'x'.repeat(200_000);
    let sent = 0;
    while (app.hub.stats().closes['4408'] === undefined && sent < 500) {
      sent += 1;
      await app.hub.publish('guild:1', 'room.created', { channelId: '1', guildId: '1', name: `${sent} ${name}` });
      await witness.untilSeq('guild:1', sent);
    }
    expect(app.hub.stats()).toMatchObject({ closes: { 4408: 1 }, subscriptions: 1 });
    expect(witness.log('guild:1').map((frame) => frame.seq)).toEqual(Array.from({ length: sent }, (_, n) => n + 1));
  });
});

describe('a request for a stream', () => {
  const CASES: Record<string, [path: string, headers: Record<string, string>, status: number, code: string]> = {
    'without a room': ['/api/stream', {}, 400, 'ERR_HUB_REQUEST_INVALID'],
    'for what is no room': ['/api/stream?rooms=channel:../1', {}, 400, 'ERR_HUB_ROOM_INVALID'],
    'for too many rooms': ['/api/stream?rooms=channel:1,channel:2,channel:3', {}, 400, 'ERR_HUB_SUBSCRIPTION_LIMIT'],
    'without a proof of identity': [
      '/api/stream?rooms=channel:1',
      { authorization: 'Bearer nobody' },
      401,
      'ERR_HUB_AUTH_REFUSED',
    ],
    'from a foreign page': [
      '/api/stream?rooms=channel:1',
      { origin: 'https://evil.example' },
      403,
      'ERR_HUB_ORIGIN_FORBIDDEN',
    ],
    'that a foreign page makes without saying so': [
      '/api/stream?rooms=channel:1',
      { 'sec-fetch-site': 'cross-site' },
      403,
      'ERR_HUB_ORIGIN_FORBIDDEN',
    ],
  };
  for (const [title, [path, headers, status, code]] of Object.entries(CASES)) {
    it(`${title} is answered with ${status}, counted`, async () => {
      await using app = await startHub({ maxSubscriptions: 2 });
      const stream = app.stream(path, { headers });
      await stream.end();
      expect([stream.status, JSON.parse(stream.body).error.code]).toEqual([status, code]);
      expect(stream.headers['x-request-id']).toBe(JSON.parse(stream.body).error.requestId);
      expect(app.hub.stats().errors[code as 'ERR_HUB_AUTH_REFUSED']).toBe(1);
      await vi.waitFor(() => expect(app.hub.stats().connections).toBe(0));
      if (status === 403) expect(stream.headers).not.toHaveProperty('access-control-allow-origin');
    });
  }

  it('is refused when the user or the hub has too many connections, or nobody can be authenticated', async () => {
    let down = false;
    await using app = await startHub({
      maxConnectionsPerUser: 1,
      maxConnections: 2,
      authenticate: ({ token }) => {
        if (down) throw new Error('down');
        return principalOf(token);
      },
    });
    await app.stream(ROOM).event('sys.snapshot');
    const second = app.stream(ROOM);
    await second.end();
    expect([second.status, second.headers['retry-after']]).toEqual([429, '5']);
    await vi.waitFor(() => expect(app.hub.stats().connections).toBe(1));
    down = true;
    const unlucky = app.stream(ROOM, { token: 'user-2' });
    await unlucky.end();
    expect([unlucky.status, unlucky.headers['retry-after']]).toEqual([503, '1']);
    expect(unlucky.body).not.toContain('down');
    await vi.waitFor(() => expect(app.hub.stats().connections).toBe(1));
    down = false;
    await app.stream(ROOM, { token: 'user-2' }).event('sys.snapshot');
    const full = app.stream(ROOM, { token: 'user-3' });
    await full.end();
    expect(full.status).toBe(503);
  });

  it('may come from a page of an allowed origin, which may read it, with a cookie', async () => {
    await using app = await startHub({
      authenticate: ({ headers }) => principalOf(headers.get('cookie')?.replace('session=', '')),
    });
    const stream = await app
      .stream(ROOM, { headers: { origin: ORIGIN, cookie: 'session=user-7', 'sec-fetch-site': 'cross-site' } })
      .opened();
    expect(stream.headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      vary: 'Origin',
    });
    await stream.event('sys.snapshot');
    for (const path of ['/api/stream', '/api/commands']) {
      const preflight = await fetch(`http://127.0.0.1:${app.port}${path}`, {
        method: 'OPTIONS',
        headers: { origin: ORIGIN, 'access-control-request-method': 'POST' },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
      expect(preflight.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    }
    const put = await fetch(`http://127.0.0.1:${app.port}/api/stream`, { method: 'PUT' });
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, OPTIONS']);
  });

  it('for another path is left to the server, also to listeners that come later', async () => {
    await using app = await startHub();
    const get = async (path: string) => (await fetch(`http://127.0.0.1:${app.port}${path}`)).text();
    expect(await get('/api/streams')).toBe('http');
    app.server.removeAllListeners('request');
    app.server.on('request', (_, response) => response.end('later'));
    expect(await get('/')).toBe('later');
    await app.stream(ROOM).event('sys.snapshot');
    await app.hub.close({ drainMs: 0 });
    expect(await get('/api/stream')).toBe('later');
    expect(Object.hasOwn(app.server, 'emit')).toBe(false);
  });

  it('behind another in one connection waits its turn, and its bytes stay its own', async () => {
    await using app = await startHub();
    let finish = (): void => {};
    app.server.removeAllListeners('request');
    app.server.on('request', (_, response) => {
      finish = () => response.end('slow');
    });
    const { connect } = await import('node:net');
    const socket = connect(app.port, '127.0.0.1');
    let got = '';
    socket.on('data', (data) => {
      got += String(data);
    });
    socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    socket.write(`GET /api/stream?rooms=${ROOM} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user-1\r\n\r\n`);
    await vi.waitFor(() => expect(app.hub.stats().subscriptions).toBe(1));
    await app.hub.publishDiscordEvent(joined('1', '10'));
    expect(got).toBe('');
    finish();
    await vi.waitFor(() => expect(got).toContain('voice.joined'));
    expect(got.indexOf('slow')).toBeLessThan(got.indexOf('text/event-stream'));
    socket.destroy();
  });
});

describe('Web-standard handlers', () => {
  it('say the same, and end with the reader, the request or the hub', async () => {
    const hub = new RealtimeHub({
      origins: [ORIGIN],
      authenticate: ({ token }) => principalOf(token),
      authorize: () => true,
    });
    const headers = { authorization: 'Bearer user-1' };
    const aborter = new AbortController();
    const ask = (init: RequestInit = {}) =>
      hub.streamHandler(new Request(`http://x/any/path?rooms=${ROOM}`, { headers, ...init }));
    const read = async (response: Response, wanted: string) => {
      const parser = new BlockParser();
      const events: string[] = [];
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      while (!events.includes(wanted)) {
        const { value, done } = await reader.read();
        if (done) break;
        for (const { frame } of parser.take(new TextDecoder().decode(value))) events.push(frame?.event ?? '');
      }
      return { events, reader };
    };
    const [first, second, third] = await Promise.all([ask(), ask({ signal: aborter.signal }), ask()]);
    expect(first.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    await hub.publishDiscordEvent(joined('1', '10'));
    const one = await read(first, 'voice.joined');
    expect(one.events).toEqual(['sys.welcome', 'sys.snapshot', 'voice.joined']);
    await one.reader.cancel();
    aborter.abort();
    await vi.waitFor(() => expect(hub.stats().connections).toBe(1));
    expect((await hub.streamHandler(new Request('http://x/?rooms=a', { headers }))).status).toBe(400);
    expect((await hub.streamHandler(new Request(`http://x/?rooms=${ROOM}`))).status).toBe(401);
    const command = JSON.stringify({ v: 1, type: 'command', id: 'c', payload: { name: 'x', input: null } });
    const posted = await hub.commandHandler(
      new Request('http://x/', {
        method: 'POST',
        body: command,
        headers: { ...headers, 'content-type': 'application/json' },
      }),
    );
    expect([posted.status, (await posted.json()).error.code]).toEqual([404, 'ERR_HUB_COMMAND_UNKNOWN']);
    const closed = hub.close({ drainMs: 0 });
    expect((await read(third, 'sys.closed')).events.at(-1)).toBe('sys.closed');
    await second.body?.cancel().catch(() => {});
    await closed;
    expect(hub.stats().connections).toBe(0);
    second.body?.cancel().catch(() => {});
  });

  it('let go a reader that takes nothing', async () => {
    const hub = new RealtimeHub({
      origins: [],
      authenticate: ({ token }) => principalOf(token),
      authorize: () => true,
      maxBufferedBytes: 50_000,
    });
    const response = await hub.streamHandler(
      new Request('http://x/?rooms=guild:1', { headers: { authorization: 'Bearer user-1' } }),
    );
    for (let n = 0; n < 40 && hub.stats().closes['4408'] === undefined; n += 1) {
      const name = `${n} ${'x'.repeat(5_000)}`;
      await hub.publish('guild:1', 'room.created', { channelId: '1', guildId: '1', name });
    }
    await vi.waitFor(() => expect(hub.stats().closes).toEqual({ 4408: 1 }));
    const text = await response.text();
    expect(text.endsWith('\n\n')).toBe(true);
    expect(text).toContain('"sys.closed"');
    await hub.close();
  });
});

it('HTTP/1.0 gets its stream without chunks', async () => {
  await using app = await startHub();
  const { connect } = await import('node:net');
  const socket = connect(app.port, '127.0.0.1');
  let got = '';
  socket.on('data', (data) => {
    got += String(data);
  });
  socket.write(`GET /api/stream?rooms=${ROOM} HTTP/1.0\r\nAuthorization: Bearer user-1\r\n\r\n`);
  await vi.waitFor(() => expect(got).toContain('sys.snapshot'));
  expect(got.toLowerCase()).not.toContain('transfer-encoding');
  expect(got).toMatch(/\r\n\r\nretry: \d+\ndata: \{/);
  socket.destroy();
});

it('a stream and commands can be served by a hub without WebSocket, on paths of its own', async () => {
  const hub = new RealtimeHub({ origins: [], authenticate: ({ token }) => principalOf(token), authorize: () => true });
  const server = createServer((_, response) => response.writeHead(404).end());
  for (const bad of [{}, { ws: 'x' }, { sse: 5 }, undefined] as never[])
    expect(() => hub.attach(server, bad)).toThrow(TypeError);
  const detach = hub.attach(server, { sse: '/events', commands: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const status = (path: string) =>
    new Promise<number>((resolve) => {
      request({ port, host: '127.0.0.1', path, method: 'POST' }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      }).end();
    });
  expect([await status('/events'), await status('/api/commands')]).toEqual([405, 404]);
  detach();
  detach();
  expect(await status('/events')).toBe(404);
  await hub.close();
  await closeServer(server);
});
