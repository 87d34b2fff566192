/**
 * Real clients over loopback, by socket and by stream, that are cut off at random, by seed: each keeps what it was given,
 * and complains at the first event that is out of place. No client drops anything: none may come twice.
 */
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { memoryEngine, RealtimeHub } from '@guildkit/server-kit/hub';
import { WebSocket } from 'ws';
import { BlockParser } from './event-stream.js';
import type { Frame } from './hub-server.js';

export interface RecoveryRun {
  readonly clients: number;
  readonly events: number;
  readonly seed: number;
  /** Bends what a client takes, to see that the run would notice. */
  readonly tamper?: ((frame: Frame) => readonly Frame[]) | undefined;
}

export interface RecoveryResult {
  readonly deliveries: number;
  readonly cuts: number;
  readonly recoveries: number;
  readonly broken: string | undefined;
}

const ROOMS = ['channel:1', 'guild:1'];

function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What a client of either kind knows. */
abstract class Client {
  readonly positions = new Map<string, { epoch: string; seq: number }>();
  readonly counts = new Map(ROOMS.map((room) => [room, 0]));
  broken: string | undefined;
  recoveries = 0;
  protected generation = 0;
  protected readonly port: number;
  private readonly tamper: (frame: Frame) => readonly Frame[];

  constructor(port: number, tamper: ((frame: Frame) => readonly Frame[]) | undefined) {
    this.port = port;
    this.tamper = tamper ?? ((frame) => [frame]);
  }

  abstract connect(): void;
  abstract cut(): void;
  abstract get isOpen(): boolean;

  protected take(given: Frame): void {
    for (const frame of this.tamper(given)) this.apply(frame);
  }

  private apply(frame: Frame): void {
    const { room, payload } = frame;
    if (frame.type === 'error') this.complain(`error ${String(payload.code)}`);
    if (frame.event === 'subscribe' || frame.event === 'sys.snapshot') {
      const {
        room: of,
        epoch,
        seq,
        recovered = false,
      } = payload as never as {
        room: string;
        epoch: string;
        seq: number;
        recovered?: boolean;
      };
      if (recovered) this.recoveries += 1;
      else if (this.positions.has(of)) this.complain(`${of}: state instead of events`);
      else this.positions.set(of, { epoch, seq });
      return;
    }
    if (room === undefined || frame.seq === undefined) return;
    const at = this.positions.get(room);
    if (at === undefined) this.complain(`${room}: an event before the state`);
    else if (frame.seq !== at.seq + 1) this.complain(`${room}: ${frame.seq} after ${at.seq}`);
    else if (payload.n !== frame.seq) this.complain(`${room}: ${String(payload.n)} at ${frame.seq}`);
    if (at === undefined) return;
    this.positions.set(room, { ...at, seq: frame.seq });
    this.counts.set(room, (this.counts.get(room) ?? 0) + 1);
  }

  private complain(what: string): void {
    this.broken ??= what;
  }
}

class SocketClient extends Client {
  private ws: WebSocket | undefined;

  get isOpen(): boolean {
    return this.ws !== undefined;
  }

  connect(): void {
    const headers = { authorization: 'Bearer t' };
    const ws = new WebSocket(`ws://127.0.0.1:${this.port}/api/ws`, { headers, perMessageDeflate: false });
    this.ws = ws;
    ws.on('error', () => {});
    ws.on('close', () => {
      if (this.ws === ws) this.ws = undefined;
    });
    ws.on('message', (data) => {
      if (this.ws !== ws) return;
      const frame = JSON.parse(String(data)) as Frame;
      if (frame.event === 'sys.ping') ws.send('{"v":1,"type":"pong","id":"p","payload":{}}');
      else if (frame.event !== 'sys.welcome') this.take(frame);
      else {
        for (const room of ROOMS) {
          const payload = { room, since: this.positions.get(room) };
          ws.send(JSON.stringify({ v: 1, type: 'subscribe', id: room, payload }));
        }
      }
    });
  }

  cut(): void {
    const { ws } = this;
    this.ws = undefined;
    ws?.terminate();
  }
}

class StreamClient extends Client {
  private response: IncomingMessage | undefined;
  private lastEventId: string | undefined;
  private open = false;

  get isOpen(): boolean {
    return this.open;
  }

