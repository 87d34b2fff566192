/** Owns one connection: carries out what its session decides, and hands it the room's events. Refuses decisions. */
import { createDriver, type Driver, messageOf, toLogText } from '@guildkit/core';
import type { ControlEvents } from '@guildkit/core/wire';
import { HUB_ERRORS } from '../../errors.js';
import type { Principal } from '../../principal.js';
import type { CommandRefusal } from '../../shared/command.js';
import { envelopeMessage, type Message, type RoomPosition } from '../codec/message.js';
import type { RecordBatch } from '../codec/record-batch.js';
import { parseClientFrame } from '../protocol/client-frame.js';
import { newSession } from '../protocol/session.js';
import type { SessionEffect, SessionInput, SessionState } from '../protocol/session-types.js';
import type { AuthOutcome, Carriage, ConnectionHost, HubConnection } from './connection-host.js';
import { Places, type PlacesOwner } from './places.js';
import type { Transport, TransportListener } from './transport.js';

/** One client. */
export class Connection implements PlacesOwner, HubConnection {
  readonly id: string;
  readonly host: ConnectionHost;
  readonly transport: Transport;
  private readonly authenticate: (token: string | undefined) => Promise<AuthOutcome>;
  private readonly driver: Driver<SessionState, SessionInput>;
  private readonly places: Places;
  private readonly carriage: Carriage;
  private overflowed = false;
  /** When the ping was sent that is not answered yet. */
  private pingedAt: number | undefined;
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
    this.places = new Places(this);
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
        logger.warn({ connectionId: id, code: 'ERR_HUB_SOCKET_FAILED', problem }, 'hub socket broken');
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

  get isStream(): boolean {
    return this.carriage.kind === 'stream';
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
    const behind = cursor === undefined ? this.places.behind(seqs ?? {}) : this.places.behindCursor(cursor);
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
  who(): { readonly connectionId: string; readonly userId?: string } {
    const { id: connectionId, userId } = this;
    return userId === undefined ? { connectionId } : { connectionId, userId: toLogText(userId) };
  }

  dispatch(input: SessionInput): void {
    this.driver.dispatch(input);
  }

  private onText(text: string): void {
    this.host.counters.framesIn += 1;
    if (this.driver.state.phase === 'closed') return;
    const parsed = parseClientFrame(text);
    const pong = parsed.kind === 'frame' && parsed.frame.type === 'pong' ? parsed.frame.payload : undefined;
    if (pong !== undefined) this.onPong();
    this.dispatch({ type: 'frame', parsed, behind: pong?.seqs === undefined ? 0 : this.places.behind(pong.seqs) });
  }

  private onPong(): void {
    const { pingedAt, host } = this;
    this.pingedAt = undefined;
    if (pingedAt !== undefined) host.answered(this, host.clock.now() - pingedAt);
  }

  private onClosed(code: number): void {
    this.dispatch({ type: 'socketClosed' });
    this.driver.stop();
    const { host } = this;
    host.logger.info({ ...this.who(), code }, 'hub connection closed');
    host.closed(this);
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
        this.places.mark();
        // A stream cannot be answered: its client posts where it is, at times of its own.
        if (this.isStream) return;
        this.control('sys.ping', {});
        this.pingedAt = host.clock.now();
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
        this.places.join(effect.room, effect.ticket, effect.since);
        return;
      case 'catchUp':
        this.places.catchUp(effect.room, effect.ticket);
        return;
      case 'start':
        this.places.start(effect);
        return;
      case 'leave':
        this.places.leave(effect.room);
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
        this.places.leaveAll();
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

  private refuse({ code, re, room, detail, retryAfterMs }: Extract<SessionEffect, { type: 'refuse' }>): void {
    const { counters, logger } = this.host;
    counters.error(code);
    // Who asks for what is another's is worth a line; what ends the connection gets one of its own.
    const level = code === 'ERR_HUB_ROOM_FORBIDDEN' || code === 'ERR_HUB_AUTH_REFUSED' ? 'info' : 'debug';
    logger[level](
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

  reply(type: 'ack' | 'error', event: string, re: string | undefined, payload: unknown): void {
    const answers = re === undefined ? {} : { re };
    this.send(envelopeMessage({ type, event, payload, ts: this.host.clock.wallTime(), ...answers }));
  }
}
