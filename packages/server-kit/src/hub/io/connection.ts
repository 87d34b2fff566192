/** Owns one connection: carries out what its session decides, and hands it the room's events. Refuses decisions. */
import { type Clock, createDriver, type Driver, type Logger, messageOf, toLogText } from '@guildkit/core';
import type { ControlEvents, Position, SubscribeAck, WelcomePayload } from '@guildkit/core/wire';
import { HUB_ERRORS } from '../../errors.js';
import type { Principal } from '../../principal.js';
import type { CommandAnswer, CommandRefusal } from '../../shared/command.js';
import { envelopeMessage, type Message, type RoomPosition, recordMessage } from '../codec/message.js';
import type { RecordBatch } from '../codec/record-batch.js';
import type { HubEngine } from '../engine.js';
import { parseClientFrame } from '../protocol/client-frame.js';
import { parseCursor } from '../protocol/cursor.js';
import type { RoomRead } from '../protocol/records.js';
import { newSession } from '../protocol/session.js';
import type {
  SessionEffect,
  SessionInput,
  SessionKind,
  SessionLimits,
  SessionReducer,
  SessionState,
} from '../protocol/session-types.js';
import type { HubCounters } from '../stats.js';
import { Place, type PlaceOwner } from './place.js';
import type { RoomFeeds } from './room-feeds.js';
import type { Transport, TransportListener } from './transport.js';

/** How a proof of identity turned out. */
export type AuthOutcome = { readonly principal: Principal } | { readonly unavailable: boolean };

/** What a connection asks of its hub. */
export interface ConnectionHost {
  readonly limits: SessionLimits & { readonly maxBufferedBytes: number };
  /** One for all connections of a kind. */
  readonly reducers: Readonly<Record<SessionKind, SessionReducer>>;
  readonly engine: HubEngine;
  readonly feeds: RoomFeeds;
  readonly counters: HubCounters;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  welcome(connectionId: string, authTimeoutMs: number): WelcomePayload;
  /** Never rejects. */
  authorize(principal: Principal, room: string): Promise<'allowed' | 'denied' | 'failed'>;
  /** Takes one of the user's places; `false` when there is none. */
  admit(connection: Connection, userId: string): boolean;
  /** After `admit`, when the connection has been told. */
  admitted(connection: Connection): void;
  /** Carries out a command. Never rejects. */
  command(request: CommandRequest): Promise<CommandAnswer>;
  /** Someone has a room open, once for each connection. */
  enter(room: string, userId: string): void;
  /** After `enter`. */
  exit(room: string, userId: string): void;
  /** Gives back the place. */
  release(connection: Connection): void;
  /** The socket is gone. */
  closed(connection: Connection): void;
}

/** A command on its way to who carries it out. */
export interface CommandRequest {
  readonly principal: Principal;
  /** The client's id of it. */
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  /** The connection it came in; `undefined` when it was posted. */
  readonly connectionId: string | undefined;
}

/** How a connection is carried. */
export type Carriage =
  | { readonly kind: 'socket' }
  /** What a stream subscribes to, and from where. */
  | { readonly kind: 'stream'; readonly rooms: ReadonlyMap<string, Position | undefined> };

/** One client. */
export class Connection implements PlaceOwner {
  readonly id: string;
  private readonly host: ConnectionHost;
  private readonly transport: Transport;
  private readonly authenticate: (token: string | undefined) => Promise<AuthOutcome>;
  private readonly driver: Driver<SessionState, SessionInput>;
  private readonly places = new Map<string, Place>();
  private readonly carriage: Carriage;
  private overflowed = false;
  private retryAfterMs: number | undefined;

  /** @param authenticate Looks at a token, or without one at the upgrade request. Never rejects. */
  constructor(
    id: string,
    host: ConnectionHost,
    bind: (listener: TransportListener) => Transport,
    authenticate: (token: string | undefined) => Promise<AuthOutcome>,
    carriage: Carriage = { kind: 'socket' },
  ) {
    this.id = id;
    this.host = host;
    this.authenticate = authenticate;
    this.carriage = carriage;
    const { limits, clock, random, logger } = host;
    this.driver = createDriver<SessionState, SessionInput, SessionEffect>({
      reducer: host.reducers[carriage.kind],
      initial: newSession(limits, clock.now()),
      run: (effect) => this.run(effect),
      onEffectError: (error, effect) => {
        logger.error({ connectionId: id, effect: effect.type, error: messageOf(error) }, 'hub effect failed');
        this.transport.terminate();
      },
      clock,
      random,
    });
    this.transport = bind({
      onText: (text) => this.onText(text),
      onBinary: () => {
        host.counters.framesIn += 1;
        this.dispatch({ type: 'frame', parsed: { kind: 'malformed' } });
      },
      onPing: () => {
        host.counters.framesIn += 1;
        this.dispatch({ type: 'frame', parsed: { kind: 'ping' } });
      },
      onOversized: () => this.dispatch({ type: 'oversized' }),
      onBroken: (problem) => {
        logger.debug({ connectionId: id, problem }, 'hub socket broken');
        this.dispatch({ type: 'broken' });
      },
      onClosed: (code) => this.onClosed(code),
    });
    this.dispatch({ type: 'opened' });
  }