  connect(): void {
    this.open = true;
    this.generation += 1;
    const { generation, lastEventId } = this;
    const isCurrent = () => this.open && this.generation === generation;
    const over = () => {
      if (isCurrent()) this.open = false;
    };
    const headers = {
      authorization: 'Bearer t',
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    };
    const path = `/api/stream?rooms=${ROOMS.join()}`;
    const request = get({ host: '127.0.0.1', port: this.port, path, headers }, (response) => {
      if (!isCurrent()) return void response.destroy();
      this.response = response;
      const parser = new BlockParser();
      response.setEncoding('utf8');
      response.on('error', () => {});
      response.on('close', over);
      response.on('data', (chunk: string) => {
        for (const { id, frame } of parser.take(chunk)) {
          if (!isCurrent()) return;
          // As the specification has it: the id counts from the moment its event is given out.
          if (id !== undefined) this.lastEventId = id;
          if (frame !== undefined) this.take(frame);
        }
      });
    });
    request.on('error', over);
  }

  cut(): void {
    this.open = false;
    this.response?.destroy();
    this.response = undefined;
  }
}

export async function recoveryRun({ clients: count, events, seed, tamper }: RecoveryRun): Promise<RecoveryResult> {
  const random = randomFrom(seed);
  const below = (n: number) => Math.floor(random() * n);
  const hub = new RealtimeHub({
    origins: [],
    engine: memoryEngine({ maxEvents: events, maxAgeMs: 3_600_000 }),
    authenticate: ({ token }) =>
      token === 't' ? { userId: 'u', roles: [], expiresAt: Number.POSITIVE_INFINITY } : null,
    authorize: () => true,
    maxConnectionsPerUser: 100_000,
    maxBufferedBytes: 64 * 1_048_576,
    maxEventBytes: 1_000,
  });
  const server = createServer();
  hub.attach(server, { ws: '/api/ws', sse: '/api/stream' });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clients: Client[] = Array.from({ length: count }, (_, n) =>
    n % 2 === 0 ? new SocketClient(port, tamper) : new StreamClient(port, tamper),
  );
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const until = async (done: () => boolean) => {
    const by = Date.now() + 60_000;
    while (!done() && Date.now() < by) {
      for (const client of clients) if (!client.isOpen) client.connect();
      await turn();
    }
  };
  for (const client of clients) client.connect();
  await until(() => clients.every(({ positions }) => positions.size === ROOMS.length));

  const published = new Map(ROOMS.map((room) => [room, 0]));
  let cuts = 0;
  for (let sent = 0; sent < events; sent += 1) {
    const room = ROOMS[below(ROOMS.length)] as string;
    const n = (published.get(room) ?? 0) + 1;
    published.set(room, n);
    await (hub.publish as (...args: unknown[]) => Promise<unknown>).call(hub, room, 'game.scored', { n });
    // Bursts of all lengths: some events share a write, some stand alone.
    if (below(4) === 0) await turn();
    if (below(Math.max(2, Math.floor(2_000 / count))) === 0) {
      cuts += 1;
      // By the client, or by whatever is in between.
      if (below(3) > 0) clients[below(count)]?.cut();
      else [...sockets][below(sockets.size)]?.destroy();
    }
    for (const client of clients) if (!client.isOpen && below(9) === 0) client.connect();
  }
  const total = (client: Client) => [...client.counts.values()].reduce((sum, each) => sum + each, 0);
  await until(() => clients.every((client) => client.broken !== undefined || total(client) >= events));

  let broken: string | undefined;
  for (const [n, client] of clients.entries()) {
    const kind = n % 2 === 0 ? 'socket' : 'stream';
    if (client.broken !== undefined) broken ??= `${kind} ${n}: ${client.broken}`;
    for (const room of ROOMS) {
      const got = client.counts.get(room);
      if (got !== published.get(room)) broken ??= `${kind} ${n}: ${room} has ${got} of ${published.get(room)}`;
    }
  }
  for (const client of clients) client.cut();
  await hub.close({ drainMs: 0 });
  server.closeAllConnections();
  server.close();
  return {
    deliveries: clients.reduce((sum, client) => sum + total(client), 0),
    cuts,
    recoveries: clients.reduce((sum, { recoveries }) => sum + recoveries, 0),
    broken,
  };
}
