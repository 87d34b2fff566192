/** A hub on a loopback port, and raw clients that keep every frame they get. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Principal, RealtimeHub, type RealtimeHubOptions } from '@guildkit/server-kit/hub';
import { WebSocket } from 'ws';
import { TestStream } from './event-stream.js';
import type { Frame } from './frame.js';

export type { Frame };

export const ORIGIN = 'https://app.example';

/** `user-1` and `user-1:role` are valid tokens. */
export function principalOf(token: string | undefined): Principal | null {
  const match = /^(user-\d+)(?::(.*))?$/.exec(token ?? '');
  if (match === null) return null;
  const roles = match[2] === undefined ? [] : [match[2]];
  return { userId: match[1] as string, roles, expiresAt: Number.POSITIVE_INFINITY };
}

export async function startHub(options: Partial<RealtimeHubOptions> = {}) {
  const hub = new RealtimeHub({
    origins: [ORIGIN],
    authenticate: ({ token }) => principalOf(token),
    authorize: () => true,
    ...options,
  });
  const server = createServer((_, response) => response.end('http'));
  hub.attach(server, { ws: '/api/ws', sse: '/api/stream' });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clients: TestClient[] = [];
  const streams: TestStream[] = [];
  return {
    hub,
    server,
    port,
    connect(init: ConnectInit = {}): TestClient {
      const client = new TestClient(port, init);
      clients.push(client);
      return client;
    },
    /** A client that has been welcomed and accepted. */
    async join(user: string, init: ConnectInit = {}): Promise<TestClient> {
      const client = this.connect(init);
      await client.welcome();
      await client.request('auth', { token: user });
      return client;
    },
    /** A stream of a user, `user-1` unless another is given. */
    stream(rooms: string, { token = 'user-1', headers = {} }: StreamInit = {}): TestStream {
      const path = rooms.startsWith('/') ? rooms : `/api/stream?rooms=${rooms}`;
      const stream = new TestStream(port, path, { authorization: `Bearer ${token}`, ...headers });
      streams.push(stream);
      return stream;
    },
    /** Posts a frame to `/api/commands`. */
    async post(frame: unknown, { token = 'user-1', headers = {} }: StreamInit = {}) {
      const response = await fetch(`http://127.0.0.1:${port}/api/commands`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        body: typeof frame === 'string' ? frame : JSON.stringify(frame),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.ws.terminate();
      for (const stream of streams) stream.destroy();
      await hub.close({ drainMs: 0 });
      await closeServer(server);
    },
  };
}

export async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

export interface StreamInit {
  token?: string;
  headers?: Record<string, string>;
}

export interface ConnectInit {
  path?: string;
  origin?: string | undefined;
  headers?: Record<string, string>;
}

export class TestClient {
  readonly ws: WebSocket;
  readonly frames: Frame[] = [];
  closed: { code: number; reason: string } | undefined;
  private ids = 0;
  private readonly waiting = new Set<() => void>();

  constructor(port: number, { path = '/api/ws', origin = ORIGIN, headers = {} }: ConnectInit) {
    this.ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, { origin, headers, perMessageDeflate: false });
    this.ws.on('message', (data) => {
      const frame = JSON.parse(String(data)) as Frame;
      this.frames.push(frame);
      if (frame.event === 'sys.ping') this.send({ type: 'pong', payload: {} });
      this.wake();
    });
    this.ws.on('error', () => {});
    this.ws.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
      this.wake();
    });
  }

  /** Sends an envelope and returns its id. */
  send(frame: { type: string; payload: unknown; id?: string }): string {
    this.ids += 1;
    const id = frame.id ?? `c${this.ids}`;
    this.ws.send(JSON.stringify({ v: 1, ...frame, id }));
    return id;
  }

  async request(type: string, payload: unknown): Promise<Frame> {
    const id = this.send({ type, payload });
    return this.until((frame) => frame.re === id);
  }

  async subscribe(room: string, since?: { epoch: string; seq: number }): Promise<Frame> {
    return this.request('subscribe', { room, ...(since === undefined ? {} : { since }) });
  }

  welcome(): Promise<Frame> {
    return this.event('sys.welcome');
  }

  event(name: string): Promise<Frame> {
    return this.until((frame) => frame.event === name);
  }

  /** The first frame that fits, now or later. */
  async until(fits: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const found = this.frames.find(fits);
      if (found !== undefined) return found;
      if (this.closed !== undefined) throw new Error(`closed with ${this.closed.code} ${this.closed.reason}`);
      await this.change();
    }
  }

  /** All events of a room so far that were numbered. */
  log(room: string): Frame[] {
    return this.frames.filter((frame) => frame.room === room && frame.type === 'event' && frame.seq !== undefined);
  }

  async untilSeq(room: string, seq: number): Promise<Frame[]> {
    await this.until((frame) => frame.room === room && frame.seq === seq && frame.type === 'event');
    return this.log(room);
  }

  async end(): Promise<{ code: number; reason: string }> {
    while (this.closed === undefined) await this.change();
    return this.closed;
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.add(resolve));
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}
