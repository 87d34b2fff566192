/**
 * A hub of the test's own: speaks the protocol over pairs of in-memory pipes, keeps logs and snapshots, and can be
 * told to misbehave. Independent of server-kit, so that both ends are tested against the protocol's text.
 */

import {
  applyVoiceEvent,
  type ClientFrame,
  type CommandFrame,
  type Envelope,
  emptyVoiceRoom,
  type Position,
  parseRoom,
  type RoomSnapshot,
  type WelcomePayload,
} from '@guildkit/core/wire';
import type { Transport, TransportHandlers } from '@guildkit/realtime-client';

/** A frame without what the hub fills in. */
export type LooseFrame = Partial<Envelope> & { readonly event: string };

interface HubRoom {
  epoch: string;
  seq: number;
  /** Events still in the log, the newest last. */
  log: LooseFrame[];
  snapshot: RoomSnapshot;
}

export interface HubOptions {
  readonly tokens?: readonly string[];
  readonly welcome?: Partial<WelcomePayload>;
  /** Events a room's log keeps. */
  readonly logLength?: number;
  /** What `ack.seq` of a recovered subscribe says: the log's end, or where the client was. */
  readonly ackSeq?: 'head' | 'since';
}

/** The hub's end of one connection. */
export class HubConnection {
  readonly received: ClientFrame[] = [];
  readonly subscriptions = new Set<string>();
  open = true;
  authed = false;
  closedBy: { readonly code: number; readonly reason?: string | undefined } | undefined;

  constructor(
    readonly hub: ScriptedHub,
    private readonly emit: (data: unknown) => void,
    private readonly end: (code: number, reason: string) => void,
  ) {}

  send(frame: LooseFrame): void {
    this.raw(JSON.stringify({ v: 1, type: 'event', payload: {}, ts: 1, ...frame }));
  }

  raw(data: unknown): void {
    if (this.open) this.emit(data);
  }

  close(code: number, reason = ''): void {
    if (!this.open) return;
    this.gone();
    this.end(code, reason);
  }

  gone(): void {
    this.open = false;
    this.hub.connections.delete(this);
  }

  take(text: string): void {
    const frame = JSON.parse(text) as ClientFrame;
    this.received.push(frame);
    if (this.hub.mute) return;
    this.hub.answer(this, frame);
  }
}

export class ScriptedHub {
  readonly connections = new Set<HubConnection>();
  readonly all: HubConnection[] = [];
  readonly rooms = new Map<string, HubRoom>();
  readonly denied = new Set<string>();
  tokens: readonly string[];
  /** Refuses connections with 1006, as a host without a listener does. */
  down = false;
  /** Answers nothing. */
  mute = false;
  /** Says nothing on connect. */
  silentWelcome = false;
  /** Answers a command; `undefined` leaves it without an answer. */
  onCommand = ({ payload }: CommandFrame): Partial<Envelope> | undefined => ({
    payload: { result: payload.input, latencyMs: 0 },
  });
  private boots = 1;
  private readonly logLength: number;
  private readonly ackSeq: 'head' | 'since';
  private readonly welcome: Partial<WelcomePayload>;

  constructor(options: HubOptions = {}) {
    this.tokens = options.tokens ?? ['good'];
    this.logLength = options.logLength ?? 100;
    this.ackSeq = options.ackSeq ?? 'head';
    this.welcome = options.welcome ?? {};
  }

  /** The connection made last. */
  get last(): HubConnection {
    const last = this.all.at(-1);
    if (last === undefined) throw new Error('nobody has connected');
    return last;
  }

  accept(emit: (data: unknown) => void, end: (code: number, reason: string) => void): HubConnection {
    const connection = new HubConnection(this, emit, end);
    this.all.push(connection);
    if (this.down) {
      connection.close(1006);
      return connection;
    }
    this.connections.add(connection);
    connection.authed = this.welcome.authTimeoutMs === 0;
    if (!this.silentWelcome) connection.send({ event: 'sys.welcome', payload: this.welcomePayload() });
    return connection;
  }

  welcomePayload(): WelcomePayload {
    return {
      connectionId: `c${this.all.length}`,
      bootId: `b${this.boots}`,
      heartbeatMs: 15_000,
      authTimeoutMs: 5_000,
      limits: { maxFrameBytes: 65_536, maxSubscriptions: 100, maxFramesPerSecond: 50 },
      retry: { maxAttempts: 5, baseMs: 500, capMs: 30_000 },
      ...this.welcome,
    };
  }

