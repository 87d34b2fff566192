/** Owns the media socket of a page: frames out and in, and which stream is whose. Refuses cameras, codecs and canvases. */
import { type Clock, createDriver, type Driver, systemClock, type Unsubscribe } from '@guildkit/core';
import {
  buildMediaFrame,
  type MediaCodec,
  type MediaControl,
  type MediaFrame,
  parseMediaFrame,
} from '@guildkit/core/wire';
import { type Environment, pageEnvironment } from '../../io/environment.js';
import type { TokenRequest } from '../../options.js';
import { fieldsOf, textOf } from '../../protocol/frame.js';
import { createTopics } from '../../topics.js';
import {
  IDLE_LINK,
  type LinkEffect,
  type LinkInput,
  type LinkState,
  type LinkStatus,
  linkReducer,
} from '../protocol/link.js';

/** What is used of a WebSocket. */
export interface MediaSocket {
  binaryType: string;
  readonly readyState: number;
  /** Bytes that were sent and have not left yet. */
  readonly bufferedAmount: number;
  /** Called once it is open. */
  onopen: ((event: never) => void) | null;
  /** Called with each message. */
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  /** Called once, when it has ended. */
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  /** Called before `onclose` when something failed. */
  onerror: ((event: never) => void) | null;
  /** Sends one binary message. */
  send(data: Uint8Array): void;
  /** Starts the closing handshake. */
  close(code?: number): void;
}

/** Settings of a {@link MediaClient}. */
export interface MediaClientOptions {
  /** The relay: absolute, or relative to the page: `/api/media?room=channel:1`. */
  readonly url: string | URL;
  /** Gives a token where no cookie authenticates. */
  readonly getToken?: ((request: TokenRequest) => Promise<string> | string) | undefined;
  /** @defaultValue the browser's */
  readonly WebSocket?: (new (url: string) => MediaSocket) | undefined;
  /** Patience with the socket and with being taken in, ms. @defaultValue 10_000 */
  readonly timeoutMs?: number | undefined;
  /** @defaultValue the page's */
  readonly environment?: Environment | undefined;
  /** @defaultValue the system's */
  readonly clock?: Clock | undefined;
  /** @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
}

/** Whose stream it is. */
export interface RemoteStream {
  readonly stream: number;
  readonly userId: string;
  readonly kind: 'audio' | 'video';
}

/** Media that came. */
export interface RemoteFrame {
  readonly userId: string;
  readonly stream: number;
  readonly kind: 'audio' | 'video';
  readonly codec: MediaCodec;
  readonly keyframe: boolean;
  readonly timestamp: number;
  readonly payload: Uint8Array;
}

/** What a media client tells. */
export interface MediaEvents {
  stateChange: MediaView;
  /** Someone began to send. */
  stream: RemoteStream;
  /** Someone stopped, left, or the connection ended. */
  streamEnded: RemoteStream;
  frame: RemoteFrame;
  /** Whoever looks needs a keyframe of the page's video. */
  keyframeRequest: Record<never, never>;
  /** The relay dropped frames of the page: it sends more than it may. */
  dropped: { readonly audio: number; readonly video: number };
}

/** The connection as it is now. */
export interface MediaView {
  readonly status: LinkStatus;
  /** Failed tries in a row. */
  readonly attempt: number;
  /** Why it is not open: a code of the relay, `timeout`, or empty. */
  readonly reason?: string | undefined;
}

/** What a page sends. */
export type OwnFrame = Pick<MediaFrame, 'codec' | 'keyframe' | 'timestamp' | 'payload'> & {
  readonly kind: 'audio' | 'video';
};

const OPEN = 1;
/** So much may wait in the socket before video is left out: half a second at 4 Mbit/s. */
const MAX_BUFFERED = 262_144;
/** Streams of others that are remembered. */
const MAX_STREAMS = 256;
/** How long after a keyframe was asked for it is asked for again, ms. */
const ASK_AGAIN_MS = 500;

/**
 * One connection of a page to the media relay. Comes back by itself; what was missed is not sent again.
 */
export class MediaClient {
  private readonly driver: Driver<LinkState, LinkInput>;
  private readonly topics = createTopics();
  private readonly options: MediaClientOptions;
  private readonly clock: Clock;
  private readonly streams = new Map<number, RemoteStream>();
  private readonly askedAt = new Map<number, number>();
  private socket: MediaSocket | undefined;
  private unwatch: (() => void) | undefined;
  private needsKeyframe = false;

  constructor(options: MediaClientOptions) {
    const { timeoutMs = 10_000, clock = systemClock, random = Math.random, environment = pageEnvironment } = options;
    this.options = options;
    this.clock = clock;
    this.driver = createDriver<LinkState, LinkInput, LinkEffect>({
      reducer: linkReducer(timeoutMs),
      initial: IDLE_LINK,
      clock,
      random,
      run: (effect) => this.run(effect),
      // A WebSocket that cannot be made, of a bad address: no other try would be better.
      onEffectError: () =>
        this.driver.dispatch({ type: 'lost', gen: this.driver.state.gen, code: 4400, reason: 'url' }),
      onTransition: (from, to) => {
        const runs = to.status !== 'idle' && to.status !== 'closed';
        if (!runs) this.unwatch = void this.unwatch?.();
        else
          this.unwatch ??= environment.watch(
            (signal) => signal === 'online' && this.driver.dispatch({ type: 'online' }),
          );
        if (to.status !== 'open') this.endStreams();
        if (from.status !== to.status || from.attempt !== to.attempt) this.topics.tell('stateChange', viewOf(to));
      },
    });
  }

  /** The connection as it is now. */
  get state(): MediaView {
    return viewOf(this.driver.state);
  }

