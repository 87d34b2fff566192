/** Attacks below the envelope: bytes of RFC 6455 and of TCP that a well-behaved client never sends. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, it, vi } from 'vitest';
import { ORIGIN, startHub } from '../support/hub-server.js';

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
