/** Owns the client's options: defaults, ranges. */
import { type Clock, systemClock } from '@guildkit/core';
import type { CommandQueue } from './commands.js';
import { type Environment, pageEnvironment } from './io/environment.js';
import type { Transport } from './io/transport.js';
import type { WebSocketConstructor } from './io/web-socket-transport.js';

/** Tells `getToken` why it is called. */
export interface TokenRequest {
  /** The hub has refused the last token: a cached one will not do. */
  readonly refused: boolean;
}

/** Where the hub is: a URL, or a transport that knows. */
export type HubAddress =
  | {
      /** The hub: absolute (`ws`, `wss`, `http`, `https`), or relative to the page: `/api/ws`. */
      readonly url: string | URL;
      /** Carries the frames instead of a WebSocket to `url`. */
      readonly transport?: Transport | undefined;
    }
  | { readonly url?: undefined; readonly transport: Transport };

/** Settings of a {@link RealtimeClient}. */
export type RealtimeClientOptions = HubAddress & RealtimeClientSettings;

/** What can be set beside where the hub is. */
export interface RealtimeClientSettings {
  /**
   * Gives the token for `auth`: called on every try, and when the hub asks for a newer one; never twice at a
   * time. Without it only a session cookie can authenticate.
   */
  readonly getToken?: ((request: TokenRequest) => Promise<string> | string) | undefined;
  /**
   * Failed tries in a row before the client waits for `reconnect()`. `Infinity` never waits.
   *
   * @defaultValue what the hub's welcome says, 5 before the first welcome: enough for a restart, few enough not
   * to hammer a hub that is gone.
   */
  readonly maxAttempts?: number | undefined;
  /** @defaultValue the browser's WebSocket, `ws` in Node. */
  readonly WebSocket?: WebSocketConstructor | undefined;
  /**
   * Patience with each answer of the hub: the welcome, the one to `auth`, the one to a subscribe.
   *
   * @defaultValue 10_000: a slow mobile network
   */
  readonly timeoutMs?: number | undefined;
  /** `createCommandQueue()`: lets the client send commands. @defaultValue none: a page that only listens loads less */
  readonly commands?: CommandQueue | undefined;
  /** What the surroundings tell. @defaultValue the page's `online`, `offline`, `visibilitychange` */
  readonly environment?: Environment | undefined;
  /** @defaultValue the system's */
  readonly clock?: Clock | undefined;
  /** Numbers in `[0, 1)` for the jitter. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
}

const DEFAULTS = {
  url: '',
  getToken: undefined,
  maxAttempts: undefined,
  WebSocket: undefined,
  transport: undefined,
  commands: undefined,
  timeoutMs: 10_000,
  environment: pageEnvironment,
  clock: systemClock,
  random: Math.random,
} as const satisfies Required<RealtimeClientOptions>;

type Settled = 'timeoutMs' | 'environment' | 'clock' | 'random';
/** Options with their defaults filled in. */
export type ResolvedOptions = RealtimeClientOptions & {
  readonly [K in Settled]-?: NonNullable<RealtimeClientOptions[K]>;
};

/** @throws TypeError naming the option. */
export function badOption(key: string): never {
  throw new TypeError(`RealtimeClient: bad option "${key}"`);
}

/**
 * Fills in the defaults. Unlike core's `resolveOptions` it knows no table of checks: every byte here is loaded by
 * every page.
 *
 * @throws TypeError naming an option that is unknown or out of range.
 */
export function resolveClientOptions(options: RealtimeClientOptions): ResolvedOptions {
  const resolved: Record<string, unknown> = { ...DEFAULTS };
  for (const [key, value] of Object.entries(options)) {
    // Every number has to be above zero.
    if (!Object.hasOwn(DEFAULTS, key) || (typeof value === 'number' && !(value > 0))) {
      badOption(key);
    }
    resolved[key] = value ?? resolved[key];
  }
  return resolved as unknown as ResolvedOptions;
}
