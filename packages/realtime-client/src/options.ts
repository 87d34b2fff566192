/** Owns the client's options: defaults, ranges. */
import { type Clock, check, type OptionChecks, resolveOptions, systemClock } from '@guildkit/core';
import { type Environment, pageEnvironment } from './io/environment.js';
import type { Transport } from './io/transport.js';
import type { WebSocketConstructor } from './io/web-socket-transport.js';

/** Tells `getToken` why it is called. */
export interface TokenRequest {
  /** The hub has refused the last token: a cached one will not do. */
  readonly refused: boolean;
}

/** What the client asks of a schema: zod, zod/mini and many others fit. */
export interface PayloadSchema {
  safeParse(value: unknown): { readonly success: boolean };
}

/** Settings of a {@link RealtimeClient}. */
export interface RealtimeClientOptions {
  /** The hub: absolute (`ws`, `wss`, `http`, `https`), or relative to the page: `/api/ws`. */
  readonly url: string | URL;
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
  /** Carries the frames instead of a WebSocket to `url`. */
  readonly transport?: Transport | undefined;
  /**
   * Schemas by event name that payloads must pass: `{ ...roomEventSchemas, ...controlEventSchemas }` of
   * `@guildkit/core/wire/schema`. Without them the client checks what it reads itself.
   */
  readonly validate?: Readonly<Record<string, PayloadSchema>> | undefined;
  /** From dialling to the welcome, and again to the answer to `auth`. @defaultValue 10_000: a slow mobile network */
  readonly connectTimeoutMs?: number | undefined;
  /** For the answer to a subscribe. @defaultValue 10_000 */
  readonly subscribeTimeoutMs?: number | undefined;
  /** How long a connection lasts before failed tries are forgotten. @defaultValue 5_000: a hub that crashes on connect must not look alive */
  readonly stableAfterMs?: number | undefined;
  /** How long a room is kept after the last one closed it. @defaultValue 500: a page change, React's Strict Mode */
  readonly roomLingerMs?: number | undefined;
  /** What the surroundings tell. @defaultValue the page's `online`, `offline`, `visibilitychange`, `pageshow` */
  readonly environment?: Environment | undefined;
  /** @defaultValue the system's */
  readonly clock?: Clock | undefined;
  /** Numbers in `[0, 1)` for the jitter. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
}

type Settled =
  | 'connectTimeoutMs'
  | 'subscribeTimeoutMs'
  | 'stableAfterMs'
  | 'roomLingerMs'
  | 'environment'
  | 'clock'
  | 'random';
/** Options with their defaults filled in. */
export type ResolvedOptions = {
  readonly [K in keyof RealtimeClientOptions]-?: K extends Settled
    ? NonNullable<RealtimeClientOptions[K]>
    : RealtimeClientOptions[K];
};

const DEFAULTS = {
  url: '',
  getToken: undefined,
  maxAttempts: undefined,
  WebSocket: undefined,
  transport: undefined,
  validate: undefined,
  connectTimeoutMs: 10_000,
  subscribeTimeoutMs: 10_000,
  stableAfterMs: 5_000,
  roomLingerMs: 500,
  environment: pageEnvironment,
  clock: systemClock,
  random: Math.random,
} as const satisfies ResolvedOptions;

const CHECKS: OptionChecks<ResolvedOptions> = {
  url: (value) => (value instanceof URL || (typeof value === 'string' && value !== '') ? undefined : 'must be a URL'),
  getToken: check.optional(check.function()),
  maxAttempts: check.optional(check.number(1, Number.POSITIVE_INFINITY)),
  connectTimeoutMs: check.number(1, 600_000),
  subscribeTimeoutMs: check.number(1, 600_000),
  stableAfterMs: check.number(0, 600_000),
  roomLingerMs: check.number(0, 600_000),
};

/**
 * Fills in the defaults.
 *
 * @throws TypeError naming an option that is unknown or out of range.
 */
export function resolveClientOptions(options: RealtimeClientOptions): ResolvedOptions {
  return resolveOptions<ResolvedOptions>('RealtimeClient', DEFAULTS, options, CHECKS);
}
