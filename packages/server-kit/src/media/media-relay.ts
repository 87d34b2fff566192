/** Owns the relay between pages and seats: who may connect, how many, when it ends. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type Clock,
  check,
  GuildkitError,
  type Logger,
  messageOf,
  resolveOptions,
  silentLogger,
  systemClock,
  toLogText,
  type Unsubscribe,
} from '@guildkit/core';
import { MEDIA_MAX_BYTES } from '@guildkit/core/wire';
import { WebSocket, WebSocketServer } from 'ws';
import type { Principal } from '../principal.js';
import {
  type AuthContext,
  bearerOf,
  claimUpgrade,
  isOrigins,
  type OriginRequest,
  type Origins,
  originCheck,
  pathOf,
  refuseUpgrade,
  requestFacts,
} from '../shared/upgrade.js';
import { MEDIA_ERRORS, type MediaErrorCode } from './errors.js';
import { MediaConnection, type MediaCounters, type MediaHost } from './io/media-connection.js';
import type { MediaSeat } from './seat.js';

/** What {@link MediaRelayOptions.takeSeat} looks at beside who asks. */
export interface SeatRequest {
  /** Headers of the upgrade request. */
  readonly headers: Headers;
  /** Path and query of the upgrade request: for instance `?room=channel:10`. */
  readonly url: string;
  /** Fires when the page is gone: nobody waits for the seat any more. */
  readonly signal: AbortSignal;
}

/** Settings of {@link MediaRelay}. */
export interface MediaRelayOptions {
  /** The origins whose pages may connect, as for the hub. */
  readonly origins: Origins;
  /** Says who a connection is, or `null`, as for the hub. */
  readonly authenticate: (context: AuthContext) => Principal | null | Promise<Principal | null>;
  /**
   * Takes a seat for a page, in the room that its request names, if it may be there; `null` when there is none. What it
   * throws is logged, and told as a failure.
   */
  readonly takeSeat: (principal: Principal, request: SeatRequest) => MediaSeat | null | Promise<MediaSeat | null>;
  /** Takes a seat back: the page is gone. Must not throw. */
  readonly releaseSeat?: ((seat: MediaSeat, principal: Principal) => void) | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  /**
   * Time for the `auth` message and for `authenticate` to answer, in ms.
   * @defaultValue 5000
   */
  readonly authTimeoutMs?: number | undefined;
  /**
   * How often the socket is pinged, in ms.
   * @defaultValue 15000
   */
  readonly heartbeatMs?: number | undefined;
  /**
   * Time for the pong, in ms.
   * @defaultValue 10000
   */
  readonly pongTimeoutMs?: number | undefined;
  /**
   * Bits that a page may send each second, and as many at once. Above, its video is dropped.
   * @defaultValue 4000000: 720p and its audio
   */
  readonly maxBitsPerSecond?: number | undefined;
  /**
   * Frames that a page may send each second, and as many at once. Above, it is let go.
   * @defaultValue 240
   */
  readonly maxFramesPerSecond?: number | undefined;
  /**
   * Bytes that may wait for one page. Above, oldest video is dropped first; when no video is left, the page is let go.
   * @defaultValue 1048576
   */
  readonly maxQueuedBytes?: number | undefined;
  /**
   * @defaultValue 2: a page that reconnects, and the one before it
   */
  readonly maxConnectionsPerUser?: number | undefined;
  /**
   * @defaultValue 1000
   */
  readonly maxConnections?: number | undefined;
}

type Settings = { readonly [K in keyof Required<MediaRelayOptions>]: Exclude<MediaRelayOptions[K], undefined> };

const DEFAULTS: Settings = {
  origins: undefined as never,
  authenticate: undefined as never,
  takeSeat: undefined as never,
  releaseSeat: () => {},
  logger: silentLogger,
  clock: systemClock,
  authTimeoutMs: 5_000,
  heartbeatMs: 15_000,
  pongTimeoutMs: 10_000,
  maxBitsPerSecond: 4_000_000,
  maxFramesPerSecond: 240,
  maxQueuedBytes: 1_048_576,
  maxConnectionsPerUser: 2,
  maxConnections: 1_000,
};

