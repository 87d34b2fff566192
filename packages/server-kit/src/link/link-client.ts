/** Owns the app's end of the link: the socket, the promises of commands, the way of events to where they are wanted. */
import { createDriver, type DomainEvent, type Driver, messageOf, TypedEmitter, toLogText } from '@guildkit/core';
import { LinkError, type LinkErrorCode } from './errors.js';
import {
  type CommandOptions,
  type LinkClientEvents,
  type LinkClientOptions,
  type LinkClientSettings,
  type LinkClientStats,
  type LinkSocket,
  resolveLinkClientOptions,
} from './link-client-options.js';
import { type LinkClientFrame, readServerFrame, toDomainEvent } from './protocol/frames.js';
import {
  createLinkReducer,
  type LinkEffect,
  type LinkInput,
  type LinkState,
  newLink,
  type SettlingFrame,
} from './protocol/link-client.js';

interface Waiting {
  readonly frame: Extract<LinkClientFrame, { type: 'command' }>;
  readonly promise: Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: LinkError): void;
}

/**
 * The end of the link that has the browsers.
 *
 * @example
 * ```ts no-check
 * const link = new LinkClient({ url: 'wss://gateway.example/link', token: () => readToken(), onEvent: hub.publishDiscordEvent });
 * link.start();
 * await link.command('sendMessage', { channelId: '10', content: 'hello' }, { traceId });
 * ```
 */
export class LinkClient extends TypedEmitter<LinkClientEvents> {
  private readonly settings: LinkClientSettings;
  private readonly driver: Driver<LinkState, LinkInput>;
  private readonly waiting = new Map<string, Waiting>();
  private socket: LinkSocket | undefined;
  private readonly counts = { connects: 0, events: 0 };
  private readonly errors: Partial<Record<LinkErrorCode, number>> = {};

  /** @throws TypeError on options out of range. */
  constructor(options: LinkClientOptions) {
    super();
    const settings = resolveLinkClientOptions(options);
    this.settings = settings;
    const { clock, random, logger } = settings;
    this.driver = createDriver<LinkState, LinkInput, LinkEffect>({
      reducer: createLinkReducer(this.settings),
      initial: newLink(),
      run: (effect) => this.run(effect),
      onEffectError: (error) => logger.error({ reason: messageOf(error) }, 'link failed'),
      onTransition: (from, to) => {
        if (from.phase === to.phase) return;
        if (to.phase === 'open') this.counts.connects += 1;
        logger.info({ from: from.phase, to: to.phase }, 'link state');
        this.emit('stateChange', { from: from.phase, to: to.phase });
      },
      clock,
      random,
    });
  }

  /** Dials, and goes on dialling until it is closed. */
  start(): void {
    this.driver.dispatch({ type: 'start' });
  }

  /** Whether events arrive and commands go out at once. */
  get isOpen(): boolean {
    return this.driver.state.phase === 'open';
  }

