/** Each server under the same requests: they must not be able to tell which one it is. */
import { fileURLToPath } from 'node:url';
import { signWebhook } from '@guildkit/server-kit/hmac';
import { createBuilder } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startExpress } from '../src/express.js';
import { startFastify } from '../src/fastify.js';
import { startHono } from '../src/hono.js';
import { createParts, type Listening, ORIGIN, type Parts } from '../src/parts.js';
import { startPlainNode } from '../src/plain-node.js';

const SECRETS = 'the secret of the webhooks';

/** TanStack Start has no server before it is built. */
async function startTanStackStart(parts: Parts): Promise<Listening> {
  const root = new URL('../tanstack-start/', import.meta.url);
  const builder = await createBuilder({ root: fileURLToPath(root) });
  await builder.buildApp();
  const built = new URL('dist/server/serve.js', root).href;
  const { startTanStack } = (await import(/* @vite-ignore */ built)) as typeof import('../tanstack-start/src/serve.js');
  return startTanStack(parts);
}

const SERVERS = {
  'node:http': startPlainNode,
  Hono: startHono,
  'Express 5': startExpress,
  Fastify: startFastify,
  'TanStack Start': startTanStackStart,
};

describe.each(Object.entries(SERVERS))('%s', (_, start) => {
  let parts: Parts;
  let server: Listening;
  beforeAll(async () => {
    parts = await createParts(SECRETS);
    server = await start(parts);
  }, 60_000);
  afterAll(() => server.close());
  const call = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${server.port}${path}`, init);
  const echo = (body: string, headers: Record<string, string> = {}) =>
    call('/api/echo', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', origin: ORIGIN, ...headers },
    });

  it('serves health and keys', async () => {
    expect(await (await call('/health')).json()).toEqual({ ok: true, checks: { hub: { ok: true, connections: 0 } } });
    const keys = await call('/.well-known/jwks.json');
    expect(keys.headers.get('content-type')).toBe('application/jwk-set+json');
    expect((await call('/nowhere')).status).toBe(404);
  });

  it('knows who asks', async () => {
    expect((await call('/api/me')).status).toBe(401);
    const answer = await call('/api/me', { headers: { authorization: `Bearer ${await parts.token('42')}` } });
    expect(await answer.json()).toMatchObject({ userId: '42' });
  });

  it('reads JSON with a bound and keeps foreign pages out', async () => {
    const answer = await echo('{"a":"ä"}', { 'x-request-id': 'request-0001' });
    expect([answer.status, await answer.json()]).toEqual([201, { a: 'ä' }]);
    expect(answer.headers.get('x-request-id')).toBe('request-0001');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await echo('{')).status).toBe(400);
    expect((await echo(JSON.stringify('x'.repeat(70_000)))).status).toBe(413);
    expect((await echo('{}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await echo('{}', { origin: 'https://evil.example' })).status).toBe(403);
    expect((await echo('{}')).status).toBe(201);
  });

  it('verifies webhooks over the bytes as they came', async () => {
    // Spaces that a parser would lose.
    const payload = '{"guildId":"1","channelId":"10","name":"Table 1"}';
    const body = `{ "id": "e1",  "event": "channel.created", "payload": ${payload}, "ts": 1, "epoch": "e", "seq": 1, "traceId": "t" }`;
    const headers = signWebhook(body, { secrets: SECRETS });
    const answer = await call('/api/hub', { method: 'POST', body, headers });
    expect([answer.status, answer.headers.get('x-hub-boot')]).toEqual([200, expect.any(String)]);
    expect((await call('/api/hub', { method: 'POST', body, headers })).status).toBe(401);
    expect((await call('/api/hub', { method: 'POST', body: `${body} `, headers })).status).toBe(401);
  });

  it('has the hub beside it', async () => {
    const open = (origin: string, token?: string) =>
      new WebSocket(`ws://127.0.0.1:${server.port}/api/ws`, {
        origin,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      });
    const refused = await new Promise((resolve) => {
      const socket = open('https://evil.example');
      socket.on('unexpected-response', (_request, response) => {
        resolve(response.statusCode);
        socket.terminate();
      });
      socket.on('error', () => {});
    });
    expect(refused).toBe(403);
    const socket = open(ORIGIN, await parts.token('42'));
    const heard = new Promise<{ event: string }>((resolve) => {
      socket.on('message', (data) => {
        const frame = JSON.parse(data.toString()) as { event: string };
        if (frame.event === 'sys.welcome') {
          socket.send(JSON.stringify({ v: 1, type: 'subscribe', id: 's', payload: { room: 'user:42' } }));
        } else if (frame.event === 'subscribe') {
          void parts.hub.sendToUser('42', 'room.closing', { channelId: '10', guildId: '1', closesAt: 5 });
        } else if (frame.event === 'room.closing') resolve(frame);
      });
    });
    expect(await heard).toMatchObject({ event: 'room.closing', payload: { closesAt: 5 } });
    socket.close();
  });
});