/** The relay in numbers. Counters only grow. */
export interface MediaStats {
  readonly connections: number;
  readonly users: number;
  /** Counter: frames of pages handed to seats. */
  readonly audioIn: number;
  readonly videoIn: number;
  /** Counter: frames of seats handed to pages. */
  readonly audioOut: number;
  readonly videoOut: number;
  /** Counter: video of pages over their bitrate. */
  readonly videoInDropped: number;
  /** Counter: video for pages that read too slowly. */
  readonly videoOutDropped: number;
  /** Counter: closes by the relay, by close code. */
  readonly closes: Readonly<Record<string, number>>;
  /** Counter: what went wrong, by code. Every code is listed. */
  readonly errors: Readonly<Record<MediaErrorCode, number>>;
}

/** ws closes an oversized message with 1009 by itself; the protocol has a code of its own for that. */
class MediaSocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    if (code === 1009) super.close(4413, 'ERR_MEDIA_FRAME_TOO_LARGE');
    else super.close(code, reason);
  }
}

/** Sockets whose close nobody answered are ended after this long. */
const CLOSE_GRACE_MS = 2_000;

/**
 * Carries encoded audio and video between pages and their seats.
 *
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { MediaRelay, type MediaSeat } from '@guildkit/server-kit/media';
 *
 * declare function freeSeat(userId: string): Promise<MediaSeat | null>;
 * const relay = new MediaRelay({
 *   origins: ['https://app.example'],
 *   authenticate: ({ token }) => (token === 'secret' ? { userId: '1', roles: [], expiresAt: Infinity } : null),
 *   takeSeat: ({ userId }) => freeSeat(userId),
 * });
 * const server = createServer();
 * relay.attach(server, '/api/media');
 * ```
 */
export class MediaRelay {
  private readonly settings: Settings;
  private readonly isOriginAllowed: ReturnType<typeof originCheck>;
  private readonly upgrader: WebSocketServer;
  private readonly connections = new Set<MediaConnection>();
  private readonly users = new Map<string, Set<MediaConnection>>();
  private readonly detachers = new Set<Unsubscribe>();
  private readonly closes: Record<string, number> = {};
  private readonly errors = Object.fromEntries(Object.keys(MEDIA_ERRORS).map((code) => [code, 0])) as Record<
    MediaErrorCode,
    number
  >;
  private readonly counters: MediaCounters;
  private closing: Promise<void> | undefined;
  private onEmpty: (() => void) | undefined;

