/**
 * Owns one shard: runs the session's reducer, carries out its effects on a socket, settles sends. Refuses to decide
 * anything that the reducer can.
 */
import { type Clock, createDriver, type Driver, type Redacted } from '@guildkit/core';
import { decodeFrame } from '../codec/decode-frame.js';
import { encodeControl } from '../codec/encode-frame.js';
import type { Inflater, InflaterFactory } from '../codec/inflater.js';
import { GatewayError } from '../errors.js';
import { CLOSE_ENDING_SESSION, CLOSE_KEEPING_SESSION } from '../protocol/close-codes.js';
import type { Dispatch, DispatchFilter } from '../protocol/frames.js';
import { createSession, initialSession } from '../protocol/session.js';
import type { SessionRules } from '../protocol/session-rules.js';
import type {
  SendRefusal,
  Session,
  SessionCause,
  SessionEffect,
  SessionInput,
  SessionPhase,
  SessionState,
} from '../protocol/session-types.js';
import type { IdentifyQueue } from './identify-queue.js';
import type { GatewaySocket, OpenSocket } from './socket.js';

/** What a shard is made of. */
export interface ShardConfig {
  readonly id: number;
  readonly count: number;
  /** The gateway's own address, without a query. */
  readonly gatewayUrl: string;
  readonly token: Redacted;
  readonly intents: number;
  readonly largeThreshold: number;
  /** Presence that IDENTIFY carries; asked for each time. */
  readonly presence: () => unknown;
  readonly identifyQueue: IdentifyQueue;
  readonly maxConcurrency: number;
  readonly rules: SessionRules;
  readonly clock: Clock;
  readonly random: () => number;
  readonly openSocket: OpenSocket;
  /** Which dispatches are listened to. */
  readonly filter: DispatchFilter;
  /** As the gateway's address names it. */
  readonly compression: string;
  /** What reads it; `undefined` for none. */
  readonly createInflater: InflaterFactory | undefined;
  /** A session of an earlier process. */
  readonly session: Session | undefined;
}

/** Whom a shard tells. */
export interface ShardListener {
  /** A dispatch of the session, each once and in order. */
  deliver(dispatch: Dispatch, seq: number, replayed: boolean): void;
  news(news: ShardNews): void;
}

/** What a shard has to say beside dispatches: the session's news, and frames that could not be read. */
export type ShardNews =
  | Exclude<
      SessionEffect,
      {
        type:
          | 'deliver'
          | 'drop'
          | 'openSocket'
          | 'closeSocket'
          | 'sendControl'
          | 'transmit'
          | 'rejectSend'
          | 'supersedeSend'
          | 'requestPermit'
          | 'cancelPermit';
      }
    >
  | { readonly type: 'phase'; readonly from: SessionPhase; readonly to: SessionPhase; readonly cause: SessionCause }
  | { readonly type: 'malformed'; readonly problem: string }
  | { readonly type: 'corrupt'; readonly problem: string }
  | { readonly type: 'failure'; readonly error: unknown };

/** Counters of one shard since it was made. */
export interface ShardCounters {
  events: number;
  duplicates: number;
  unexpected: number;
  malformed: number;
  reconnects: number;
  bytesIn: number;
  bytesOut: number;
}

interface WaitingSend {
  readonly text: string;
  settle(error?: GatewayError): void;
}

interface Connection {
  readonly gen: number;
  readonly handle: GatewaySocket;
  readonly inflater: Inflater | undefined;
}