  /**
   * Sends a command and waits for its result. Bound. While the link is down it waits; after an outage it is sent again unless
   * the service has seen it.
   *
   * @throws LinkError: `ERR_LINK_QUEUE_FULL` (503), `ERR_LINK_COMMAND_EXPIRED`, `ERR_LINK_COMMAND_UNANSWERED` and
   * `ERR_LINK_COMMAND_FAILED` (502), `ERR_LINK_COMMAND_RATE_LIMITED` (429), `ERR_LINK_CLOSED`; the signal's reason.
   */
  readonly command = (name: string, input: unknown, options: CommandOptions = {}): Promise<unknown> => {
    const { requestId = crypto.randomUUID(), traceId = requestId, actor, signal } = options;
    const known = this.waiting.get(requestId);
    if (known !== undefined) return known.promise;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const sentAt = this.settings.clock.wallTime();
    let settle: Pick<Waiting, 'resolve' | 'reject'> = { resolve: () => {}, reject: () => {} };
    const promise = new Promise<unknown>((resolve, reject) => {
      const onAbort = (): void => {
        this.waiting.delete(requestId);
        this.driver.dispatch({ type: 'cancel', requestId });
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort);
      const done = (): void => signal?.removeEventListener('abort', onAbort);
      settle = {
        resolve: (value) => {
          done();
          resolve(value);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
    });
    const frame = {
      v: 1,
      type: 'command',
      requestId,
      traceId,
      sentAt,
      name,
      input,
      ...(actor === undefined ? {} : { actor }),
    } as const;
    this.waiting.set(requestId, { frame, promise, ...settle });
    this.driver.dispatch({ type: 'command', requestId });
    return promise;
  };

  /** Whether commands go out at once: with {@link onUp} and {@link send} what a `CommandBus` wants of its link. */
  isUp(): boolean {
    return this.isOpen;
  }

  /** Calls back whenever the link is open again. Returns a function that removes it. */
  onUp(listener: () => void): () => void {
    const onChange = ({ to }: LinkClientEvents['stateChange']): void => {
      if (to === 'open') listener();
    };
    this.on('stateChange', onChange);
    return () => this.off('stateChange', onChange);
  }

  /** As {@link command}, in the shape of a `CommandBus`. @throws LinkError */
  send(
    {
      name,
      input,
      requestId,
      traceId,
      userId,
    }: {
      readonly name: string;
      readonly input: unknown;
      readonly requestId: string;
      readonly traceId: string;
      readonly userId: string;
    },
    signal?: AbortSignal,
  ): Promise<unknown> {
    return this.command(name, input, { requestId, traceId, actor: userId, signal });
  }

  /** What was counted so far. */
  stats(): LinkClientStats {
    const { phase, commands } = this.driver.state;
    return { phase, pending: commands.size, ...this.counts, errors: { ...this.errors } };
  }

  /** Hangs up; commands that wait end with `ERR_LINK_CLOSED`. Idempotent. */
  async close(): Promise<void> {
    this.driver.dispatch({ type: 'close' });
  }

  /** Hangs up. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // ─── effects ──────────────────────────────────────────────────────────────────────────────────────────────────

  private run(effect: LinkEffect): void {
    switch (effect.type) {
      case 'connect':
        void this.connect(effect.generation);
        return;
      case 'disconnect':
        this.socket?.terminate();
        this.socket = undefined;
        return;
      case 'sendResume': {
        const { epoch, seq, pending } = effect;
        this.write({ v: 1, type: 'resume', ...(epoch === undefined ? {} : { epoch, seq }), pending: [...pending] });
        return;
      }
      case 'sendCommand': {
        const waiting = this.waiting.get(effect.requestId);
        if (waiting !== undefined) this.write(waiting.frame);
        return;
      }
      case 'sendPing':
        this.write({ v: 1, type: 'ping', seq: effect.seq });
        return;
      case 'deliver':
        this.deliver(toDomainEvent(effect.event));
        return;
      case 'settle':
        this.settle(effect.requestId, effect.frame);
        return;
      case 'refuse':
        this.count(effect.code);
        this.reject(effect.requestId, new LinkError(effect.code));
        return;
      case 'report':
        this.report(effect.code, effect.retryInMs);
        return;
      case 'notice': {
        const { frame } = effect;
        const { requestId } = frame;
        if (frame.type === 'rateLimited') {
          const { retryAfterMs } = frame;
          this.settings.logger.warn({ requestId, retryAfterMs }, 'rate limited');
          this.emit('rateLimited', { retryAfterMs, requestId });
        } else {
          this.settings.logger.warn(
            { requestId, code: toLogText(frame.code), reason: toLogText(frame.message) },
            'gateway service reports an error',
          );
          this.emit('error', {
            error: new LinkError('ERR_LINK_COMMAND_FAILED', { remoteCode: toLogText(frame.code) }),
          });
        }
      }
    }
  }

  private async connect(generation: number): Promise<void> {
    const { url, token, maxFrameBytes, createSocket } = this.settings;
    const lost = (unauthorized: boolean): void => this.driver.dispatch({ type: 'lost', generation, unauthorized });
    try {
      const read = typeof token === 'function' ? await token() : token;
      const secret = typeof read === 'string' ? read : read.reveal();
      // Another try may have begun, or the end come, while the token was read.
      if (this.driver.state.generation !== generation || this.driver.state.phase !== 'connecting') return;
      const socket = createSocket(url, {
        headers: { authorization: `Bearer ${secret}` },
        maxPayload: maxFrameBytes,
        perMessageDeflate: false,
      });
      this.socket = socket;
      socket.on('open', () => this.driver.dispatch({ type: 'opened', generation }));
      socket.on('message', (data, isBinary) => {
        this.driver.dispatch({
          type: 'frame',
          generation,
          frame: isBinary ? undefined : readServerFrame(data.toString()),
        });
      });
      socket.on('unexpected-response', (_, { statusCode }) => {
        lost(statusCode === 401);
        socket.terminate();
      });
      socket.on('error', (error) => {
        this.settings.logger.debug({ reason: toLogText(messageOf(error)) }, 'link socket failed');
        lost(false);
      });
      socket.on('close', () => lost(false));
    } catch (error) {
      this.settings.logger.error({ reason: toLogText(messageOf(error)) }, 'link cannot be dialled');
      lost(false);
    }
  }

  private write(frame: LinkClientFrame): void {
    try {
      this.socket?.send(JSON.stringify(frame));
    } catch (error) {
      // A socket that is closing says so by itself; input that JSON cannot hold is the caller's.
      if (frame.type === 'command') {
        this.driver.dispatch({ type: 'cancel', requestId: frame.requestId });
        this.reject(frame.requestId, new LinkError('ERR_LINK_COMMAND_FAILED', { cause: error }));
      }
    }
  }

  private deliver(event: DomainEvent): void {
    this.counts.events += 1;
    const failed = (error: unknown): void => {
      this.settings.logger.error(
        { event: toLogText(event.event), id: toLogText(event.id), reason: toLogText(messageOf(error)) },
        'event was not taken in',
      );
      this.driver.dispatch({ type: 'eventLost' });
    };
    try {
      const taken = (this.settings.onEvent as NonNullable<LinkClientSettings['onEvent']>)(event);
      void Promise.resolve(taken).then((outcome) => {
        if (outcome === 'failed') failed('onEvent answered "failed"');
      }, failed);
    } catch (error) {
      failed(error);
    }
  }

  private settle(requestId: string, frame: SettlingFrame): void {
    if (frame.type === 'result') {
      const waiting = this.waiting.get(requestId);
      this.waiting.delete(requestId);
      waiting?.resolve(frame.value);
      return;
    }
    if (frame.type === 'rateLimited') {
      this.reject(requestId, new LinkError('ERR_LINK_COMMAND_RATE_LIMITED', { retryAfterMs: frame.retryAfterMs }));
      return;
    }
    const code = frame.code === 'ERR_LINK_SATURATED' ? frame.code : 'ERR_LINK_COMMAND_FAILED';
    this.reject(requestId, new LinkError(code, { remoteCode: toLogText(frame.code, 100), status: frame.status }));
  }

  private reject(requestId: string, error: LinkError): void {
    const waiting = this.waiting.get(requestId);
    this.waiting.delete(requestId);
    waiting?.reject(error);
  }

  private report(code: LinkErrorCode, retryInMs: number | undefined): void {
    this.count(code);
    this.settings.logger.warn({ code, ...(retryInMs === undefined ? {} : { retryInMs }) }, 'link in trouble');
    this.emit('error', { error: new LinkError(code) });
  }

  private count(code: LinkErrorCode): void {
    this.errors[code] = (this.errors[code] ?? 0) + 1;
  }
}