  /** Who this connection is; `undefined` before authentication. */
  get userId(): string | undefined {
    return this.driver.state.principal?.userId;
  }

  get subscriptions(): number {
    return this.places.size;
  }

  /** Asks `authorize` again, for all rooms or one. */
  revalidate(room?: string): void {
    this.dispatch({ type: 'revalidate', room });
  }

  /** Announces the end, and closes with 4503 after `closeInMs`. */
  drain(reconnectInMs: number, closeInMs: number): void {
    this.dispatch({ type: 'drain', reconnectInMs, closeInMs });
  }

  /** Tells the client something about the connection. `at`: it knows the state of a room up to there. */
  control<Name extends keyof ControlEvents>(event: Name, payload: ControlEvents[Name], at?: RoomPosition): void {
    this.send(envelopeMessage({ type: 'event', event, payload, ts: this.host.clock.wallTime() }, at));
  }

  /** Sends a message that was made for several. */
  send(message: Message): void {
    if (this.overflowed) return;
    const { transport, host } = this;
    const waiting = transport.bufferedBytes;
    // A single frame may be larger than the bound; a frame behind others may not.
    if (waiting > 0 && waiting + transport.sizeOf(message) > host.limits.maxBufferedBytes) {
      this.overflowed = true;
      this.dispatch({ type: 'overflowed' });
      return;
    }
    host.counters.framesOut += 1;
    transport.send(message);
  }

  /** Sends events that were joined for several connections. */
  sendBatch(batch: RecordBatch): void {
    if (this.overflowed) return;
    const { transport, host } = this;
    const { limits, counters } = host;
    const { records } = batch;
    // Each counts by itself against the bound where they do not all fit.
    const fits = transport.bufferedBytes + batch.maxBytes <= limits.maxBufferedBytes;
    if (fits && transport.sendBatch?.(batch) === true) counters.framesOut += records.length;
    else for (const message of batch.messages()) this.send(message);
  }

  holeFound(room: string, ticket: number): void {
    this.dispatch({ type: 'holeFound', room, ticket });
  }

  /** Whether the connection hears a room. */
  hears(room: string): boolean {
    return this.places.has(room);
  }

  /** The client of a stream has posted where it is, and with it a proof of identity. */
  report({ seqs, cursor }: { seqs?: Readonly<Record<string, number>> | undefined; cursor?: string | undefined }): void {
    this.host.counters.framesIn += 1;
    const behind = cursor === undefined ? this.behind(seqs ?? {}) : this.behindCursor(cursor);
    const frame = { v: 1, type: 'pong', id: 'posted', payload: {} } as const;
    this.dispatch({ type: 'frame', parsed: { kind: 'frame', frame }, behind });
  }

  /** The same user has proved anew who they are. */
  renew(principal: Principal): void {
    const before = this.driver.state.principal;
    const expiresInMs = principal.expiresAt - this.host.clock.wallTime();
    if (before === undefined || before.userId !== principal.userId) return;
    const rolesChanged = [...before.roles].sort().join('\n') !== [...principal.roles].sort().join('\n');
    this.dispatch({ type: 'renewed', principal, expiresInMs, rolesChanged });
  }

  terminate(): void {
    this.transport.terminate();
  }

  /** Who, for a log line: user ids come from outside. */
  private who(): { readonly connectionId: string; readonly userId?: string } {
    const { id: connectionId, userId } = this;
    return userId === undefined ? { connectionId } : { connectionId, userId: toLogText(userId) };
  }

  private dispatch(input: SessionInput): void {
    this.driver.dispatch(input);
  }

  private onText(text: string): void {
    this.host.counters.framesIn += 1;
    if (this.driver.state.phase === 'closed') return;
    const parsed = parseClientFrame(text);
    const pong = parsed.kind === 'frame' && parsed.frame.type === 'pong' ? parsed.frame.payload.seqs : undefined;
    this.dispatch({ type: 'frame', parsed, behind: pong === undefined ? 0 : this.behind(pong) });
  }