  /** @throws TypeError on options that are unknown, missing or out of range. */
  constructor(options: MediaRelayOptions) {
    this.settings = resolveOptions<Settings>('MediaRelay', DEFAULTS, options, {
      origins: isOrigins,
      authenticate: check.function(),
      takeSeat: check.function(),
      releaseSeat: check.function(),
      authTimeoutMs: check.integer(1, 600_000),
      heartbeatMs: check.integer(1, 600_000),
      pongTimeoutMs: check.integer(1, 600_000),
      maxBitsPerSecond: check.integer(8_000),
      maxFramesPerSecond: check.integer(1, 100_000),
      maxQueuedBytes: check.integer(MEDIA_MAX_BYTES),
      maxConnectionsPerUser: check.integer(1),
      maxConnections: check.integer(1),
    });
    this.isOriginAllowed = originCheck(this.settings.origins);
    this.upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // Media is compressed already.
      perMessageDeflate: false,
      maxPayload: MEDIA_MAX_BYTES,
      WebSocket: MediaSocket,
    });
    this.counters = {
      audioIn: 0,
      audioOut: 0,
      videoIn: 0,
      videoOut: 0,
      videoInDropped: 0,
      videoOutDropped: 0,
      error: (code) => {
        this.errors[code] += 1;
      },
      close: (code) => {
        this.closes[code] = (this.closes[code] ?? 0) + 1;
      },
    };
  }

  /**
   * Serves a path of a server. Upgrades to other paths are left alone.
   *
   * @returns Stops serving; open connections stay.
   * @throws TypeError on a path that is none, or after {@link close}.
   */
  attach(server: Server, path: string): Unsubscribe {
    if (this.closing !== undefined) throw new TypeError('MediaRelay.attach: the relay is closed');
    if (typeof path !== 'string' || !path.startsWith('/')) {
      throw new TypeError('MediaRelay.attach: the path must start with "/"');
    }
    const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      if (pathOf(request) === path && claimUpgrade(socket)) this.onUpgrade(request, socket, head);
    };
    server.on('upgrade', onUpgrade);
    const detach = (): void => {
      server.off('upgrade', onUpgrade);
      this.detachers.delete(detach);
    };
    this.detachers.add(detach);
    return detach;
  }

  /** The relay in numbers. */
  stats(): MediaStats {
    const { error: _, close: __, ...numbers } = this.counters;
    const [closes, errors] = [{ ...this.closes }, { ...this.errors }];
    return { connections: this.connections.size, users: this.users.size, ...numbers, closes, errors };
  }

  /** Closes every connection with 4503 and gives back the seats. Idempotent; resolves when no socket and no timer is left. */
  close(): Promise<void> {
    this.closing ??= Promise.resolve().then(() => this.drain());
    return this.closing;
  }

  /** As {@link close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async drain(): Promise<void> {
    const { clock } = this.settings;
    for (const connection of [...this.connections]) connection.drain();
    if (this.connections.size > 0) {
      const empty = new Promise<void>((resolve) => {
        this.onEmpty = resolve;
      });
      const timer = clock.setTimer(() => {
        for (const connection of [...this.connections]) connection.terminate();
      }, CLOSE_GRACE_MS);
      await empty;
      clock.clearTimer(timer);
    }
    for (const detach of [...this.detachers]) detach();
    this.upgrader.close();
  }

  private onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { logger, maxConnections } = this.settings;
    const requestId = randomUUID();
    const facts = requestFacts(request);
    const { origin } = request.headers;
    const refuse = (status: 403 | 503, code: MediaErrorCode): void => {
      this.errors[code] += 1;
      logger.warn({ requestId, status, code, origin: toLogText(origin ?? '') }, 'media refuses an upgrade');
      refuseUpgrade(
        socket,
        status,
        { code, message: MEDIA_ERRORS[code].message },
        requestId,
        status === 503 ? 5 : undefined,
      );
    };
    if (!this.allows(origin, facts)) refuse(403, 'ERR_MEDIA_ORIGIN_FORBIDDEN');
    else if (this.closing !== undefined) refuse(503, 'ERR_MEDIA_DRAINING');
    else if (this.connections.size >= maxConnections) refuse(503, 'ERR_MEDIA_CONNECTION_LIMIT');
    else {
      this.upgrader.handleUpgrade(request, socket, head, (ws) => {
        this.connections.add(new MediaConnection(randomUUID(), ws, this.hostOf(facts)));
      });
    }
  }

  private allows(origin: string | undefined, facts: OriginRequest): boolean {
    try {
      return this.isOriginAllowed(origin, facts) === true;
    } catch (error) {
      this.settings.logger.warn({ error: toLogText(messageOf(error)) }, 'media origins failed');
      return false;
    }
  }

  private hostOf(facts: OriginRequest): MediaHost {
    const { settings, counters } = this;
    const { clock, logger, takeSeat, releaseSeat, maxConnectionsPerUser } = settings;
    const gone = new AbortController();
    return {
      limits: settings,
      counters,
      logger,
      clock,
      authenticate: (token) => {
        const { headers, url } = facts;
        return this.authenticate({ token: token ?? bearerOf(headers), headers, url });
      },
      admit: (connection, userId) => {
        const mine = this.users.get(userId) ?? new Set();
        if (mine.size >= maxConnectionsPerUser) return false;
        this.users.set(userId, mine.add(connection));
        return true;
      },
      takeSeat: async (principal) => {
        const { headers, url } = facts;
        return (await takeSeat(principal, { headers, url, signal: gone.signal })) ?? undefined;
      },
      releaseSeat,
      release: (connection, userId) => {
        const mine = this.users.get(userId);
        mine?.delete(connection);
        if (mine?.size === 0) this.users.delete(userId);
      },
      closed: (connection) => {
        gone.abort();
        this.connections.delete(connection);
        if (this.connections.size === 0) this.onEmpty?.();
      },
    };
  }

  private async authenticate(
    context: AuthContext,
  ): Promise<{ readonly principal: Principal } | { readonly unavailable: boolean }> {
    const { authenticate, logger } = this.settings;
    try {
      const principal = await authenticate(context);
      if (principal === null) return { unavailable: false };
      if (typeof principal?.userId === 'string' && !Number.isNaN(Number(principal.expiresAt))) return { principal };
      logger.error({}, 'media authenticate gave neither a principal nor null');
      return { unavailable: true };
    } catch (error) {
      logger.warn({ error: toLogText(messageOf(error)) }, 'media authenticate failed');
      return { unavailable: !(GuildkitError.is(error) && !error.retryable) };
    }
  }
}
