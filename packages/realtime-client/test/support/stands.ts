/** A scripted hub behind each transport that there is: real sockets on loopback, or none. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ClientFrame } from '@guildkit/core/wire';
import { fallbackTransport, sseTransport, type Transport, webSocketTransport } from '@guildkit/realtime-client';
import { WebSocketServer } from 'ws';
import { type HubConnection, type HubOptions, memoryTransport, ScriptedHub } from './scripted-hub.js';

export interface Stand {
  readonly hub: ScriptedHub;
  readonly transport: Transport;
  /** Frames that clients have sent, by whatever way. */
  readonly received: ClientFrame[];
  /** Raw sockets that the server holds; none in memory. */
  readonly sockets: ReadonlySet<Socket>;
  /** Ends every socket without a word, as a network does. */
  cut(): void;
  close(): Promise<void>;
}

export interface HttpStand extends Stand {
  readonly origin: string;
  readonly server: Server;
  /** Answers the next requests for streams so. */
  refuseStreams: { readonly status: number; readonly error?: object } | undefined;
  /** Answers the next posts so. */
  refusePosts: { readonly status: number; readonly error?: object } | undefined;
  /** Paths with their queries, of every request. */
  readonly requests: string[];
  /** What the server has besides, by path. */
  readonly files: Map<string, { readonly type: string; readonly body: string }>;
  /** WebSockets are refused, as by a proxy that knows none. */
  noWebSockets: boolean;
}

/** A server on loopback with `/api/ws`, `/api/stream` and `/api/commands`. */
export async function httpStand(
  makeTransport: (origin: string) => Transport,
  options: HubOptions = {},
): Promise<HttpStand> {
  const hub = new ScriptedHub({
    ...options,
    welcome: { retry: { maxAttempts: 5, baseMs: 5, capMs: 20 }, ...options.welcome },
  });
  const received: ClientFrame[] = [];
  const sockets = new Set<Socket>();
  const streams = new Map<string, HubConnection>();
  const server = createServer((request, response) => {
    stand.requests.push(request.url ?? '');
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://hub.test');
    if (pathname === '/api/stream') stream(request, response, searchParams);
    else if (pathname === '/api/commands') void post(request, response);
    else {
      const file = stand.files.get(pathname);
      if (file) response.writeHead(200, { 'content-type': file.type }).end(file.body);
      else answer(response, 404);
    }
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  const answer = (response: ServerResponse, status: number, body?: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body && JSON.stringify(body));
  };
  const isKnown = ({ headers }: IncomingMessage): boolean =>
    hub.tokens.some((token) => headers.authorization === `Bearer ${token}`) || hub.welcomePayload().authTimeoutMs === 0;

  function stream(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const refusal = stand.refuseStreams;
    if (refusal !== undefined) {
      answer(response, refusal.status, { error: refusal.error });
      return;
    }
    if (hub.down) {
      request.socket.destroy();
      return;
    }
    if (!isKnown(request)) {
      answer(response, 401, { error: { code: 'ERR_HUB_AUTH_REFUSED' } });
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const since = new Map(
      (query.get('since') ?? '')
        .split(';')
        .map((part) => part.split(','))
        .map(([room = '', epoch = '', seq]) => [room, { epoch: decodeURIComponent(epoch), seq: Number(seq) }]),
    );
    const say = (data: unknown): void => {
      const frame = JSON.parse(String(data)) as { type: string; event: string; re?: string; payload: object };
      // As the hub does it: a state is a `sys.snapshot`, and only what is recovered or refused has an answer.
      const isState = frame.type === 'ack' && 'snapshot' in Object(frame.payload);
      const said = isState ? { ...frame, type: 'event', event: 'sys.snapshot', re: undefined } : frame;
      response.write(`: a comment\r\nid: 1\r\ndata: ${JSON.stringify(said)}\r\n\r\n`);
    };
    const connection = hub.accept(say, (code, reason) => {
      if (code === 1006) {
        request.socket.destroy();
        return;
      }
      say(JSON.stringify({ v: 1, type: 'event', event: 'sys.closed', ts: 1, payload: { code, cause: reason } }));
      response.end();
    });
    connection.authed = true;
    streams.set(`c${hub.all.length}`, connection);
    response.once('close', () => connection.gone());
    for (const room of query.get('rooms')?.split(',') ?? []) {
      connection.take(JSON.stringify({ v: 1, type: 'subscribe', id: room, payload: { room, since: since.get(room) } }));
    }
  }

  async function post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const refusal = stand.refusePosts;
    if (refusal !== undefined) {
      answer(response, refusal.status, { error: refusal.error });
      return;
    }
    if (!isKnown(request)) {
      answer(response, 401, { error: { code: 'ERR_HUB_AUTH_REFUSED' } });
      return;
    }
    const frame = JSON.parse(body) as ClientFrame;
    received.push(frame);
    if (frame.type === 'pong') {
      const { connectionId = '' } = frame.payload;
      if (streams.get(connectionId)?.open) response.writeHead(204).end();
      else answer(response, 404, { error: { code: 'ERR_HUB_STREAM_UNKNOWN' } });
      return;
    }
    if (frame.type !== 'command') {
      answer(response, 400);
      return;
    }
    const said = hub.onCommand(frame);
    if (said === undefined) return;
    if (said.type === 'error') {
      answer(response, 403, { error: said.payload as object });
      return;
    }
    answer(response, 200, { v: 1, type: 'ack', event: 'command', ts: 1, re: frame.id, ...said });
  }

  const wss = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (stand.noWebSockets) {
      socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    wss.handleUpgrade(request, socket, head, (ws) => {
      const connection = hub.accept(
        (data) => ws.send(data as string),
        (code, reason) => (code === 1006 ? ws.terminate() : ws.close(code, reason)),
      );
      ws.on('message', (data) => {
        received.push(JSON.parse(String(data)));
        connection.take(String(data));
      });
      ws.on('close', (code, reason) => {
        connection.closedBy ??= { code, reason: String(reason) };
        connection.gone();
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stand: HttpStand = {
    hub,
    origin,
    server,
    sockets,
    received,
    requests: [],
    files: new Map(),
    refuseStreams: undefined,
    refusePosts: undefined,
    noWebSockets: false,
    transport: makeTransport(origin),
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      stand.cut();
      wss.close();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
  return stand;
}

async function memoryStand(options: HubOptions = {}): Promise<Stand> {
  const hub = new ScriptedHub({
    ...options,
    welcome: { retry: { maxAttempts: 5, baseMs: 5, capMs: 20 }, ...options.welcome },
  });
  return {
    hub,
    transport: memoryTransport(hub),
    sockets: new Set(),
    get received() {
      return hub.all.flatMap(({ received }) => received);
    },
    cut: () => hub.cut(),
    close: async () => hub.cut(),
  };
}

export const overWebSocket = (origin: string): Transport => webSocketTransport({ url: `${origin}/api/ws` });
export const overSse = (origin: string): Transport => sseTransport({ url: `${origin}/api/stream` });
const overEither = (origin: string): Transport => fallbackTransport([overWebSocket(origin), overSse(origin)]);

/** Every way from a client to a hub. */
export const STANDS: readonly (readonly [name: string, make: (options?: HubOptions) => Promise<Stand>])[] = [
  ['WebSocket', (options) => httpStand(overWebSocket, options)],
  ['SSE and POST', (options) => httpStand(overSse, options)],
  [
    'the fallback from WebSocket to SSE',
    async (options) => {
      const stand = await httpStand(overEither, options);
      stand.noWebSockets = true;
      return stand;
    },
  ],
  ['memory', memoryStand],
];
