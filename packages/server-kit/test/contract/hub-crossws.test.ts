/** The hub behind crossws: the same sessions over another library’s sockets. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CrosswsHooks, type CrosswsPeer, RealtimeHub, type RealtimeHubOptions } from '@guildkit/server-kit/hub';
import crossws from 'crossws/adapters/node';
import { expect, it, vi } from 'vitest';
import { joined } from '../support/events.js';
import { closeServer, ORIGIN, principalOf, TestClient } from '../support/hub-server.js';

async function start(
  options: Partial<RealtimeHubOptions> = {},
  wrap: (hooks: CrosswsHooks) => CrosswsHooks = (hooks) => hooks,
) {
  const hub = new RealtimeHub({
    origins: [ORIGIN],
    authenticate: ({ token }) => principalOf(token),
    authorize: () => true,
    ...options,
  });
  const server = createServer();
  const ws = crossws({
    hooks: wrap(hub.crosswsHooks),
    serverOptions: { maxPayload: 10_000_000, perMessageDeflate: false },
  });
  server.on('upgrade', (request, socket, head) => void ws.handleUpgrade(request, socket, head));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clients: TestClient[] = [];
  return {
    hub,
    connect(origin = ORIGIN): TestClient {
      const client = new TestClient(port, { origin });
      clients.push(client);
      return client;
    },
    async join(user: string): Promise<TestClient> {
      const client = this.connect();
      await client.welcome();
      await client.request('auth', { token: user });
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.ws.terminate();
      await hub.close({ drainMs: 0 });
      ws.closeAll();
      await closeServer(server);
    },
  };
}

/** What was sent through a peer itself, and what was written to the socket beneath it. */
function watched(hidden = false) {
  const sent: string[] = [];
  const written: Buffer[] = [];
  const wrap = (hooks: CrosswsHooks): CrosswsHooks => {
    const peers = new WeakMap<object, CrosswsPeer>();
    const of = (peer: CrosswsPeer): CrosswsPeer => {
      const known = peers.get(peer);
      if (known !== undefined) return known;
      const socket = (peer.websocket as unknown as { _socket: { write(bytes: unknown): boolean } })._socket;
      const write = socket.write.bind(socket);
      const spied: CrosswsPeer = {
        request: peer.request,
        // As another runtime's peer: nothing is known of its socket.
        websocket: hidden ? {} : peer.websocket,
        send(data, options) {
          sent.push(data);
          return peer.send(data, options);
        },
        close: (code, reason) => peer.close(code, reason),
        terminate: () => peer.terminate(),
      };
      socket.write = (bytes) => {
        written.push(bytes as Buffer);
        return write(bytes);
      };
      peers.set(peer, spied);
      return spied;
    };
    return {
      upgrade: hooks.upgrade,
      open: (peer) => hooks.open(of(peer)),
      message: (peer, message) => hooks.message(of(peer), message),
      close: (peer, details) => hooks.close(of(peer), details),
    };
  };
  return { sent, written, wrap };
}

it('writes frames that were built once, several at a time, where the peer is a socket of node', async () => {
  const { sent, written, wrap } = watched();
  await using app = await start({}, wrap);
  const client = await app.join('user-1');
  await client.subscribe('channel:10');
  written.length = 0;
  await Promise.all(['1', '2', '3', '4'].map((user) => app.hub.publishDiscordEvent(joined(user, '10'))));
  await client.untilSeq('channel:10', 4);
  expect(sent).toEqual([]);
  expect(written.length).toBeLessThan(4);
  const closed = app.hub.close({ drainMs: 0 });
  expect(await client.end()).toEqual({ code: 4503, reason: 'ERR_HUB_DRAINING' });
  await closed;
});

it('sends text by text to peers of which nothing more is known', async () => {
  const { sent, wrap } = watched(true);
  await using app = await start({}, wrap);
  const client = await app.join('user-1');
  await client.subscribe('channel:10');
  await Promise.all(['1', '2', '3'].map((user) => app.hub.publishDiscordEvent(joined(user, '10'))));
  expect((await client.untilSeq('channel:10', 3)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
  expect(sent.filter((text) => text.includes('voice.joined'))).toHaveLength(3);
});

it('carries subscriptions, events, recovery and the end', async () => {
  await using app = await start();
  const client = await app.join('user-1');
  const { epoch } = (await client.subscribe('channel:10')).payload as { epoch: string };
  for (const user of ['1', '2', '3']) await app.hub.publishDiscordEvent(joined(user, '10'));
  await client.untilSeq('channel:10', 3);
  const back = await app.join('user-1');
  expect((await back.subscribe('channel:10', { epoch, seq: 1 })).payload.recovered).toBe(true);
  expect((await back.untilSeq('channel:10', 3)).map((frame) => frame.seq)).toEqual([2, 3]);
  expect(app.hub.stats()).toMatchObject({ connections: 2, users: 1, subscriptions: 2 });
  client.ws.close();
  await vi.waitFor(() => expect(app.hub.stats().connections).toBe(1));
  const closed = app.hub.close({ drainMs: 0 });
  expect(await back.end()).toEqual({ code: 4503, reason: 'ERR_HUB_DRAINING' });
  await closed;
});

it('refuses foreign pages, a full hub and bad frames with the same codes', async () => {
  await using app = await start({ maxConnections: 2 });
  expect((await app.connect('https://evil.example').end()).code).toBe(1006);
  const large = await app.join('user-1');
  large.ws.send('x'.repeat(70_000));
  expect(await large.end()).toEqual({ code: 4413, reason: 'ERR_HUB_FRAME_TOO_LARGE' });
  await vi.waitFor(() => expect(app.hub.stats().connections).toBe(0));
  const binary = await app.join('user-1');
  await app.join('user-2');
  expect((await app.connect().end()).code).toBe(1006);
  binary.ws.send(Buffer.from([1]));
  expect(await binary.end()).toEqual({ code: 4400, reason: 'ERR_HUB_FRAME_MALFORMED' });
  expect(app.hub.stats().errors).toMatchObject({
    ERR_HUB_ORIGIN_FORBIDDEN: 1,
    ERR_HUB_CONNECTION_LIMIT: 1,
    ERR_HUB_FRAME_TOO_LARGE: 1,
    ERR_HUB_FRAME_MALFORMED: 1,
  });
});