  private onClosed(code: number): void {
    this.dispatch({ type: 'socketClosed' });
    this.driver.stop();
    const { host } = this;
    host.logger.info({ ...this.who(), code }, 'hub connection closed');
    host.closed(this);
  }

  private behind(seqs: Readonly<Record<string, number>>): number {
    let most = 0;
    for (const [room, place] of this.places) {
      const seq = Object.hasOwn(seqs, room) ? seqs[room] : undefined;
      if (seq !== undefined) most = Math.max(most, place.subscription.behind(seq));
    }
    return most;
  }

  private behindCursor(cursor: string): number {
    const reported = parseCursor(cursor);
    let most = 0;
    for (const [room, { subscription }] of this.places) {
      const seen = reported.get(room);
      // A position in another life of the log says nothing about this one.
      if (seen === undefined || seen.epoch !== subscription.position?.epoch) continue;
      most = Math.max(most, subscription.behind(seen.seq));
    }
    return most;
  }

  private run(effect: SessionEffect): void {
    const { host, id } = this;
    switch (effect.type) {
      case 'authenticate':
        void this.authenticate(effect.token).then((outcome) => this.onAuthOutcome(effect.attempt, outcome));
        return;
      case 'welcome':
        this.control('sys.welcome', host.welcome(id, effect.authTimeoutMs));
        this.transport.resume();
        return;
      case 'admitted':
        host.logger.info(this.who(), 'hub connection opened');
        host.admitted(this);
        this.subscribeStream();
        return;
      case 'command':
        this.command(effect);
        return;
      case 'refuseCommand':
        this.refuseCommand(effect.re, effect.error);
        return;
      case 'ack':
        this.reply('ack', effect.event, effect.re, effect.payload);
        return;
      case 'refuse':
        this.refuse(effect);
        return;
      case 'count':
        host.counters.error(effect.code);
        return;
      case 'control':
        if (effect.event === 'sys.drain') this.transport.retryIn?.(effect.payload.reconnectInMs);
        this.control(effect.event, effect.payload as never);
        return;
      case 'ping':
        for (const { subscription } of this.places.values()) subscription.mark();
        // A stream cannot be answered: its client posts where it is, at times of its own.
        if (this.carriage.kind === 'socket') this.control('sys.ping', {});
        return;
      case 'authorize': {
        const principal = this.driver.state.principal as Principal;
        const { room, ticket } = effect;
        void host.authorize(principal, room).then((verdict) => {
          this.dispatch({ type: 'authorized', room, ticket, verdict });
        });
        return;
      }
      case 'join':
        this.join(effect.room, effect.ticket, effect.since);
        return;
      case 'catchUp':
        this.read(effect.room, effect.ticket, this.places.get(effect.room)?.subscription.position);
        return;
      case 'start':
        this.start(effect);
        return;
      case 'leave':
        this.leave(effect.room);
        return;
      case 'close': {
        const { code, cause } = effect;
        host.counters.close(code);
        const level = code === 4503 ? 'info' : 'warn';
        host.logger[level]({ ...this.who(), code, cause }, 'hub closes a connection');
        this.transport.close(code, cause, this.retryAfterMs);
        return;
      }
      case 'release':
        for (const room of [...this.places.keys()]) this.leave(room);
        host.release(this);
        return;
    }
  }

  private onAuthOutcome(attempt: number, outcome: AuthOutcome): void {
    if ('unavailable' in outcome) {
      this.dispatch({ type: 'authFailed', attempt, unavailable: outcome.unavailable });
      return;
    }
    const { principal } = outcome;
    const { phase, principal: before } = this.driver.state;
    const expiresInMs = principal.expiresAt - this.host.clock.wallTime();
    // A place is taken once, and none by a proof that is over or for a connection that ended meanwhile.
    const takesPlace = phase !== 'closed' && before === undefined && expiresInMs > 0;
    const admitted = !takesPlace || this.host.admit(this, principal.userId);
    this.dispatch({ type: 'authenticated', attempt, principal, expiresInMs, admitted });
  }

  /** Asks for the rooms of a stream's request, as if each had been asked for in a frame. */
  private subscribeStream(): void {
    if (this.carriage.kind !== 'stream') return;
    for (const [room, since] of this.carriage.rooms) {
      const frame = { v: 1, type: 'subscribe', id: room, payload: { room, since } } as const;
      this.dispatch({ type: 'frame', parsed: { kind: 'frame', frame } });
    }
  }

