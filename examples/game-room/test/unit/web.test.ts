import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { brotliCompressSync } from 'node:zlib';
import { RealtimeHub } from '@guildkit/server-kit/hub';
import { MediaRelay } from '@guildkit/server-kit/media';
import { afterEach, describe, expect, test } from 'vitest';
import type { App } from '../../src/server/app.js';
import { createWebServer, type StartEntry } from '../../src/server/web.js';

const open: { server: Server; hub: RealtimeHub }[] = [];
afterEach(async () => {
  for (const { server, hub } of open.splice(0)) {
    await hub.close({ drainMs: 0 });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function start(
  fetchPage: StartEntry['fetch'],
  baseUrl?: string,
  clientDir = join(tmpdir(), 'guildkit-no-files'),
) {
  const hub = new RealtimeHub({ origins: [], authenticate: () => null, authorize: () => false });
  const logged: unknown[] = [];
  const log = (fields: unknown, message?: string) => logged.push([fields, message]);
  const logger = { debug: log, info: log, warn: log, error: log };
  const seats = { relay: new MediaRelay({ origins: [], authenticate: () => null, takeSeat: () => null }) };
  const app = { hub, seats, logger } as unknown as App;
  const server = createWebServer(
    app,
    { fetch: fetchPage },
    clientDir,
    baseUrl === undefined ? undefined : new URL(baseUrl),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({ server, hub });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, port, logged };
}

describe('web server', () => {
  test('a response whose headers cannot be changed gets the security headers too', async () => {
    const { url } = await start(() => Response.redirect('http://127.0.0.1/elsewhere', 307));
    const response = await fetch(url, { redirect: 'manual' });
    expect(response.status).toBe(307);
    expect(response.headers.get('location')).toBe('http://127.0.0.1/elsewhere');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('what a page throws is told to the log, not to the browser', async () => {
    const { url, logged } = await start(() => Promise.reject(new Error('postgres://user:secret@db')));
    const response = await fetch(url);
    expect(response.status).toBe(500);
    const { error } = (await response.json()) as { error: { code: string; message: string; requestId: string } };
    expect(error.code).toBe('ERR_APP_FAILED');
    expect(JSON.stringify(error)).not.toContain('secret');
    expect(JSON.stringify(logged)).toContain(error.requestId);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  test('what the hub answers itself has the security headers too, and a page has its nonce once', async () => {
    const { url } = await start((_request, { context }) => new Response(context.nonce));
    const stream = await fetch(`${url}/api/stream?rooms=guild:1`, { headers: { origin: 'https://evil.example' } });
    expect(stream.status).toBe(403);
    const posted = await fetch(`${url}/api/commands`, { method: 'POST', body: '{}' });
    for (const { headers } of [stream, posted]) {
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('referrer-policy')).toBe('same-origin');
    }
    const page = await fetch(url);
    const nonce = await page.text();
    expect(page.headers.get('content-security-policy')?.match(/script-src [^;]*/g)).toEqual([
      `script-src 'self' 'nonce-${nonce}' blob:`,
    ]);
  });

  test('files of the build are sent as they were packed, and kept for a year', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'game-room-files-'));
    try {
      await mkdir(join(directory, 'assets'));
      const plain = 'const answer = 42;'.repeat(10);
      await writeFile(join(directory, 'assets/app-1a2b.js'), plain);
      await writeFile(join(directory, 'assets/app-1a2b.js.br'), brotliCompressSync(plain));
      const { url } = await start(() => new Response('page'), undefined, directory);
      const packed = await fetch(`${url}/assets/app-1a2b.js`, { headers: { 'accept-encoding': 'gzip, br' } });
      expect(packed.headers.get('content-encoding')).toBe('br');
      expect(packed.headers.get('content-type')).toMatch(/^text\/javascript/);
      expect(packed.headers.get('cache-control')).toBe('max-age=31536000, immutable');
      expect(packed.headers.get('vary')).toMatch(/accept-encoding/i);
      expect(await packed.text()).toBe(plain);
      const unpacked = await fetch(`${url}/assets/app-1a2b.js`, { headers: { 'accept-encoding': 'identity' } });
      expect(unpacked.headers.get('content-encoding')).toBeNull();
      expect(await unpacked.text()).toBe(plain);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('a connection with a body that is too large is not used again', async () => {
    const { url } = await start(() => new Response(null, { status: 413 }));
    expect((await fetch(url)).headers.get('connection')).toBe('close');
  });

  test('an upgrade that nobody serves is answered and ended', async () => {
    const { port } = await start(() => new Response('page'));
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 404 /);
  });

  test('browsers are told to keep to https where pages come over https', async () => {
    const plain = await start(() => new Response('page'), 'http://127.0.0.1');
    expect((await fetch(plain.url)).headers.has('strict-transport-security')).toBe(false);
    const secure = await start(() => new Response('page'), 'https://rooms.example');
    expect((await fetch(secure.url)).headers.get('strict-transport-security')).toBe('max-age=31536000');
  });
});
