/** What peers do wrong: each is refused with its code, counted, and nobody else notices. */
import { connect } from 'node:net';
import type { HubErrorCode } from '@guildkit/server-kit/hub';
import { createJwtIssuer, createJwtVerifier } from '@guildkit/server-kit/jwt';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { joined } from '../support/events.js';
import { ORIGIN, principalOf, startHub, type TestClient } from '../support/hub-server.js';

const ROOM = 'channel:10';
type App = Awaited<ReturnType<typeof startHub>>;

/** Runs one misdeed beside a client that must not notice it. */
async function beside(app: App, misdeed: () => Promise<void>): Promise<void> {
  const witness = await app.join('user-9');
  await witness.subscribe(ROOM);
  await app.hub.publishDiscordEvent(joined('1', '10'));
  await misdeed();
  await app.hub.publishDiscordEvent(joined('2', '10'));
  const log = await witness.untilSeq(ROOM, 2);
  expect(log.map((frame) => frame.payload.userId)).toEqual(['1', '2']);
  expect(witness.closed).toBeUndefined();
}

const errorOf = async (client: TestClient, code: HubErrorCode) =>
  (await client.until((frame) => frame.type === 'error' && frame.payload.code === code)).re;

describe('a connection ends', () => {
  const CASES: Record<string, [send: (client: TestClient) => void, close: number, code: HubErrorCode]> = {
    'with 4400 on malformed JSON': [(client) => client.ws.send('{"v":1,'), 4400, 'ERR_HUB_FRAME_MALFORMED'],
    'with 4400 on what is no envelope': [(client) => client.ws.send('[1]'), 4400, 'ERR_HUB_FRAME_MALFORMED'],
    'with 4400 on another version': [
      (client) => client.ws.send('{"v":2,"type":"pong"}'),
      4400,
      'ERR_HUB_FRAME_MALFORMED',
    ],
    'with 4400 on a binary frame': [(client) => client.ws.send(Buffer.from([1, 2])), 4400, 'ERR_HUB_FRAME_MALFORMED'],
    'with 4401 on a wrong token': [
      (client) => client.send({ type: 'auth', payload: { token: 'wrong' } }),
      4401,
      'ERR_HUB_AUTH_REFUSED',
    ],
    'with 4413 on a frame of 64 KiB and a byte': [
      (client) => client.ws.send('x'.repeat(65_537)),
      4413,
      'ERR_HUB_FRAME_TOO_LARGE',
    ],
    'with 4413 on a frame of 10 MB': [
      (client) => client.ws.send('x'.repeat(10_000_000)),
      4413,
      'ERR_HUB_FRAME_TOO_LARGE',
    ],
  };
  for (const [title, [send, close, code]] of Object.entries(CASES)) {
    it(title, async () => {
      await using app = await startHub();
      await beside(app, async () => {
        const client = app.connect();
        await client.welcome();
        send(client);
        expect(await client.end()).toEqual({ code: close, reason: code });
        expect(app.hub.stats().errors[code]).toBe(1);
        if (close !== 4413) expect(client.frames.at(-1)).toMatchObject({ type: 'error', payload: { code } });
      });
      expect(app.hub.stats().closes).toEqual(close === 4413 ? { 4413: 1 } : { [close]: 1 });
      await vi.waitFor(() => expect(app.hub.stats().connections).toBe(1));
    });
  }

  it('with 4429 on a flood of frames, told when to come back', async () => {
    await using app = await startHub({ maxFramesPerSecond: 10, maxSubscriptions: 10 });
    await beside(app, async () => {
      const client = await app.join('user-1');
      for (let n = 0; n < 10_000; n += 1) client.send({ type: 'pong', payload: {} });
      expect(await client.end()).toEqual({ code: 4429, reason: 'ERR_HUB_FRAME_RATE' });
      expect(client.frames.at(-1)?.payload).toMatchObject({ code: 'ERR_HUB_FRAME_RATE', retryAfterMs: 1_000 });
    });
    expect(app.hub.stats().errors.ERR_HUB_FRAME_RATE).toBe(1);
  });

  it('on frames that break RFC 6455', async () => {
    await using app = await startHub();
    await beside(app, async () => {
      const socket = connect(app.port, '127.0.0.1');
      const key = Buffer.alloc(16).toString('base64');
      socket.write(
        `GET /api/ws HTTP/1.1\r\nHost: x\r\nOrigin: ${ORIGIN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
      );
      let got = '';
      socket.on('data', (data) => {
        got += data.toString('latin1');
        // An unmasked frame: a client must mask (section 5.1).
        if (got.includes('sys.welcome')) socket.write(Buffer.from([0x81, 1, 0x61]));
      });
      await vi.waitFor(() => expect(app.hub.stats().errors.ERR_HUB_SOCKET_FAILED).toBe(1));
      socket.destroy();
    });
  });

  it('with 4401 when no auth comes in time, or too late', async () => {
    const clock = createVirtualClock();
    await using app = await startHub({ clock });
    const client = app.connect();
    const welcome = await client.welcome();
    expect(welcome.payload).toMatchObject({ authTimeoutMs: 5_000, heartbeatMs: 15_000 });
    await clock.advance(4_999);
    expect(client.closed).toBeUndefined();
    await clock.advance(1);
    client.send({ type: 'auth', payload: { token: 'user-1' } });
    expect(await client.end()).toEqual({ code: 4401, reason: 'ERR_HUB_AUTH_TIMEOUT' });
    expect(app.hub.stats()).toMatchObject({ users: 0, errors: { ERR_HUB_AUTH_TIMEOUT: 1 } });
  });

  it('with 1013 when nobody can be authenticated now', async () => {
    await using app = await startHub({
      authenticate: ({ token }) => {
        if (token !== undefined) throw new Error('database down');
        return null;
      },
    });
    const client = app.connect();
    await client.welcome();
    const id = client.send({ type: 'auth', payload: { token: 'user-1' } });
    expect(await client.end()).toEqual({ code: 1013, reason: 'ERR_HUB_AUTH_UNAVAILABLE' });
    expect(client.frames.at(-1)).toMatchObject({ re: id, payload: { retryAfterMs: 1_000 } });
    expect(JSON.stringify(client.frames)).not.toContain('database');
  });

  it('with 1013 when authenticate gives nonsense', async () => {
    await using app = await startHub({
      authenticate: (({ token }: { token?: string }) => (token === undefined ? null : { id: 1 })) as never,
    });
    const client = app.connect();
    await client.welcome();
    client.send({ type: 'auth', payload: { token: 'user-1' } });
    expect((await client.end()).code).toBe(1013);
  });

  it('with 4408 when it answers no ping', async () => {
    const clock = createVirtualClock();
    await using app = await startHub({ clock, random: () => 0.999 });
    const client = await app.join('user-1');
    client.ws.removeAllListeners('message');
    const seen: string[] = [];
    client.ws.on('message', (data) => seen.push((JSON.parse(String(data)) as { event: string }).event));
    await clock.advance(15_000);
    await vi.waitFor(() => expect(seen).toEqual(['sys.ping']));
    await clock.advance(10_000);
    expect(await client.end()).toEqual({ code: 4408, reason: 'ERR_HUB_CONNECTION_SLOW' });
  });

  it('with 4408 when its pong says that it is far behind', async () => {
    const clock = createVirtualClock();
    await using app = await startHub({ clock, maxLagEvents: 5, random: () => 0.999 });
    const client = await app.join('user-1');
    await client.subscribe(ROOM);
    for (let n = 1; n <= 10; n += 1) await app.hub.publishDiscordEvent(joined(`${n}`, '10'));
    await client.untilSeq(ROOM, 10);
    client.ws.removeAllListeners('message');
    client.ws.on('message', () => client.send({ type: 'pong', payload: { seqs: { [ROOM]: 4, 'channel:99': 1 } } }));
    await clock.advance(15_000);
    expect((await client.end()).code).toBe(4408);
  });
});

describe('a connection goes on', () => {
  it('after frames that it cannot use, each answered by its id', async () => {
    await using app = await startHub({ maxSubscriptions: 2, authorize: (_, room) => room !== 'channel:13' });
    await beside(app, async () => {
      const client = app.connect();
      await client.welcome();
      const early = client.send({ type: 'subscribe', payload: { room: ROOM } });
      expect(await errorOf(client, 'ERR_HUB_AUTH_REQUIRED')).toBe(early);
      await client.request('auth', { token: 'user-1' });

      const codeOf = async (type: string, payload: unknown) => (await client.request(type, payload)).payload.code;
      expect(await codeOf('teleport', {})).toBe('ERR_HUB_FRAME_UNKNOWN');
      expect(await codeOf('subscribe', {})).toBe('ERR_HUB_FRAME_INVALID');
      expect(await codeOf('subscribe', { room: ROOM, since: { epoch: 'e', seq: -1 } })).toBe('ERR_HUB_FRAME_INVALID');
      expect(await codeOf('subscribe', { room: 'channel:../1' })).toBe('ERR_HUB_ROOM_INVALID');
      expect(await codeOf('subscribe', { room: 'channel:13' })).toBe('ERR_HUB_ROOM_FORBIDDEN');
      expect(await codeOf('command', { name: 'x', input: null })).toBe('ERR_HUB_COMMAND_UNKNOWN');
      expect(await codeOf('unsubscribe', { room: 'channel:99' })).toBeUndefined();
      await client.subscribe('channel:1');
      await client.subscribe('channel:2');
      expect(await codeOf('subscribe', { room: 'channel:3' })).toBe('ERR_HUB_SUBSCRIPTION_LIMIT');
      client.ws.send('{"v":1,"type":"subscribe","id":7,"payload":{"room":"channel:1"}}');
      await client.until((frame) => frame.type === 'error' && frame.re === undefined);
      expect((await client.subscribe(ROOM.replace('10', '1'))).payload.recovered).toBe(false);
      expect(client.closed).toBeUndefined();
      expect(app.hub.stats().errors).toMatchObject({
        ERR_HUB_AUTH_REQUIRED: 1,
        ERR_HUB_FRAME_UNKNOWN: 1,
        ERR_HUB_FRAME_INVALID: 3,
        ERR_HUB_ROOM_INVALID: 1,
        ERR_HUB_ROOM_FORBIDDEN: 1,
        ERR_HUB_COMMAND_UNKNOWN: 1,
        ERR_HUB_SUBSCRIPTION_LIMIT: 1,
      });
    });
  });

  it('without hearing a room it may not hear, even when authorize fails or forgets to say yes', async () => {
    const answers: Record<string, () => unknown> = {
      'channel:1': () => false,
      'channel:2': () => 'yes',
      'channel:3': () => undefined,
      'channel:4': () => {
        throw new Error('down');
      },
    };
    await using app = await startHub({ authorize: ((_: unknown, room: string) => answers[room]?.()) as never });
    const client = await app.join('user-1');
    for (const room of Object.keys(answers)) {
      const { payload, type } = await client.subscribe(room);
      expect(type).toBe('error');
      expect(payload.code).toBe(room === 'channel:4' ? 'ERR_HUB_SUBSCRIPTION_FAILED' : 'ERR_HUB_ROOM_FORBIDDEN');
      await app.hub.publishDiscordEvent(joined('1', room.slice(8)));
    }
    await client.request('unsubscribe', { room: 'channel:1' });
    expect(client.frames.filter((frame) => frame.seq !== undefined)).toEqual([]);
    expect(app.hub.stats()).toMatchObject({ rooms: 0, subscriptions: 0 });
  });

  it('whatever text a client sends in fields that are logged', async () => {
    const lines: string[] = [];
    const log = (fields: object, message: string) => void lines.push(`${JSON.stringify(fields)} ${message}`);
    await using app = await startHub({ logger: { debug: log, info: log, warn: log, error: log } });
    const client = await app.join('user-1');
    await client.subscribe('x\r\n\u001b[31mroot\u202e');
    client.ws.send('\u0000\r\nGET / HTTP/1.1');
    await client.end();
    await vi.waitFor(() => expect(app.hub.stats().connections).toBe(0));
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) expect(line).not.toMatch(/[\u0000-\u001f\u202e]|\\u00|\\r|\\n/);
    expect(lines.join()).not.toContain('GET /');
  });
});

describe('an upgrade', () => {
  const statusOf = (app: App, path: string, init: { origin?: string; headers?: Record<string, string> }) =>
    new Promise<number>((resolve, reject) => {
      const ws = new WebSocket(`ws://127.0.0.1:${app.port}${path}`, init);
      ws.on('unexpected-response', (request, response) => {
        request.destroy();
        resolve(response.statusCode ?? 0);
      });
      ws.on('error', () => {});
      ws.on('open', () => {
        ws.terminate();
        resolve(101);
      });
      ws.on('close', () => reject(new Error('closed')));
    });

  it('from a foreign page is refused with 403, before anything is asked', async () => {
    const authenticate = vi.fn(() => null);
    await using app = await startHub({ authenticate });
    for (const origin of [
      'https://evil.example',
      'http://app.example',
      `${ORIGIN}.evil.example`,
      'null',
      `${ORIGIN}:8443`,
    ]) {
      expect(await statusOf(app, '/api/ws', { origin })).toBe(403);
    }
    expect(app.hub.stats()).toMatchObject({ opened: 0, errors: { ERR_HUB_ORIGIN_FORBIDDEN: 5 } });
    expect(authenticate).not.toHaveBeenCalled();
    expect(await statusOf(app, '/api/ws?x=1', { origin: ORIGIN })).toBe(101);
    expect(await statusOf(app, '/api/ws', {})).toBe(101);
  });

  it('can be decided by a function, which sees a missing origin too', async () => {
    await using app = await startHub({
      origins: (origin, request) => origin === undefined && request.url === '/api/ws?dev',
    });
    expect(await statusOf(app, '/api/ws?dev', {})).toBe(101);
    expect(await statusOf(app, '/api/ws', {})).toBe(403);
    expect(await statusOf(app, '/api/ws?dev', { origin: ORIGIN })).toBe(403);
  });

  it('is refused with 503 when the hub is full', async () => {
    await using app = await startHub({ maxConnections: 1 });
    await app.join('user-1');
    expect(await statusOf(app, '/api/ws', { origin: ORIGIN })).toBe(503);
    expect(app.hub.stats().errors.ERR_HUB_CONNECTION_LIMIT).toBe(1);
  });

  it('of another path is left to others', async () => {
    await using app = await startHub();
    const foreign: string[] = [];
    app.server.on('upgrade', (request, socket) => {
      if (request.url === '/api/ws') return;
      foreign.push(request.url ?? '');
      socket.end('HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n');
    });
    for (const path of ['/hmr', '/api/ws/', '/api/wsx', '//api/ws', '/API/WS']) {
      expect(await statusOf(app, path, { origin: 'https://evil.example' })).toBe(418);
    }
    expect(foreign).toEqual(['/hmr', '/api/ws/', '/api/wsx', '//api/ws', '/API/WS']);
    expect(app.hub.stats().opened).toBe(0);
  });
});

describe('a proof of identity', () => {
  it('may be a cookie or a Bearer token of the upgrade: then no auth frame is needed', async () => {
    await using app = await startHub({
      authenticate: ({ token, headers, url }) =>
        principalOf(
          token ??
            headers.get('cookie')?.replace('session=', '') ??
            new URL(url, 'http://x').searchParams.get('t') ??
            undefined,
        ),
    });
    for (const [init, user] of [
      [{ headers: { cookie: 'session=user-1' } }, 'user-1'],
      [{ headers: { authorization: 'Bearer user-2' } }, 'user-2'],
      [{ path: '/api/ws?t=user-3' }, 'user-3'],
    ] as const) {
      const client = app.connect(init);
      expect((await client.welcome()).payload.authTimeoutMs).toBe(0);
      expect((await client.subscribe(`user:${user}`)).type).toBe('ack');
    }
    expect(app.hub.stats().users).toBe(3);
  });

  it('may be a JWT; a forged one is refused, a new one is taken in band, another user’s is not', async () => {
    const clock = createVirtualClock();
    const issuer = await createJwtIssuer({ issuer: 'i', audience: 'a', clock, expiresInSeconds: 60 });
    const stranger = await createJwtIssuer({ issuer: 'i', audience: 'a', clock });
    const verifier = createJwtVerifier({
      issuer: 'i',
      audience: 'a',
      jwks: issuer.jwks(),
      clock,
      clockToleranceSeconds: 0,
    });
    await using app = await startHub({
      clock,
      random: () => 0,
      authenticate: ({ token }) => (token === undefined ? null : verifier.verify(token)),
      authorize: ({ roles }, room) => room !== ROOM || roles.includes('voice'),
    });
    const forged = app.connect();
    await forged.welcome();
    forged.send({ type: 'auth', payload: { token: (await stranger.sign({ userId: '1' })).token } });
    expect(await forged.end()).toEqual({ code: 4401, reason: 'ERR_HUB_AUTH_REFUSED' });

    const first = await issuer.sign({ userId: '1', roles: ['voice'] });
    const client = await app.join(first.token);
    expect(client.frames.find((frame) => frame.event === 'auth')?.payload).toEqual({
      userId: '1',
      expiresAt: first.expiresAt,
    });
    await client.subscribe(ROOM);
    const pongs = () => app.hub.stats().framesIn;
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 5_000) {
        const before = client.frames.filter((frame) => frame.event === 'sys.ping').length;
        const framesIn = pongs();
        await clock.advance(Math.min(5_000, left));
        await client.request('unsubscribe', { room: 'channel:99' });
        const pings = client.frames.filter((frame) => frame.event === 'sys.ping').length - before;
        await vi.waitFor(() => expect(pongs()).toBe(framesIn + 1 + pings));
      }
    };
    await pass(30_000);
    expect((await client.event('sys.reauth')).payload).toEqual({ expiresAt: first.expiresAt });
    const renewed = await client.request('auth', { token: (await issuer.sign({ userId: '1', roles: [] })).token });
    expect(renewed.type).toBe('ack');
    // The new token lacks the role: the room is taken away.
    expect((await client.event('sys.unsubscribed')).payload).toEqual({ room: ROOM, code: 'ERR_HUB_ROOM_FORBIDDEN' });
    const refused = await client.request('auth', { token: 'garbage' });
    expect(refused.payload.code).toBe('ERR_HUB_AUTH_REFUSED');
    await pass(40_000);
    expect(client.closed).toBeUndefined();
    client.send({ type: 'auth', payload: { token: (await issuer.sign({ userId: '2' })).token } });
    expect(await client.end()).toEqual({ code: 4401, reason: 'ERR_HUB_AUTH_USER_CHANGED' });

    const short = await app.join((await issuer.sign({ userId: '3' })).token);
    const before = app.hub.stats().errors.ERR_HUB_AUTH_EXPIRED;
    for (let step = 0; step < 12 && short.closed === undefined; step += 1) {
      await clock.advance(5_000);
      if (app.hub.stats().errors.ERR_HUB_AUTH_EXPIRED > before) break;
      await short.request('unsubscribe', { room: 'channel:99' });
    }
    expect(await short.end()).toEqual({ code: 4401, reason: 'ERR_HUB_AUTH_EXPIRED' });
  });
});

describe('an identity provider that hangs', () => {
  it('costs nobody the connection while the keys of before are good: they are taken before the hub gives up', async () => {
    const clock = createVirtualClock();
    const issuer = await createJwtIssuer({ issuer: 'i', audience: 'a', clock, expiresInSeconds: 7_200 });
    let hangs = false;
    const getJwks = vi.fn(() => (hangs ? new Promise<never>(() => {}) : Promise.resolve(issuer.jwks())));
    const verifier = createJwtVerifier({ issuer: 'i', audience: 'a', getJwks, clock });
    await using app = await startHub({
      clock,
      authenticate: ({ token }) => (token === undefined ? null : verifier.verify(token)),
    });
    const { token } = await issuer.sign({ userId: '1' });
    await verifier.verify(token);
    hangs = true;
    await clock.advance(600_000);

    const client = app.connect();
    await client.welcome();
    const id = client.send({ type: 'auth', payload: { token } });
    await vi.waitFor(() => expect(getJwks).toHaveBeenCalledTimes(2));
    await clock.advance(4_999);
    expect((await client.until((frame) => frame.re === id)).type).toBe('ack');
  });
});

describe('an app that errs', () => {
  it('in `origins` refuses the upgrade, and the process goes on', async () => {
    await using app = await startHub({ origins: (origin) => new URL(origin as string).host === 'app.example' });
    const refused = app.connect({ origin: 'null' });
    const response = await new Promise<{ statusCode?: number | undefined }>((resolve) =>
      refused.ws.on('unexpected-response', (_, message) => resolve(message)),
    );
    expect(response.statusCode).toBe(403);
    await app.join('user-1');
    expect(app.hub.stats().errors.ERR_HUB_ORIGIN_FORBIDDEN).toBe(1);
  });

  it('with an async `origins` lets nobody in', async () => {
    const origins = (async () => false) as unknown as () => boolean;
    await using app = await startHub({ origins });
    expect((await app.connect().end()).code).toBe(1006);
    expect(app.hub.stats()).toMatchObject({ opened: 0, errors: { ERR_HUB_ORIGIN_FORBIDDEN: 1 } });
  });

  it('by attaching a path twice is served by the first', async () => {
    await using app = await startHub();
    await using other = await startHub();
    other.hub.attach(app.server, { ws: '/api/ws' });
    app.hub.attach(app.server, { ws: '/api/ws' });
    await app.join('user-1');
    expect([app.hub.stats().opened, other.hub.stats().opened]).toEqual([1, 0]);
    await app.hub.close({ drainMs: 0 });
    await app.join('user-1');
    expect(other.hub.stats().opened).toBe(1);
  });

  it('in what it publishes sends nothing', async () => {
    await using app = await startHub();
    const client = await app.join('user-1');
    await client.subscribe('user:user-1');
    const publish = app.hub.publish.bind(app.hub) as (...args: unknown[]) => Promise<unknown>;
    const bad = [
      ['x', () => 1],
      ['x', Symbol('x')],
      ['x', { toJSON: () => undefined }],
      ['x'.repeat(257), {}],
      ['x', {}, { id: 5 }],
      ['x', {}, { id: '' }],
      ['x', {}, { id: 'x'.repeat(257) }],
      ['x', {}, { traceId: Symbol('x') }],
    ];
    for (const [event, payload, options] of bad) {
      await expect(publish('user:user-1', event, payload, options)).rejects.toMatchObject({
        code: 'ERR_HUB_EVENT_INVALID',
        retryable: false,
      });
    }
    await publish('user:user-1', 'x', undefined);
    expect((await client.untilSeq('user:user-1', 1)).map(({ payload }) => payload)).toEqual([null]);
  });
});