/** One connection to the gateway, over all its sockets. */
export class Shard {
  readonly counters: ShardCounters = {
    events: 0,
    duplicates: 0,
    unexpected: 0,
    malformed: 0,
    reconnects: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
  private readonly driver: Driver<SessionState, SessionInput>;
  private readonly sends = new Map<number, WaitingSend>();
  private readonly sockets = new Set<GatewaySocket>();
  private socket: Connection | undefined;
  private permit: AbortController | undefined;
  private sendIds = 0;
  /** The last sequence number, while the reducer does not know it yet. */
  private position: number | undefined;
  private delivering = false;
  private stepping = false;
  /** What came while a dispatch was delivered. */
  private readonly held: SessionInput[] = [];
  private readonly ended: Promise<void>;
  private settleEnded: () => void = () => {};

  constructor(
    private readonly config: ShardConfig,
    private readonly listener: ShardListener,
  ) {
    this.ended = new Promise((resolve) => {
      this.settleEnded = resolve;
    });
    const session = createSession(config.rules);
    this.driver = createDriver<SessionState, SessionInput, SessionEffect>({
      reducer: {
        step: (state, input) => {
          const current = this.caughtUp(state);
          this.position = undefined;
          return session.step(current, input);
        },
        deadline: session.deadline,
      },
      initial: initialSession(config.session),
      run: (effect) => this.inStep(() => this.run(effect)),
      onEffectError: (error) => this.tell({ type: 'failure', error }),
      onTransition: (from, to) => {
        if (from.phase === to.phase) return;
        if (to.phase === 'connecting' && from.phase === 'waiting') this.counters.reconnects += 1;
        this.inStep(() => this.tell({ type: 'phase', from: from.phase, to: to.phase, cause: to.cause }));
      },
      clock: config.clock,
      random: config.random,
    });
  }

  get id(): number {
    return this.config.id;
  }

  get state(): SessionState {
    return this.caughtUp(this.driver.state);
  }

  connect(): void {
    this.dispatch({ type: 'connect' });
  }

  /** Ends for good. Resolves when no socket and no timer is left. */
  async end(how: 'close' | 'detach'): Promise<void> {
    this.dispatch({ type: how });
    // From inside a listener the input waits its turn. Once closed, the session has no deadline and so no timer.
    await this.ended;
    await Promise.all(Array.from(this.sockets, ({ gone }) => gone));
  }

  /**
   * Sends a text once the session is ready and its limits allow. A presence that a later one overtakes is not sent.
   *
   * @throws GatewayError `ERR_GATEWAY_SEND_*` or `ERR_GATEWAY_CLIENT_CLOSED` (rejects).
   */
  send(
    text: string,
    options: { signal?: AbortSignal | undefined; presence?: boolean | undefined } = {},
  ): Promise<void> {
    const { signal, presence } = options;
    this.sendIds += 1;
    const id = this.sendIds;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => this.dispatch({ type: 'cancelSend', id });
      const settle = (error?: GatewayError): void => {
        this.sends.delete(id);
        signal?.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      if (signal?.aborted) {
        settle(refusalError('aborted', this.id));
        return;
      }
      this.sends.set(id, { text, settle });
      signal?.addEventListener('abort', onAbort, { once: true });
      if (this.state.phase === 'closed') settle(refusalError('closed', this.id));
      else this.dispatch({ type: 'send', id, presence });
    });
  }

  private run(effect: SessionEffect): void {
    switch (effect.type) {
      case 'openSocket':
        this.open(effect.gen, effect.url ?? this.config.gatewayUrl);
        return;
      case 'closeSocket':
        this.closeSocket(effect.gen, effect.how);
        return;
      case 'sendControl': {
        this.write(
          effect.gen,
          encodeControl(effect.frame, () => this.identity()),
        );
        return;
      }
      case 'transmit': {
        const send = this.sends.get(effect.id);
        if (send !== undefined) {
          send.settle(this.write(effect.gen, send.text) ? undefined : refusalError('failed', this.id));
        }
        return;
      }
      case 'rejectSend':
        this.sends.get(effect.id)?.settle(refusalError(effect.refusal, this.id));
        return;
      case 'supersedeSend':
        this.sends.get(effect.id)?.settle();
        return;
      case 'requestPermit':
        void this.requestPermit(effect.gen);
        return;
      case 'cancelPermit':
        this.permit?.abort();
        return;
      case 'ended':
        this.settleEnded();
        break;
      case 'deliver':
        this.counters.events += 1;
        this.listener.deliver(effect.payload, effect.seq, effect.replayed);
        return;
      case 'drop':
        this.counters[effect.what === 'duplicate' ? 'duplicates' : 'unexpected'] += 1;
        return;
      default:
    }
    this.tell(effect);
  }

  private tell(news: ShardNews): void {
    this.listener.news(news);
  }

  private open(gen: number, address: string): void {
    const { compression, createInflater, clock, openSocket } = this.config;
    const events = {
      onMessage: (data: string | Uint8Array, isBinary: boolean) => this.receive(gen, data, isBinary),
      onClose: (code: number) => this.dispatch({ type: 'socketClosed', gen, code }),
      onRefused: (status: number, retryAfterMs: number | undefined) =>
        this.dispatch({ type: 'upgradeRefused', gen, status, retryAfterMs }),
    };
    // Docs, Gateway: Connecting: the query goes with every address, the resume one too.
    const compress = createInflater === undefined ? '' : `&compress=${compression}`;
    const handle = openSocket(`${address.replace(/\/+$/, '')}/?v=10&encoding=json${compress}`, events, clock);
    const inflater = createInflater?.();
    this.socket = { gen, handle, inflater };
    this.sockets.add(handle);
    void handle.gone.then(() => {
      this.sockets.delete(handle);
      inflater?.close();
    });
  }

  private closeSocket(gen: number, how: 'terminate' | 'keep' | 'end'): void {
    if (this.socket?.gen !== gen) return;
    const { handle } = this.socket;
    this.socket = undefined;
    if (how === 'terminate') handle.terminate();
    else handle.close(how === 'keep' ? CLOSE_KEEPING_SESSION : CLOSE_ENDING_SESSION);
  }

