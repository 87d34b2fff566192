/**
 * Owns the gateway service's end of the link: who may dial, the log of events, each command carried out once. Refuses to know
 * what commands do.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  createDriver,
  type DomainEvent,
  type Driver,
  messageOf,
  type Redacted,
  TypedEmitter,
  toLogText,
} from '@guildkit/core';
import { type WebSocket, WebSocketServer } from 'ws';
import { GuildState } from '../shared/guild-state.js';
import { sameText } from '../shared/same-text.js';
import { readSecrets } from '../shared/secrets.js';
import { LINK_ERRORS, type LinkErrorCode } from './errors.js';
import {
  type LinkServerEvents,
  type LinkServerOptions,
  type LinkServerSettings,
  type LinkServerStats,
  resolveLinkServerOptions,
} from './link-server-options.js';
import { EventLog } from './protocol/event-log.js';
import { codeOf, failureOf, type LinkAnswer } from './protocol/failure.js';
import { type LinkCommandFrame, type LinkServerFrame, readClientFrame } from './protocol/frames.js';
import { createPeerReducer, newPeer, type PeerEffect, type PeerInput, type PeerState } from './protocol/link-peer.js';
import { ResultMemory } from './protocol/result-memory.js';

/** The greeting is one frame: whoever does not send it at once is no app. */
const GREET_TIMEOUT_MS = 5_000;

interface Peer {
  readonly socket: WebSocket;
  readonly driver: Driver<PeerState, PeerInput>;
}

/**
 * The end of the link that has the gateway.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { LinkServer } from '@guildkit/server-kit/link';
 *
 * const link = new LinkServer({
 *   tokens: 'a token of at least 16 characters',
 *   onCommand: ({ name, input }) => ({ carriedOut: name, with: input }),
 * });
 * const server = createServer();
 * link.attach(server, { path: '/link' });
 * // gateway.onEvent('*', link.publish);
 * ```
 */
export class LinkServer extends TypedEmitter<LinkServerEvents> {
  private readonly settings: LinkServerSettings;
  private readonly tokens: readonly Redacted[];
  private readonly sockets: WebSocketServer;
  private readonly epoch = crypto.randomUUID();
  private readonly log: EventLog<DomainEvent>;
  private readonly results: ResultMemory<LinkAnswer>;
  private readonly known = new GuildState();
  private readonly peers = new Set<Peer>();
  private readonly live = new Set<Peer>();
  /** Who asked last for a command's result. */
  private readonly askers = new Map<string, Peer>();
  private readonly detachers = new Set<() => void>();
  private readonly counts = { events: 0, commands: 0, repeated: 0, resumed: 0, snapshots: 0, unauthorized: 0 };
  private readonly errors: Partial<Record<LinkErrorCode, number>> = {};
  private closed = false;

  /** @throws TypeError on options out of range. */
  constructor(options: LinkServerOptions) {
    super();
    const settings = resolveLinkServerOptions(options);
    // The texts themselves are kept nowhere: an object that is printed shows its fields.
    this.settings = { ...settings, tokens: [] };
    this.tokens = readSecrets('LinkServer', settings.tokens);
    this.log = new EventLog({ maxEvents: settings.maxEvents, maxAgeMs: settings.maxEventAgeMs });
    this.results = new ResultMemory({ maxResults: settings.maxResults, ttlMs: settings.resultTtlMs });
    this.sockets = new WebSocketServer({
      noServer: true,
      maxPayload: settings.maxFrameBytes,
      perMessageDeflate: false,
    });
  }

