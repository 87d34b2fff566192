import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBalancer } from '../../scripts/balancer.mjs';

const POLL = { timeout: 10_000, interval: 10 } as const;
let balancer: Awaited<ReturnType<typeof createBalancer>>;
const servers = new Map<string, Server>();

beforeEach(async () => {
  balancer = await createBalancer();
});
afterEach(async () => {
  await balancer.close();
  for (const id of [...servers.keys()]) await end(id);
});

let status = 'ok';
async function start(id: string): Promise<void> {
  const server = createServer((request, response) => {
    if (request.url === '/health') {
      response.end(JSON.stringify({ status }));
      return;
    }
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => response.setHeader('set-cookie', 'own=1').end(`${id} ${request.method} ${body}`));
  });
  server.on('upgrade', (_request, socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
    socket.end(id);
  });
  servers.set(id, server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  balancer.add(id, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}
async function end(id: string): Promise<void> {
  const server = servers.get(id);
  servers.delete(id);
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
}
const until = (states: readonly string[]) =>
  vi.waitFor(() => expect(balancer.backends().map(({ state }) => state)).toEqual(states), POLL);
const ask = async (cookie = '', init: RequestInit = {}) => {
  const answer = await fetch(balancer.url, { ...init, headers: { cookie, ...init.headers } });
  return { text: await answer.text(), status: answer.status, cookies: answer.headers.getSetCookie() };
};

test('a browser stays with its process, others take turns; without a process it is told', async () => {
  expect((await ask()).status).toBe(503);
  await start('a');
  await start('b');
  await until(['up', 'up']);
  const first = await ask();
  expect(first.cookies).toEqual(['own=1', `game_room_app=${first.text[0]}; Path=/; HttpOnly; SameSite=Lax`]);
  const cookie = `x=1; game_room_app=${first.text[0]}`;
  for (let n = 0; n < 3; n += 1) {
    const { text, cookies } = await ask(cookie, { method: 'POST', body: 'hello' });
    expect([text, cookies]).toEqual([`${first.text[0]} POST hello`, ['own=1']]);
  }
  const texts = await Promise.all([ask(), ask(), ask(), ask()]);
  expect(texts.map(({ text }) => text[0]).sort()).toEqual(['a', 'a', 'b', 'b']);
});

test('nobody is sent to a process that is drained, stops, or is gone; what it had is asked of another', async () => {
  await start('a');
  await start('b');
  await until(['up', 'up']);
  balancer.drain('a');
  expect((await ask('game_room_app=a')).text).toBe('b GET ');
  await start('a');
  await until(['up', 'up']);
  await end('b');
  expect((await ask('game_room_app=b')).text, 'before it is noticed').toBe('a GET ');
  await until(['up', 'down']);
  status = 'stopping';
  await until(['down', 'down']);
  status = 'degraded';
  await until(['up', 'down']);
  status = 'ok';
});

test('an upgrade passes, with what was said before', async () => {
  await start('a');
  await until(['up']);
  const asked = request(balancer.url, { headers: { connection: 'Upgrade', upgrade: 'test' } });
  asked.end();
  const [answer, socket, head] = await once(asked, 'upgrade');
  expect(answer.statusCode).toBe(101);
  let text = String(head);
  for await (const part of socket) text += part;
  expect(text).toBe('a');
  await vi.waitFor(() => expect(balancer.backends()[0]?.connections).toBe(0), POLL);
});
