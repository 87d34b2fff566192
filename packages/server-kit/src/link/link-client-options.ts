/** Owns the settings of the app's end of the link, and the shapes that it takes and tells. */
import {
  type Clock,
  check,
  type DomainEvent,
  type Logger,
  Redacted,
  resolveOptions,
  silentLogger,
  systemClock,
} from '@guildkit/core';
import { WebSocket } from 'ws';
import type { LinkError, LinkErrorCode } from './errors.js';
import type { LinkLimits, LinkState } from './protocol/link-client.js';

/** Settings of `LinkClient`. */
export interface LinkClientOptions {
  /** `LINK_URL`, `ws:` or `wss:`. */
  readonly url: string;
  /** `LINK_TOKEN`, or a function that reads it: before each try, so that a changed one is noticed. */
  readonly token: string | Redacted | (() => string | Redacted | Promise<string | Redacted>);
  /** Takes an event; `hub.publishDiscordEvent` fits. When it throws, or answers `'failed'`, a snapshot is asked for. */
  readonly onEvent: (event: DomainEvent) => unknown;
  /** Commands that may wait for their results. @defaultValue 1000 */
  readonly maxCommands?: number | undefined;
  /** How long each may, in ms. @defaultValue 10000 */
  readonly commandTimeoutMs?: number | undefined;
  /** From dialling to the first frame, in ms. @defaultValue 10000 */
  readonly connectTimeoutMs?: number | undefined;
  /** @defaultValue 5000 */
  readonly pingIntervalMs?: number | undefined;
  /** @defaultValue 5000 */
  readonly pongTimeoutMs?: number | undefined;
  /** Upper bound of the first delay between tries, in ms; doubles. @defaultValue 1000 */
  readonly backoffBaseMs?: number | undefined;
  /** Largest delay between tries, in ms. @defaultValue 30000 */
  readonly backoffCapMs?: number | undefined;
  /** Largest frame of the service, in bytes: a snapshot of its guilds. @defaultValue 67108864 */
  readonly maxFrameBytes?: number | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  /** Numbers in `[0, 1)`, for delays. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
  /** Opens sockets; for tests. @defaultValue `ws` */
  readonly createSocket?:
    | ((
        url: string,
        options: { headers: Record<string, string>; maxPayload: number; perMessageDeflate: false },
      ) => LinkSocket)
    | undefined;
}

/** What is asked of a socket: a part of `ws`. */
export interface LinkSocket {
  /** It is open. */
  on(event: 'open', listener: () => void): unknown;
  /** A frame has come. */
  on(event: 'message', listener: (data: { toString(): string }, isBinary: boolean) => void): unknown;
  /** It is closed; nothing comes after. */
  on(event: 'close', listener: (code: number) => void): unknown;
  /** It failed; `close` follows. */
  on(event: 'error', listener: (error: Error) => void): unknown;
  /** The upgrade was answered with something else. */
  on(
    event: 'unexpected-response',
    listener: (request: unknown, response: { statusCode?: number | undefined }) => void,
  ): unknown;
  /** Sends a text frame. */
  send(text: string): void;
  /** Ends it at once. */
  terminate(): void;
}

/** What may be said with a command. */
export interface CommandOptions {
  /** The same id is carried out once, whatever happens to the link. @defaultValue a new one */
  readonly requestId?: string | undefined;
  /** @defaultValue the request id */
  readonly traceId?: string | undefined;
  /** For whom: a user id. */
  readonly actor?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a link tells of. */
export interface LinkClientEvents {
  stateChange: { readonly from: LinkState['phase']; readonly to: LinkState['phase'] };
  /** Discord's rate limit was hit. */
  rateLimited: { readonly retryAfterMs: number; readonly requestId: string | undefined };
  /** Trouble that operators should know of; nothing has to be done. */
  error: { readonly error: LinkError };
}

/** What was counted. */
export interface LinkClientStats {
  readonly phase: LinkState['phase'];
  readonly pending: number;
  readonly connects: number;
  readonly events: number;
  readonly errors: Readonly<Partial<Record<LinkErrorCode, number>>>;
}

/** Options with their defaults. */
export interface LinkClientSettings extends LinkLimits {
  readonly url: string;
  readonly token: LinkClientOptions['token'];
  readonly onEvent: LinkClientOptions['onEvent'] | undefined;
  readonly maxFrameBytes: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly createSocket: NonNullable<LinkClientOptions['createSocket']>;
}

const DEFAULTS: Omit<LinkClientSettings, 'stableMs'> = {
  url: '',
  token: '',
  onEvent: undefined,
  maxCommands: 1_000,
  commandTimeoutMs: 10_000,
  connectTimeoutMs: 10_000,
  pingIntervalMs: 5_000,
  pongTimeoutMs: 5_000,
  backoffBaseMs: 1_000,
  backoffCapMs: 30_000,
  maxFrameBytes: 67_108_864,
  logger: silentLogger,
  clock: systemClock,
  random: Math.random,
  createSocket: (url, options) => new WebSocket(url, options),
};

/** A connection that lasted so long was a good one. */
const STABLE_MS = 5_000;

/** Checks options and fills in the defaults. @throws TypeError on options out of range. */
export function resolveLinkClientOptions(options: LinkClientOptions): LinkClientSettings {
  const settings = resolveOptions<typeof DEFAULTS>('LinkClient', DEFAULTS, options, {
    url: (value) =>
      typeof value === 'string' && /^wss?:\/\/[^\s/?#]+/.test(value) ? undefined : 'must be a ws or wss URL',
    onEvent: check.function(),
    maxCommands: check.integer(1),
    commandTimeoutMs: check.integer(1),
    connectTimeoutMs: check.integer(1),
    pingIntervalMs: check.integer(1),
    pongTimeoutMs: check.integer(1),
    backoffBaseMs: check.integer(1),
    backoffCapMs: check.integer(1),
    maxFrameBytes: check.integer(1_024),
  });
  const { token } = settings;
  // A text among the fields would be shown by whatever prints them.
  return { ...settings, token: typeof token === 'string' ? new Redacted(token) : token, stableMs: STABLE_MS };
}