  /** Serves a path of a server; upgrades to other paths are left alone. Returns a function that stops. */
  attach(server: Server, { path }: { readonly path: string }): () => void {
    const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      if ((request.url ?? '').split('?', 1)[0] !== path) return;
      this.upgrade(request, socket, head);
    };
    server.on('upgrade', onUpgrade);
    const detach = (): void => {
      server.off('upgrade', onUpgrade);
      this.detachers.delete(detach);
    };
    this.detachers.add(detach);
    return detach;
  }

  /** Takes one of Discord's events to every app. Bound: `gateway.onEvent('*', link.publish)`. */
  readonly publish = (event: DomainEvent): void => {
    if (this.closed) return;
    this.known.apply(event);
    this.counts.events += 1;
    const seq = this.log.append(event, this.settings.clock.now());
    const frame = JSON.stringify({ v: 1, type: 'event', seq, event } satisfies LinkServerFrame);
    for (const peer of [...this.live]) this.sendText(peer, frame);
  };

  /** Tells every app of a rate limit that no single command hit. */
  tellRateLimited(retryAfterMs: number, message = LINK_ERRORS.ERR_LINK_COMMAND_RATE_LIMITED.message): void {
    for (const peer of [...this.live])
      this.send(peer, { v: 1, type: 'rateLimited', retryAfterMs, message: toLogText(message, 400) });
  }

  /** Tells every app of trouble that no single command had. */
  tellError(code: string, message: string): void {
    for (const peer of [...this.live])
      this.send(peer, { v: 1, type: 'error', code: toLogText(code, 90), message: toLogText(message, 400) });
  }

  /** What was counted so far. */
  stats(): LinkServerStats {
    return { peers: this.live.size, ...this.counts, errors: { ...this.errors } };
  }

  /** Closes every connection with 4503. Idempotent. */
  async close(): Promise<void> {
    this.closed = true;
    for (const detach of [...this.detachers]) detach();
    for (const peer of [...this.peers]) peer.driver.dispatch({ type: 'drain' });
    this.sockets.close();
  }

  /** Closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ─── connections ──────────────────────────────────────────────────────────────────────────────────────────────

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const given = request.headers.authorization ?? '';
    // Every one is compared: which of them fits takes no less time than none.
    const fits = this.tokens.filter((token) => sameText(given, `Bearer ${token.reveal()}`)).length > 0;
    if (fits && !this.closed) {
      this.sockets.handleUpgrade(request, socket, head, (webSocket) => this.accept(webSocket));
      return;
    }
    const status = fits ? '503 Service Unavailable' : '401 Unauthorized';
    if (!fits) {
      this.counts.unauthorized += 1;
      this.settings.logger.warn({ address: request.socket.remoteAddress }, 'link refused: wrong token');
    }
    socket.on('error', () => {});
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  }

  private accept(socket: WebSocket): void {
    const { clock, logger, silenceMs } = this.settings;
    const limits = { greetTimeoutMs: GREET_TIMEOUT_MS, silenceMs };
    const peer: Peer = {
      socket,
      driver: createDriver<PeerState, PeerInput, PeerEffect>({
        reducer: createPeerReducer(limits),
        initial: newPeer(limits, clock.now()),
        run: (effect) => this.run(peer, effect),
        onEffectError: (error) => logger.error({ reason: messageOf(error) }, 'link failed'),
        clock,
      }),
    };
    this.peers.add(peer);
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      peer.driver.dispatch({ type: 'frame', frame: isBinary ? undefined : readClientFrame(data.toString('utf8')) });
    });
    socket.on('error', (error) => logger.debug({ reason: messageOf(error) }, 'link socket failed'));
    socket.on('close', () => {
      peer.driver.dispatch({ type: 'gone' });
      this.peers.delete(peer);
    });
  }

  private run(peer: Peer, effect: PeerEffect): void {
    const { logger } = this.settings;
    switch (effect.type) {
      case 'resume':
        this.resume(peer, effect);
        return;
      case 'run':
        this.take(peer, effect.command);
        return;
      case 'pong':
        this.send(peer, { v: 1, type: 'pong' });
        return;
      case 'refuse':
        this.count(effect.code);
        this.send(peer, { v: 1, type: 'error', code: effect.code, message: LINK_ERRORS[effect.code].message });
        return;
      case 'close':
        this.count(effect.cause);
        logger.warn({ code: effect.code, cause: effect.cause }, 'link closed');
        peer.socket.close(effect.code);
        // Whoever does not answer the close is not waited for.
        if (effect.code === 4408) peer.socket.terminate();
        return;
      case 'leave':
        peer.driver.stop();
        if (this.live.delete(peer)) {
          logger.info({ peers: this.live.size }, 'app disconnected');
          this.emit('disconnected', { peers: this.live.size });
        }
    }
  }

  /** In one turn of the event loop: nothing can come between the log and what follows it. */
  private resume(peer: Peer, { epoch, seq, pending }: Extract<PeerEffect, { type: 'resume' }>): void {
    const { clock, logger } = this.settings;
    const now = clock.now();
    const missed = epoch === this.epoch ? this.log.since(seq, now) : undefined;
    const seen = pending.flatMap((requestId) => {
      const result = this.results.look(requestId, now);
      return result === undefined ? [] : [{ requestId, result }];
    });
    const recovered = missed !== undefined;
    this.counts[recovered ? 'resumed' : 'snapshots'] += 1;
    this.send(peer, {
      v: 1,
      type: 'resume',
      epoch: this.epoch,
      seq: this.log.head,
      recovered,
      known: seen.map(({ requestId }) => requestId),
      snapshot: recovered ? [] : [...this.known.snapshots(clock.wallTime(), () => crypto.randomUUID())],
    });
    for (const each of missed ?? []) this.send(peer, { v: 1, type: 'event', ...each });
    for (const { requestId, result } of seen) {
      this.counts.repeated += 1;
      if (result.kind === 'done') this.send(peer, result.result);
      else this.askers.set(requestId, peer);
    }
    if (this.live.has(peer) || peer.driver.state.phase === 'closed') return;
    this.live.add(peer);
    logger.info({ peers: this.live.size, recovered, missed: missed?.length ?? 0 }, 'app connected');
    this.emit('connected', { peers: this.live.size });
  }

  // ─── commands ─────────────────────────────────────────────────────────────────────────────────────────────────

  private take(peer: Peer, command: LinkCommandFrame): void {
    const { requestId } = command;
    const seeing = this.results.begin(requestId, this.settings.clock.now());
    if (seeing.kind === 'full') {
      this.count('ERR_LINK_SATURATED');
      this.send(peer, {
        v: 1,
        type: 'error',
        requestId,
        code: 'ERR_LINK_SATURATED',
        message: LINK_ERRORS.ERR_LINK_SATURATED.message,
      });
      return;
    }
    this.askers.set(requestId, peer);
    if (seeing.kind === 'new') {
      this.counts.commands += 1;
      void this.carryOut(command);
      return;
    }
    this.counts.repeated += 1;
    if (seeing.kind === 'done') this.answer(requestId, seeing.result);
  }

  private async carryOut({ name, input, requestId, traceId, sentAt, actor }: LinkCommandFrame): Promise<void> {
    const { onCommand, clock, logger } = this.settings;
    const startedAt = clock.now();
    const fields = { command: toLogText(name), requestId: toLogText(requestId), traceId: toLogText(traceId), actor };
    let answer: LinkAnswer;
    try {
      const value = await (onCommand as NonNullable<typeof onCommand>)({
        name,
        input,
        requestId,
        traceId,
        sentAt,
        actor,
      });
      answer = { v: 1, type: 'result', requestId, value };
      JSON.stringify(answer);
      logger.info({ ...fields, tookMs: Math.round(clock.now() - startedAt) }, 'command carried out');
    } catch (error) {
      answer = failureOf(requestId, error);
      logger.warn({ ...fields, code: codeOf(error), reason: toLogText(messageOf(error)) }, 'command failed');
    }
    this.results.finish(requestId, answer, clock.now());
    this.answer(requestId, answer);
  }

  private answer(requestId: string, answer: LinkAnswer): void {
    const peer = this.askers.get(requestId);
    this.askers.delete(requestId);
    // Gone meanwhile: it asks again when it is back.
    if (peer !== undefined && this.live.has(peer)) this.send(peer, answer);
  }

  // ─── output ───────────────────────────────────────────────────────────────────────────────────────────────────

  private send(peer: Peer, frame: LinkServerFrame): void {
    this.sendText(peer, JSON.stringify(frame));
  }

  private sendText({ socket, driver }: Peer, text: string): void {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount + text.length > this.settings.maxBufferedBytes && socket.bufferedAmount > 0) {
      driver.dispatch({ type: 'overflowed' });
      return;
    }
    socket.send(text);
  }

  private count(code: LinkErrorCode): void {
    this.errors[code] = (this.errors[code] ?? 0) + 1;
  }
}