  private command({ ticket, id, name, input }: Extract<SessionEffect, { type: 'command' }>): void {
    const principal = this.driver.state.principal as Principal;
    void this.host.command({ principal, id, name, input, connectionId: this.id }).then((answer) => {
      this.dispatch({ type: 'commandDone', ticket, answer });
    });
  }

  private refuseCommand(re: string, { code, message, fields, retryAfterMs }: CommandRefusal): void {
    this.host.counters.refused(code);
    const more = { ...(fields && { fields }), ...(retryAfterMs !== undefined && { retryAfterMs }) };
    this.reply('error', 'error', re, { code, message, ...more });
  }

  private join(room: string, ticket: number, since: Position | undefined): void {
    const userId = this.userId as string;
    const place = new Place(room, ticket, userId, this);
    this.places.set(room, place);
    this.host.enter(room, userId);
    // Live first, history second: what is published in between is kept, and nothing slips through.
    this.host.feeds.join(room, place).then(
      () => this.read(room, ticket, since),
      (error: unknown) => this.onReadFailed(room, ticket, error),
    );
  }

  private read(room: string, ticket: number, since: Position | undefined): void {
    this.host.engine.read(room, since).then(
      (read) => this.dispatch({ type: 'read', room, ticket, read }),
      (error: unknown) => this.onReadFailed(room, ticket, error),
    );
  }

  private onReadFailed(room: string, ticket: number, error: unknown): void {
    const { logger } = this.host;
    logger.warn({ ...this.who(), room, error: toLogText(messageOf(error)) }, 'hub cannot read a room');
    this.dispatch({ type: 'readFailed', room, ticket });
  }

  private start({ room, ticket, re, read }: Extract<SessionEffect, { type: 'start' }>): void {
    const place = this.places.get(room);
    if (place?.ticket !== ticket) return;
    const { epoch, seq, snapshot } = read;
    const missed = this.missedMessages(read);
    if (re !== undefined && (missed !== undefined || this.carriage.kind === 'socket')) {
      // `seq` is where the log stands: a client that recovers knows by it when the last missed event has come.
      const ack: SubscribeAck = { room, epoch, seq, recovered: missed !== undefined };
      this.reply('ack', 'subscribe', re, missed === undefined ? { ...ack, snapshot } : ack);
    } else if (missed === undefined) {
      this.control('sys.snapshot', { room, epoch, seq, snapshot }, { room, epoch, seq });
    }
    for (const message of missed ?? []) this.send(message);
    const { items, hole } = place.subscription.start({ epoch, seq });
    for (const record of items) this.send(recordMessage(record));
    if (hole) this.dispatch({ type: 'holeFound', room, ticket });
  }

  /** The missed events, unless telling them would break the byte bound: the state is smaller than its history. */
  private missedMessages({ recovered, events }: RoomRead): readonly Message[] | undefined {
    if (!recovered) return undefined;
    const messages = events.map(recordMessage);
    const bytes = messages.reduce((sum, message) => sum + this.transport.sizeOf(message), 0);
    // Half of what is free: the live events that follow need room too.
    const free = (this.host.limits.maxBufferedBytes - this.transport.bufferedBytes) / 2;
    return bytes <= free ? messages : undefined;
  }

  private leave(room: string): void {
    const place = this.places.get(room);
    if (place === undefined) return;
    this.places.delete(room);
    this.host.exit(room, place.userId);
    this.host.feeds.leave(room, place);
    this.transport.forget?.(room);
  }

  private refuse({ code, re, room, detail, retryAfterMs }: Extract<SessionEffect, { type: 'refuse' }>): void {
    const { counters, logger } = this.host;
    counters.error(code);
    logger.debug(
      {
        ...this.who(),
        code,
        ...(room === undefined ? {} : { room: toLogText(room) }),
        ...(detail === undefined ? {} : { detail: toLogText(detail) }),
      },
      'hub refuses a frame',
    );
    this.retryAfterMs = retryAfterMs;
    const retry = retryAfterMs === undefined ? {} : { retryAfterMs };
    this.reply('error', 'error', re, { code, message: HUB_ERRORS[code].message, ...retry });
  }

  private reply(type: 'ack' | 'error', event: string, re: string | undefined, payload: unknown): void {
    const answers = re === undefined ? {} : { re };
    this.send(envelopeMessage({ type, event, payload, ts: this.host.clock.wallTime(), ...answers }));
  }
}