  private receive(gen: number, data: string | Uint8Array, isBinary: boolean): void {
    if (this.socket?.gen !== gen) return;
    this.counters.bytesIn += data.length;
    const { inflater } = this.socket;
    if (inflater === undefined || !isBinary || typeof data === 'string') {
      this.decode(gen, data);
      return;
    }
    const inflated = inflater.push(data);
    if (inflated.status === 'message') this.decode(gen, inflated.data);
    if (inflated.status === 'corrupt') {
      this.tell({ type: 'corrupt', problem: inflated.problem });
      this.dispatch({ type: 'streamCorrupt', gen });
    }
  }

  private decode(gen: number, data: string | Uint8Array): void {
    const frame = decodeFrame(data, this.config.filter);
    if (frame.kind === 'dispatch' && this.isNext(frame.seq)) {
      this.deliverNext(frame.payload, frame.seq);
    } else if (frame.kind === 'malformed') {
      this.counters.malformed += 1;
      this.tell({ type: 'malformed', problem: frame.problem });
    } else {
      this.dispatch({ type: 'frame', gen, frame });
    }
  }

  /** Whether a dispatch is the one that a ready session waits for, with no other work under way. */
  private isNext(seq: number): boolean {
    const { state } = this.driver;
    if (state.phase !== 'ready' || this.stepping || this.delivering) return false;
    return seq === (this.position ?? state.session?.seq ?? Number.NaN) + 1;
  }

  /**
   * Nearly every frame is the next dispatch of a ready session, which moves the sequence on and changes nothing else. It is
   * delivered past the reducer, which costs less than half; the reducer learns the position with its next input.
   */
  private deliverNext(payload: Dispatch, seq: number): void {
    this.position = seq;
    this.counters.events += 1;
    this.delivering = true;
    try {
      this.listener.deliver(payload, seq, false);
    } catch (error) {
      this.tell({ type: 'failure', error });
    } finally {
      this.delivering = false;
    }
    while (this.held.length > 0) this.driver.dispatch(this.held.shift() as SessionInput);
  }

  /** Listeners enqueue, never re-enter: core's driver sees to that for its effects, this for {@link deliverNext}. */
  private dispatch(input: SessionInput): void {
    if (this.delivering) this.held.push(input);
    else this.driver.dispatch(input);
  }

  private inStep(work: () => void): void {
    this.stepping = true;
    try {
      work();
    } finally {
      this.stepping = false;
    }
  }

  /** The state with what was delivered past the reducer. */
  private caughtUp(state: SessionState): SessionState {
    const { position } = this;
    if (position === undefined || state.session === undefined) return state;
    return { ...state, session: { ...state.session, seq: position } };
  }

  private write(gen: number, text: string): boolean {
    if (this.socket?.gen !== gen) return false;
    const sent = this.socket.handle.send(text);
    if (sent) this.counters.bytesOut += UTF8.encode(text).length;
    return sent;
  }

  private identity() {
    const { id, count, token, intents, largeThreshold, presence } = this.config;
    return { token: token.reveal(), intents, shard: [id, count] as const, largeThreshold, presence: presence() };
  }

  private async requestPermit(gen: number): Promise<void> {
    const permit = new AbortController();
    this.permit = permit;
    const { id: shardId, maxConcurrency, identifyQueue } = this.config;
    try {
      const answer = await identifyQueue.acquire({ shardId, maxConcurrency, signal: permit.signal });
      if (permit.signal.aborted) return;
      if (answer.granted) this.dispatch({ type: 'permitGranted', gen });
      else this.dispatch({ type: 'permitDenied', gen, retryAfterMs: answer.retryAfterMs });
    } catch (error) {
      // Withdrawn by us, or the queue is out of order: then the next try asks again.
      if (permit.signal.aborted) return;
      this.tell({ type: 'failure', error });
      this.dispatch({ type: 'permitDenied', gen, retryAfterMs: 0 });
    }
  }
}

const UTF8 = new TextEncoder();

const REFUSALS = {
  closed: ['ERR_GATEWAY_CLIENT_CLOSED', 'The payload was not sent: the client is closed', false],
  timeout: [
    'ERR_GATEWAY_SEND_TIMEOUT',
    'The payload was not sent: it waited too long for a connection or the send limit',
    true,
  ],
  queueFull: ['ERR_GATEWAY_SEND_QUEUE_FULL', 'The payload was not sent: the queue is full', true],
  aborted: ['ERR_GATEWAY_SEND_ABORTED', 'The payload was not sent: its signal fired', false],
  failed: ['ERR_GATEWAY_SEND_FAILED', 'The payload was not sent: the socket is not open', true],
} as const;

function refusalError(refusal: SendRefusal | 'failed', shardId: number): GatewayError {
  const [code, what, retryable] = REFUSALS[refusal];
  return new GatewayError(code, what, { shardId, retryable });
}
