/** A gateway on loopback that says exactly what a test tells it: for what the sandbox does not do. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/** One accepted connection. */
interface Peer {
  readonly url: string;
  readonly received: { op: number; d: unknown }[];
  send(payload: unknown): void;
  raw(data: string | Buffer): void;
  /** With a close frame. */
  close(code: number): void;
  /** Without one. */
  cut(): void;
  /** Resolves with the close code when the client is gone. */
  readonly closed: Promise<number>;
}

export interface ScriptedGateway {
  readonly url: string;
  readonly peers: Peer[];
  /** Sockets that are open now. */
  readonly open: number;
  close(): Promise<void>;
}

export interface Script {
  onOpen?(peer: Peer, index: number): void;
  onFrame?(peer: Peer, frame: { op: number; d: Record<string, unknown> }, index: number): void;
  /** Answers the upgrade with an HTTP status instead. */
  refuse?(index: number): { status: number; headers?: Record<string, string> } | undefined;
}

const USER_ID = '900000000000000001';

export async function scriptedGateway(script: Script): Promise<ScriptedGateway> {
  const peers: Peer[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer();
  const upgrader = new WebSocketServer({ noServer: true });
  let tries = 0;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = script.refuse?.(tries);
    tries += 1;
    if (refusal !== undefined) {
      const headers = Object.entries(refusal.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.end(`HTTP/1.1 ${refusal.status} No\r\n${headers.join('')}Connection: close\r\n\r\n`);
      return;
    }
    upgrader.handleUpgrade(request, socket, head, (ws) => accept(ws, request, socket));
  });

  function accept(ws: WebSocket, request: IncomingMessage, socket: Duplex): void {
    const index = peers.length;
    const peer: Peer = {
      url: request.url ?? '',
      received: [],
      send: (payload) => ws.send(JSON.stringify(payload)),
      raw: (data) => ws.send(data),
      close: (code) => ws.close(code),
      cut: () => socket.destroy(),
      closed: new Promise((resolve) => ws.on('close', resolve)),
    };
    peers.push(peer);
    ws.on('error', () => {});
    ws.on('message', (data) => {
      const frame = JSON.parse(String(data));
      peer.received.push(frame);
      script.onFrame?.(peer, frame, index);
    });
    script.onOpen?.(peer, index);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    peers,
    get open() {
      return sockets.size;
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

export const hello = (intervalMs = 40_000) => ({ op: 10, d: { heartbeat_interval: intervalMs } });

export const dispatch = (name: string, seq: number, data: unknown = {}) => ({ op: 0, t: name, s: seq, d: data });

export const ready = (resumeUrl: string, options: { sessionId?: string; guilds?: string[] } = {}) =>
  dispatch('READY', 1, {
    v: 10,
    user: { id: USER_ID, username: 'bot' },
    session_id: options.sessionId ?? 'session-1',
    resume_gateway_url: resumeUrl,
    guilds: (options.guilds ?? []).map((id) => ({ id, unavailable: true })),
  });

/** A server that does what it should: hello, READY, RESUMED, ACK. */
export function polite(gateway: () => ScriptedGateway, extra: Script = {}): Script {
  return {
    ...extra,
    onOpen(peer, index) {
      peer.send(hello());
      extra.onOpen?.(peer, index);
    },
    onFrame(peer, frame, index) {
      if (frame.op === 1) peer.send({ op: 11, d: null });
      if (frame.op === 2) peer.send(ready(gateway().url));
      extra.onFrame?.(peer, frame, index);
    },
  };
}
