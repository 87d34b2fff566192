/** Attacks below the envelope: bytes of RFC 6455 and of TCP that a well-behaved client never sends. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import type { HubErrorCode, RealtimeHubOptions } from '@guildkit/server-kit/hub';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it, vi } from 'vitest';
import { ORIGIN, startHub } from '../support/hub-server.js';
import { keepingLogger } from '../support/log-lines.js';

type App = Awaited<ReturnType<typeof startHub>>;

/** A WebSocket by hand, authenticated by its upgrade. */
async function rawSocket(app: App, extensions = ''): Promise<{ socket: Socket; got: () => string }> {
  const socket = connect(app.port, '127.0.0.1');
  socket.on('error', () => {});
  let got = '';
  socket.on('data', (data) => {
    got += data.toString('latin1');
  });
  const key = Buffer.alloc(16).toString('base64');
  socket.write(
    `GET /api/ws HTTP/1.1\r\nHost: x\r\nOrigin: ${ORIGIN}\r\nAuthorization: Bearer user-1\r\nConnection: Upgrade\r\n` +
      `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n${extensions}\r\n`,
  );
  await vi.waitFor(() => expect(got).toContain('sys.welcome'));
  return { socket, got: () => got };
}

/** A masked frame with a mask of zeros. */
function frame(first: number, payload: Buffer): Buffer {
  const length =
    payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), payload]);
}

describe('the hub lets go, and counts,', () => {
  it('a peer that floods it with pings, whether or not it reads the answers', async () => {
    await using app = await startHub({ maxFramesPerSecond: 10, maxSubscriptions: 10 });
    const { socket, got } = await rawSocket(app);
    socket.write(frame(0x89, Buffer.from('hello')));
    await vi.waitFor(() => expect(got()).toContain('\x8a\x05hello'));
    socket.pause();
    for (let n = 0; n < 5_000; n += 1) socket.write(frame(0x89, Buffer.alloc(125)));
    await vi.waitFor(() => expect(app.hub.stats().closes).toEqual({ 4429: 1 }));
    expect(app.hub.stats().errors.ERR_HUB_FRAME_RATE).toBe(1);
    socket.destroy();
  });

  it('a compression bomb: deflate is never agreed to, and a frame that has it is a violation', async () => {
    await using app = await startHub();
    const { socket, got } = await rawSocket(app, 'Sec-WebSocket-Extensions: permessage-deflate\r\n');
    expect(got().toLowerCase()).not.toContain('sec-websocket-extensions');
    const bomb = deflateRawSync(Buffer.alloc(50_000_000));
    expect(bomb.length).toBeLessThan(65_536);
    const closed = once(socket, 'close');
    // RSV1: "compressed" (RFC 7692, section 6).
    socket.write(frame(0xc1, bomb));
    await closed;
    expect(app.hub.stats().errors.ERR_HUB_SOCKET_FAILED).toBe(1);
    await vi.waitFor(() => expect(app.hub.stats().connections).toBe(0));
  });

  it('a peer that is gone without a word, by the pong that never comes', async () => {
    const clock = createVirtualClock();
    await using app = await startHub({ clock, random: () => 0.999 });
    const { socket, got } = await rawSocket(app);
    // It takes bytes for ever and says nothing: as a router does for a laptop that was closed.
    await clock.advance(15_000);
    await vi.waitFor(() => expect(got()).toContain('sys.ping'));
    await clock.advance(10_000);
    expect(app.hub.stats()).toMatchObject({ closes: { 4408: 1 }, errors: { ERR_HUB_CONNECTION_SLOW: 1 } });
    // Nor does it answer the close: the drain ends it.
    const closed = app.hub.close({ drainMs: 0 });
    await clock.advance(2_000);
    await closed;
    expect(app.hub.stats().connections).toBe(0);
    socket.destroy();
  });

  it('a message of many small fragments, by its size as a whole', async () => {
    await using app = await startHub();
    const { socket } = await rawSocket(app);
    socket.write(frame(0x01, Buffer.from('x')));
    for (let n = 0; n < 2_000; n += 1) socket.write(frame(0x00, Buffer.alloc(100, 120)));
    await vi.waitFor(() => expect(app.hub.stats().closes).toEqual({ 4413: 1 }));
    socket.destroy();
  });

  it('a request head that tries to split its answer: ids and origins of others are not repeated', async () => {
    const lines: string[] = [];
    const log = (fields: object) => void lines.push(JSON.stringify(fields));
    await using app = await startHub({ logger: { debug: log, info: log, warn: log, error: log } });
    const socket = connect(app.port, '127.0.0.1');
    let got = '';
    socket.on('data', (data) => {
      got += data.toString('latin1');
    });
    socket.write(
      'GET /api/stream?rooms=channel:1 HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\x80b; Set-Cookie\r\n' +
        'Origin: https://evil.example\x85\u009b\r\n\r\n',
    );
    await vi.waitFor(() => expect(got).toContain('403'));
    expect(got).not.toContain('Set-Cookie');
    expect(lines.join()).not.toMatch(/[\u0080-\u009f]|\\u00/);
    socket.destroy();
  });
});