  answer(to: HubConnection, frame: ClientFrame): void {
    const re = frame.id;
    switch (frame.type) {
      case 'auth':
        if (!this.tokens.includes(frame.payload.token)) {
          to.send({ type: 'error', event: 'auth', re, payload: { code: 'ERR_HUB_AUTH_REFUSED', message: 'no' } });
          to.close(4401);
          return;
        }
        to.authed = true;
        to.send({ type: 'ack', event: 'auth', re, payload: { userId: 'u', expiresAt: 9e15 } });
        return;
      case 'subscribe':
        if (to.authed) this.subscribe(to, re, frame.payload.room, frame.payload.since);
        else to.close(4401);
        return;
      case 'unsubscribe':
        to.subscriptions.delete(frame.payload.room);
        to.send({ type: 'ack', event: 'unsubscribe', re, payload: { room: frame.payload.room } });
        return;
      case 'command': {
        if (!to.authed) return;
        const said = this.onCommand(frame);
        if (said !== undefined) to.send({ type: 'ack', event: 'command', re, ...said });
        return;
      }
      default:
    }
  }

  room(name: string): HubRoom {
    const known = this.rooms.get(name);
    if (known !== undefined) return known;
    const parsed = parseRoom(name);
    const id = parsed?.id ?? '';
    const snapshot: RoomSnapshot =
      parsed?.kind === 'channel'
        ? emptyVoiceRoom(id)
        : parsed?.kind === 'guild'
          ? { kind: 'guild', guildId: id, channels: [] }
          : { kind: 'none' };
    const made: HubRoom = { epoch: `e${this.boots}`, seq: 0, log: [], snapshot };
    this.rooms.set(name, made);
    return made;
  }

  /** Appends to the log and tells every subscriber. */
  publish(name: string, event: string, payload: unknown): void {
    const room = this.room(name);
    room.seq += 1;
    const frame: LooseFrame = { event, payload, room: name, seq: room.seq, id: `${room.epoch}-${room.seq}` };
    room.log = [...room.log, frame].slice(-this.logLength);
    const { snapshot } = room;
    if (snapshot.kind === 'voice') room.snapshot = applyVoiceEvent(snapshot, event, payload);
    if (snapshot.kind === 'guild') {
      const { channelId, name: title } = payload as { channelId: string; name: string };
      const channels = snapshot.channels.filter((channel) => channel.channelId !== channelId);
      if (event === 'room.created') channels.push({ channelId, name: title });
      room.snapshot = { ...snapshot, channels };
    }
    for (const connection of this.connections) if (connection.subscriptions.has(name)) connection.send(frame);
  }

  join(channelId: string, userId: string): void {
    this.publish(`channel:${channelId}`, 'voice.joined', presence(channelId, userId));
  }

  leave(channelId: string, userId: string): void {
    const { guildId, username, avatar, timestamp } = presence(channelId, userId);
    this.publish(`channel:${channelId}`, 'voice.left', { guildId, channelId, userId, username, avatar, timestamp });
  }

  /** Ends every connection without a word. */
  cut(code = 1006): void {
    for (const connection of [...this.connections]) connection.close(code);
  }

  /** A new process: logs are gone, epochs are new, states are read anew from Discord. */
  restart(): void {
    this.boots += 1;
    this.cut();
    for (const room of this.rooms.values()) Object.assign(room, { epoch: `e${this.boots}`, seq: 0, log: [] });
  }

  private subscribe(to: HubConnection, re: string, name: string, since: Position | undefined): void {
    if (this.denied.has(name)) {
      to.send({ type: 'error', event: 'subscribe', re, payload: { code: 'ERR_HUB_ROOM_DENIED', message: 'no' } });
      return;
    }
    to.subscriptions.add(name);
    const room = this.room(name);
    const { epoch, seq, snapshot } = room;
    const missed = since === undefined ? [] : room.log.filter((frame) => (frame.seq ?? 0) > since.seq);
    const recovered = since?.epoch === epoch && since.seq <= seq && missed.length === seq - since.seq;
    if (!recovered) {
      to.send({ type: 'ack', event: 'subscribe', re, payload: { room: name, recovered, epoch, seq, snapshot } });
      return;
    }
    const told = this.ackSeq === 'head' ? seq : since.seq;
    to.send({ type: 'ack', event: 'subscribe', re, payload: { room: name, recovered, epoch, seq: told } });
    for (const frame of missed) to.send(frame);
  }
}

/** Carries frames to and from a hub in memory, one microtask a frame. */
export function memoryTransport(hub: ScriptedHub): Transport {
  return {
    connect(handlers: TransportHandlers) {
      let open = true;
      const later = (task: () => void): void => {
        queueMicrotask(() => {
          if (open) task();
        });
      };
      let connection: HubConnection | undefined;
      later(() => {
        connection = hub.accept(
          (data) => later(() => handlers.onMessage(data)),
          (code, reason) =>
            later(() => {
              open = false;
              handlers.onClose({ code, reason });
            }),
        );
      });
      return {
        send: (text) => later(() => connection?.open && connection.take(text)),
        close(code, reason) {
          open = false;
          if (connection === undefined) return;
          connection.closedBy = { code, reason };
          connection.gone();
        },
      };
    },
  };
}

/** A voice payload. */
export function presence(channelId: string, userId: string) {
  return {
    guildId: '1',
    channelId,
    userId,
    username: `user ${userId}`,
    avatar: null,
    mute: false,
    deaf: false,
    video: false,
    timestamp: 1_000,
  };
}
