/** What every transport must do, on each that there is: over a real socket on loopback, and in memory. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  RealtimeClient,
  type Transport,
  type TransportConnection,
  type WebSocketConstructor,
  webSocketTransport,
} from '@guildkit/realtime-client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { type HubConnection, memoryTransport, ScriptedHub } from '../support/scripted-hub.js';

interface Stand {
  readonly hub: ScriptedHub;
  readonly transport: Transport;
  close(): Promise<void>;
}

interface SocketStand extends Stand {
  readonly url: string;
  readonly server: Server;
  /** Raw sockets that the server holds. */
  readonly sockets: Set<Socket>;
}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function socketStand(WebSocket?: WebSocketConstructor): Promise<SocketStand> {
  const hub = new ScriptedHub();
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const wss = new WebSocketServer({ server, path: '/api/ws' });
  wss.on('connection', (socket) => {
    const connection: HubConnection = hub.accept(
      (data) => socket.send(data as string),
      (code, reason) => (code === 1006 ? socket.terminate() : socket.close(code, reason)),
    );
    socket.on('message', (data) => connection.take(String(data)));
    socket.on('close', (code, reason) => {
      connection.closedBy ??= { code, reason: String(reason) };
      connection.gone();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/api/ws`;
  const stand: SocketStand = {
    hub,
    url,
    server,
    sockets,
    transport: webSocketTransport({ url, WebSocket }),
    async close() {
      for (const socket of sockets) socket.destroy();
      wss.close();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
  open.push(stand);
  return stand;
}

async function memoryStand(): Promise<Stand> {
  const hub = new ScriptedHub();
  return { hub, transport: memoryTransport(hub), close: () => Promise.resolve() };
}

/** A connection and all it said. */
function dial(transport: Transport) {
  const messages: unknown[] = [];
  const closes: { readonly code: number; readonly reason: string }[] = [];
  const connection: TransportConnection = transport.connect({
    onMessage: (data) => messages.push(data),
    onClose: ({ code, reason }) => closes.push({ code, reason }),
  });
  const until = <T>(read: () => T | undefined) =>
    vi.waitFor(() => expect(read()).toBeTruthy(), { timeout: 5_000, interval: 2 });
  return { connection, messages, closes, until };
}

const globalWebSocket = (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket;
const STANDS: readonly (readonly [string, () => Promise<Stand>])[] = [
  ['ws on loopback', () => socketStand()],
  ['the platform’s WebSocket on loopback', () => socketStand(globalWebSocket)],
  ['memory', memoryStand],
];

describe.each(STANDS)('transport: %s', (_name, makeStand) => {
  it('carries frames both ways, in order', async () => {
    const { hub, transport } = await makeStand();
    const { connection, messages, until } = dial(transport);
    await until(() => messages.length === 1);
    expect(JSON.parse(String(messages[0]))).toMatchObject({ event: 'sys.welcome' });
    const frame = (id: string) => JSON.stringify({ v: 1, type: 'pong', id, payload: {} });
    connection.send(frame('1'));
    connection.send(frame('2'));
    await until(() => hub.last.received.length === 2);
    expect(hub.last.received.map(({ id }) => id)).toEqual(['1', '2']);
    for (let seq = 1; seq <= 100; seq += 1) hub.last.raw(`{"seq":${seq}}`);
    await until(() => messages.length === 101);
    expect(messages.slice(1)).toEqual(Array.from({ length: 100 }, (_, index) => `{"seq":${index + 1}}`));
    connection.close(1000, '');
  });

  it('tells how the other side closed, once', async () => {
    const { hub, transport } = await makeStand();
    const { messages, closes, until } = dial(transport);
    await until(() => messages.length === 1);
    hub.last.close(4503, 'draining');
    await until(() => closes.length > 0);
    expect(closes).toEqual([{ code: 4503, reason: 'draining' }]);
  });

  it('tells of a connection that breaks as 1006', async () => {
    const { hub, transport } = await makeStand();
    const { messages, closes, until } = dial(transport);
    await until(() => messages.length === 1);
    hub.last.close(1006);
    await until(() => closes.length > 0);
    expect(closes).toMatchObject([{ code: 1006 }]);
  });

  it('closes with code and reason, and calls no handler from then on', async () => {
    const { hub, transport } = await makeStand();
    const { connection, messages, closes, until } = dial(transport);
    await until(() => messages.length === 1);
    connection.close(4000, 'silent');
    hub.last.raw('late');
    await until(() => hub.last.closedBy);
    expect(hub.last.closedBy).toEqual({ code: 4000, reason: 'silent' });
    connection.send('dropped');
    expect(messages).toHaveLength(1);
    expect(closes).toEqual([]);
  });

  it('may be closed before it is open', async () => {
    const { hub, transport } = await makeStand();
    const { connection, messages, closes } = dial(transport);
    connection.send('too early');
    connection.close(1000, '');
    const second = dial(transport);
    await second.until(() => second.messages.length === 1);
    expect(messages).toEqual([]);
    expect(closes).toEqual([]);
    expect(hub.all.every(({ received }) => received.length === 0)).toBe(true);
    second.connection.close(1000, '');
  });
});

describe('webSocketTransport', () => {
  it('tells of a refused connection as 1006', async () => {
    const stand = await socketStand();
    await stand.close();
    const { closes, until } = dial(stand.transport);
    await until(() => closes.length > 0);
    expect(closes).toMatchObject([{ code: 1006 }]);
  });

  it('tells of a refused upgrade as 1006', async () => {
    const { url } = await socketStand();
    const { closes, until } = dial(webSocketTransport({ url: url.replace('/api/ws', '/nowhere') }));
    await until(() => closes.length > 0);
    expect(closes).toMatchObject([{ code: 1006 }]);
  });

  it('takes http URLs and URL objects', async () => {
    const { url } = await socketStand();
    const { connection, messages, until } = dial(webSocketTransport({ url: new URL(url.replace('ws:', 'http:')) }));
    await until(() => messages.length === 1);
    connection.close(1000, '');
  });

  it('throws for a relative URL where there is no page', () => {
    expect(() => dial(webSocketTransport({ url: '/api/ws' }))).toThrow(TypeError);
  });
});

describe('RealtimeClient over a real socket', () => {
  it('recovers from a cut without a gap, and leaves no socket behind', async () => {
    const { hub, url, sockets } = await socketStand();
    const client = new RealtimeClient({ url, getToken: () => 'good', random: () => 0 });
    const room = client.room('channel:10');
    const joined: string[] = [];
    room.on('voice.joined', ({ userId }) => joined.push(userId));
    client.connect();
    const until = (read: () => boolean) => vi.waitFor(() => expect(read()).toBe(true), { timeout: 5_000, interval: 2 });
    await until(() => room.status === 'live');
    hub.join('10', 'a');
    hub.cut();
    hub.join('10', 'b');
    await until(() => hub.all.length === 2 && room.status === 'live');
    hub.join('10', 'c');
    await until(() => joined.length === 3);
    expect(joined).toEqual(['a', 'b', 'c']);
    client.close();
    await until(() => sockets.size === 0);
  });

  it('answers binary frames with a counted error', async () => {
    const { hub, url } = await socketStand();
    const client = new RealtimeClient({ url, getToken: () => 'good' });
    client.connect();
    const until = (read: () => boolean) => vi.waitFor(() => expect(read()).toBe(true), { timeout: 5_000, interval: 2 });
    await until(() => client.state.status === 'open');
    hub.last.raw(Buffer.from('{"v":1}'));
    await until(() => client.stats().errors.ERR_REALTIME_FRAME_MALFORMED === 1);
    expect(client.state.status).toBe('open');
    client.close();
  });
});
