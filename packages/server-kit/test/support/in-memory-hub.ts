/** Connections without sockets: the hub's own parts over a transport that hands frames to a client model. */
import { type Clock, silentLogger } from '@guildkit/core';
import { applyVoiceEvent, type RoomSnapshot } from '@guildkit/core/wire';
import { applyRoomEvent, type HubEngine } from '@guildkit/server-kit/hub';
import { Connection } from '../../src/hub/io/connection.js';
import type { ConnectionHost } from '../../src/hub/io/connection-host.js';
import { RoomFeeds } from '../../src/hub/io/room-feeds.js';
import type { Transport, TransportListener } from '../../src/hub/io/transport.js';
import { createSessionReducer } from '../../src/hub/protocol/session.js';
import { HubCounters } from '../../src/hub/stats.js';
import type { Frame } from './hub-server.js';

export function createHost(engine: HubEngine, clock: Clock, maxBufferedBytes = 1_048_576): ConnectionHost {
  const limits = {
    authTimeoutMs: 5_000,
    heartbeatMs: 15_000,
    pongTimeoutMs: 10_000,
    reauthLeadMs: 30_000,
    maxSubscriptions: 100,
    maxFramesPerSecond: 1_000,
    maxLagEvents: 1_000,
    maxPendingCommands: 32,
    maxBufferedBytes,
  };
  return {
    limits,
    reducers: { socket: createSessionReducer(limits), stream: createSessionReducer(limits, 'stream') },
    engine,
    feeds: new RoomFeeds(engine, () => {}),
    counters: new HubCounters(),
    logger: silentLogger,
    clock,
    random: () => 0.5,
    welcome: () => ({}) as never,
    authorize: async () => 'allowed',
    command: async () => ({ ok: true, latencyMs: 0 }),
    enter: () => {},
    exit: () => {},
    admit: () => true,
    admitted: () => {},
    answered: () => {},
    release: () => {},
    closed: () => {},
  };
}

/** Reads the text of an unmasked frame (RFC 6455, section 5.2). */
export function textOf(frame: Buffer): string {
  const short = (frame[1] as number) & 127;
  const head = short < 126 ? 2 : short === 126 ? 4 : 10;
  const length = short < 126 ? short : short === 126 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
  if (frame.length !== head + length) throw new Error(`frame of ${frame.length} bytes says ${head + length}`);
  return frame.toString('utf8', head);
}

/** What a client knows of one room, by the protocol's rules alone. It complains at the first frame out of place. */
export class ClientModel {
  position: { epoch: string; seq: number } | undefined;
  snapshot: RoomSnapshot | undefined;
  /** `epoch seq` of every event applied, in order. */
  readonly applied: string[] = [];
  recovered = 0;
  restored = 0;
  broken: string | undefined;
  private readonly room: string;

  constructor(room: string) {
    this.room = room;
  }

  take(frame: Frame): void {
    if (frame.type === 'ack' && frame.event === 'subscribe') {
      const { epoch, seq, recovered, snapshot } = frame.payload as never as {
        epoch: string;
        seq: number;
        recovered: boolean;
        snapshot?: RoomSnapshot;
      };
      if (recovered) {
        this.recovered += 1;
        if (this.position?.epoch !== epoch) this.complain('recovered from another log');
        return;
      }
      this.restored += 1;
      this.restore({ epoch, seq }, snapshot);
    } else if (frame.event === 'sys.snapshot') {
      const { epoch, seq, snapshot } = frame.payload as never as { epoch: string; seq: number; snapshot: RoomSnapshot };
      this.restored += 1;
      this.restore({ epoch, seq }, snapshot);
    } else if (frame.type === 'event' && frame.room === this.room) {
      if (this.position === undefined || this.snapshot === undefined) {
        this.complain('an event before the state');
        return;
      }
      if (frame.seq !== this.position.seq + 1) this.complain(`seq ${frame.seq} after ${this.position.seq}`);
      this.position = { ...this.position, seq: frame.seq as number };
      this.applied.push(`${this.position.epoch} ${frame.seq}`);
      this.snapshot =
        this.snapshot.kind === 'voice'
          ? applyVoiceEvent(this.snapshot, frame.event, frame.payload)
          : applyRoomEvent(this.snapshot, frame.event, frame.payload);
    }
  }

  private restore(position: { epoch: string; seq: number }, snapshot: RoomSnapshot | undefined): void {
    if (snapshot === undefined) this.complain('no snapshot');
    this.position = position;
    this.snapshot = snapshot;
  }

  private complain(what: string): void {
    this.broken ??= what;
  }
}

/** A client that goes and comes back, with what it knows kept. */
export class ModelConnection {
  private live: { connection: Connection; listener: TransportListener; gone: boolean } | undefined;
  private readonly host: ConnectionHost;
  readonly client: ClientModel;
  private readonly room: string;
  private ids = 0;

  constructor(host: ConnectionHost, room: string) {
    this.host = host;
    this.room = room;
    this.client = new ClientModel(room);
  }

  get connected(): boolean {
    return this.live !== undefined;
  }

  connect(): void {
    if (this.live !== undefined) return;
    let listener: TransportListener | undefined;
    const state = { gone: false };
    const transport: Transport = {
      bufferedBytes: 0,
      sizeOf: (message) => message.frame.length,
      send: (message) => {
        if (state.gone) return;
        const parsed = JSON.parse(textOf(message.frame)) as Frame;
        if (parsed.event === 'sys.welcome') queueMicrotask(() => this.subscribe(listener as TransportListener));
        else this.client.take(parsed);
      },
      resume: () => {},
      close: () => this.disconnect(),
      terminate: () => this.disconnect(),
    };
    const connection = new Connection(
      'c',
      this.host,
      (given) => {
        listener = given;
        return transport;
      },
      async () => ({ principal: { userId: '1', roles: [], expiresAt: Number.POSITIVE_INFINITY } }),
    );
    this.live = Object.assign(state, { connection, listener: listener as never as TransportListener });
  }

  disconnect(): void {
    const { live } = this;
    if (live === undefined) return;
    this.live = undefined;
    live.gone = true;
    live.listener.onClosed(1006);
  }

  subscribe(listener = this.live?.listener): void {
    this.ids += 1;
    const since = this.client.position;
    const payload = { room: this.room, ...(since === undefined ? {} : { since }) };
    listener?.onText(JSON.stringify({ v: 1, type: 'subscribe', id: `s${this.ids}`, payload }));
  }
}