/** A misdeed, the options it needs, and how it is answered: a close code, a status, or the code of an error frame. */
interface Attack {
  readonly options?: Partial<RealtimeHubOptions>;
  run(app: App): Promise<unknown>;
  readonly answer: unknown;
  readonly code: HubErrorCode;
}

const stream = async (app: App, path: string, headers: Record<string, string> = {}) => {
  const opened = app.stream(path, { headers });
  await opened.end();
  return opened.status;
};
const text = (value: object) => frame(0x81, Buffer.from(JSON.stringify({ v: 1, id: 'i', ...value })));

const ATTACKS: Record<string, Attack> = {
  'an upgrade from a foreign page': {
    run: (app) =>
      new Promise((resolve) => {
        const { ws } = app.connect({ origin: 'https://evil.example' });
        ws.on('unexpected-response', (_, { statusCode }) => resolve(statusCode));
      }),
    answer: 403,
    code: 'ERR_HUB_ORIGIN_FORBIDDEN',
  },
  'a stream for a foreign page': {
    run: (app) => stream(app, 'channel:1', { origin: 'https://evil.example' }),
    answer: 403,
    code: 'ERR_HUB_ORIGIN_FORBIDDEN',
  },
  'a stream without proof': {
    run: (app) => stream(app, 'channel:1', { authorization: 'Bearer nobody' }),
    answer: 401,
    code: 'ERR_HUB_AUTH_REFUSED',
  },
  'a wrong token': {
    async run(app) {
      const client = app.connect();
      await client.welcome();
      client.send({ type: 'auth', payload: { token: 'nobody' } });
      return (await client.end()).code;
    },
    answer: 4401,
    code: 'ERR_HUB_AUTH_REFUSED',
  },
  'no token at all': {
    options: { authTimeoutMs: 50 },
    async run(app) {
      const client = app.connect();
      return (await client.end()).code;
    },
    answer: 4401,
    code: 'ERR_HUB_AUTH_TIMEOUT',
  },
  'the room of another': {
    options: { authorize: ({ userId }, room) => room === `user:${userId}` },
    async run(app) {
      const client = await app.join('user-1');
      return (await client.subscribe('user:user-2')).payload.code;
    },
    answer: 'ERR_HUB_ROOM_FORBIDDEN',
    code: 'ERR_HUB_ROOM_FORBIDDEN',
  },
  'the room of another, in a stream': {
    options: { authorize: () => false },
    run: async (app) => (await app.stream('user:user-2').until(({ type }) => type === 'error')).payload.code,
    answer: 'ERR_HUB_ROOM_FORBIDDEN',
    code: 'ERR_HUB_ROOM_FORBIDDEN',
  },
  'a flood of frames': {
    options: { maxFramesPerSecond: 10, maxSubscriptions: 10 },
    async run(app) {
      const client = await app.join('user-1');
      for (let n = 0; n < 1_000; n += 1) client.send({ type: 'pong', payload: {} });
      return (await client.end()).code;
    },
    answer: 4429,
    code: 'ERR_HUB_FRAME_RATE',
  },
  'a flood of posts': {
    options: { maxFramesPerSecond: 1, maxSubscriptions: 1 },
    async run(app) {
      const statuses = [];
      for (let n = 0; n < 4; n += 1) {
        const { status } = await app.post({ v: 1, type: 'command', id: `${n}`, payload: { name: 'x', input: 1 } });
        statuses.push(status);
      }
      return statuses.at(-1);
    },
    answer: 429,
    code: 'ERR_HUB_FRAME_RATE',
  },
  'a frame of 10 MB': {
    async run(app) {
      const client = await app.join('user-1');
      client.ws.send('x'.repeat(10_000_000));
      return (await client.end()).code;
    },
    answer: 4413,
    code: 'ERR_HUB_FRAME_TOO_LARGE',
  },
  'a post of 10 MB': {
    run: async (app) => (await app.post('x'.repeat(10_000_000)).catch(() => ({ status: 413 }))).status,
    answer: 413,
    code: 'ERR_HUB_FRAME_TOO_LARGE',
  },
  'what is no frame': {
    async run(app) {
      const client = await app.join('user-1');
      client.ws.send('{"v":1,');
      return (await client.end()).code;
    },
    answer: 4400,
    code: 'ERR_HUB_FRAME_MALFORMED',
  },
  'a compression bomb': {
    async run(app) {
      const { socket } = await rawSocket(app);
      const closed = once(socket, 'close');
      socket.write(frame(0xc1, deflateRawSync(Buffer.alloc(1_000_000))));
      await closed;
      return 'closed';
    },
    answer: 'closed',
    code: 'ERR_HUB_SOCKET_FAILED',
  },
  'a reader that stops': {
    options: { maxBufferedBytes: 20_000 },
    async run(app) {
      const { socket } = await rawSocket(app);
      socket.write(text({ type: 'subscribe', payload: { room: 'channel:1' } }));
      await vi.waitFor(() => expect(app.hub.stats().subscriptions).toBe(1));
      socket.pause();
      const publish = app.hub.publish.bind(app.hub) as (...args: unknown[]) => Promise<unknown>;
      for (let n = 0; n < 400 && app.hub.stats().closes[4408] === undefined; n += 1) {
        for (let many = 0; many < 5; many += 1) await publish('channel:1', 'x', { pad: 'x'.repeat(10_000) });
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.destroy();
      return Number(Object.keys(app.hub.stats().closes)[0]);
    },
    answer: 4408,
    code: 'ERR_HUB_CONNECTION_SLOW',
  },
  'a peer that is gone without a word': {
    options: { heartbeatMs: 20, pongTimeoutMs: 20 },
    async run(app) {
      const { socket } = await rawSocket(app);
      await vi.waitFor(() => expect(app.hub.stats().closes).toEqual({ 4408: 1 }));
      socket.destroy();
      return 4408;
    },
    answer: 4408,
    code: 'ERR_HUB_CONNECTION_SLOW',
  },
  'more connections than a user may have': {
    options: { maxConnectionsPerUser: 1 },
    async run(app) {
      await app.join('user-1');
      const second = app.connect();
      await second.welcome();
      second.send({ type: 'auth', payload: { token: 'user-1' } });
      return (await second.end()).code;
    },
    answer: 4429,
    code: 'ERR_HUB_CONNECTION_LIMIT',
  },
  'more connections than there may be': {
    options: { maxConnections: 1 },
    async run(app) {
      await app.join('user-1');
      return stream(app, 'channel:1', { authorization: 'Bearer user-2' });
    },
    answer: 503,
    code: 'ERR_HUB_CONNECTION_LIMIT',
  },
};

describe('every attack is answered, counted, and written down by its code', () => {
  it.each(Object.entries(ATTACKS))('%s', async (_, { options, run, answer, code }) => {
    const logger = keepingLogger();
    await using app = await startHub({ ...options, logger });
    expect(await run(app)).toBe(answer);
    await vi.waitFor(() => expect(app.hub.stats().errors[code]).toBeGreaterThan(0));
    const told = logger.lines.filter(({ fields }) => fields.code === code || fields.cause === code);
    expect(told.some(({ level }) => level !== 'debug')).toBe(true);
    // Neither a proof of identity nor what was sent stands in the log.
    expect(JSON.stringify(logger.lines)).not.toMatch(/Bearer|nobody|xxxx/);
  });
});