  /** Starts, unless it is under way. */
  connect(): void {
    this.driver.dispatch({ type: 'connect' });
  }

  /** Ends it. No socket and no timer is left. */
  close(): void {
    this.driver.dispatch({ type: 'close' });
  }

  /** As {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Listens. */
  on<N extends keyof MediaEvents>(event: N, listener: (payload: MediaEvents[N]) => void): Unsubscribe {
    return this.topics.on(event, listener);
  }

  /**
   * Sends a frame.
   *
   * @returns whether it was sent. Video is left out when the socket lags, and then until a keyframe: make one.
   */
  send(frame: OwnFrame): boolean {
    const { socket } = this;
    if (this.driver.state.status !== 'open' || socket?.readyState !== OPEN) return false;
    if (frame.kind === 'video') {
      if (socket.bufferedAmount > MAX_BUFFERED) this.needsKeyframe = true;
      else if (frame.keyframe) this.needsKeyframe = false;
      if (this.needsKeyframe) return false;
    }
    socket.send(buildMediaFrame({ ...frame, stream: 0 }));
    return true;
  }

  /** Asks whoever sends a stream for a keyframe, twice a second at most. */
  requestKeyframe(stream: number): void {
    const now = this.clock.now();
    if (now - (this.askedAt.get(stream) ?? -ASK_AGAIN_MS) < ASK_AGAIN_MS || !this.streams.has(stream)) return;
    this.askedAt.set(stream, now);
    this.put({
      kind: 'keyframeRequest',
      codec: 'none',
      keyframe: false,
      stream,
      timestamp: 0,
      payload: new Uint8Array(),
    });
  }

  private run(effect: LinkEffect): void {
    switch (effect.type) {
      case 'dial':
        this.dial(effect.gen);
        return;
      case 'hangUp': {
        const { socket } = this;
        this.socket = undefined;
        if (!socket) return;
        socket.onopen = socket.onmessage = socket.onclose = null;
        socket.close(1000);
        return;
      }
      case 'authenticate':
        void this.authenticate(effect.gen, effect.refused);
    }
  }

  private dial(gen: number): void {
    const { url, WebSocket = globalThis.WebSocket as unknown as new (url: string) => MediaSocket } = this.options;
    // A page's address is no WebSocket's.
    const socket = new WebSocket(new URL(url, globalThis.location?.href).href.replace(/^http/, 'ws'));
    this.socket = socket;
    this.needsKeyframe = false;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.driver.dispatch({ type: 'opened', gen });
    socket.onmessage = ({ data }) => this.take(gen, data);
    socket.onclose = ({ code, reason }) => this.driver.dispatch({ type: 'lost', gen, code, reason });
    socket.onerror = () => {};
  }

  /** Without a token the cookie of the upgrade has to do. */
  private async authenticate(gen: number, refused: boolean): Promise<void> {
    const { getToken } = this.options;
    if (!getToken) return;
    let token = '';
    try {
      token = await getToken({ refused });
    } catch {
      // The relay's patience ends, and the next try asks again.
    }
    if (token === '' || this.driver.state.gen !== gen || this.driver.state.status !== 'connecting') return;
    const control: MediaControl = { type: 'auth', token };
    const payload = new TextEncoder().encode(JSON.stringify(control));
    this.put({ kind: 'control', codec: 'none', keyframe: false, stream: 0, timestamp: 0, payload });
  }

  private put(frame: MediaFrame): void {
    if (this.socket?.readyState === OPEN) this.socket.send(buildMediaFrame(frame));
  }

  private take(gen: number, data: unknown): void {
    if (gen !== this.driver.state.gen || !(data instanceof ArrayBuffer)) return;
    const parsed = parseMediaFrame(new Uint8Array(data));
    if (parsed.kind !== 'frame') return;
    const { kind, stream: id, ...frame } = parsed.frame;
    if (kind === 'control') {
      this.control(gen, frame.payload);
    } else if (kind === 'keyframeRequest') {
      this.topics.tell('keyframeRequest', {});
    } else {
      const stream = this.streams.get(id);
      if (stream?.kind === kind) this.topics.tell('frame', { ...frame, ...stream, kind });
    }
  }

  private control(gen: number, payload: Uint8Array): void {
    let fields: ReturnType<typeof fieldsOf>;
    try {
      fields = fieldsOf(JSON.parse(new TextDecoder().decode(payload)));
    } catch {
      return;
    }
    const { type, stream: id, kind } = fields;
    if (type === 'ready') {
      this.driver.dispatch({ type: 'ready', gen });
    } else if (type === 'stream' && typeof id === 'number' && (kind === 'audio' || kind === 'video')) {
      if (this.streams.size >= MAX_STREAMS) return;
      const stream: RemoteStream = { stream: id, userId: textOf(fields.userId), kind: kind as RemoteStream['kind'] };
      this.streams.set(id, stream);
      this.topics.tell('stream', stream);
    } else if (type === 'streamEnded') {
      if (typeof id === 'number') this.endStream(id);
    } else if (type === 'dropped') {
      const count = (value: unknown): number => (typeof value === 'number' ? value : 0);
      const dropped = { audio: count(fields.audio), video: count(fields.video) };
      if (dropped.video > 0) this.needsKeyframe = true;
      this.topics.tell('dropped', dropped);
      if (dropped.video > 0) this.topics.tell('keyframeRequest', {});
    }
  }

  private endStream(id: number): void {
    const stream = this.streams.get(id);
    this.streams.delete(id);
    this.askedAt.delete(id);
    if (stream) this.topics.tell('streamEnded', stream);
  }

  private endStreams(): void {
    for (const id of [...this.streams.keys()]) this.endStream(id);
  }
}

function viewOf({ status, attempt, reason }: LinkState): MediaView {
  return { status, attempt, reason };
}
