/** Owns the client's options: defaults, ranges. */
import { type Clock, systemClock } from '@guildkit/core';
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
  /** Says whether a value fits; never throws. */
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
  /** What the surroundings tell. @defaultValue the page's `online`, `offline`, `visibilitychange` */
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
export type ResolvedOptions = RealtimeClientOptions & {
  readonly [K in Settled]-?: NonNullable<RealtimeClientOptions[K]>;
};

const DEFAULTS = {
  connectTimeoutMs: 10_000,
  subscribeTimeoutMs: 10_000,
  stableAfterMs: 5_000,
  roomLingerMs: 500,
  environment: pageEnvironment,
  clock: systemClock,
  random: Math.random,
} as const satisfies Pick<ResolvedOptions, Settled>;

/**
 * Fills in the defaults. Unlike core's `resolveOptions` it knows no table of checks: every byte here is loaded by
 * every page.
 *
 * @throws TypeError naming an option that is out of range.
 */
export function resolveClientOptions(options: RealtimeClientOptions): ResolvedOptions {
  const resolved: Record<string, unknown> = { ...DEFAULTS };
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const isFine = key === 'maxAttempts' ? Number(value) >= 1 : !key.endsWith('Ms') || (value >= 0 && value <= 600_000);
    if (!isFine) throw new TypeError(`RealtimeClient: option "${key}" is out of range`);
    resolved[key] = value;
  }
  return resolved as unknown as ResolvedOptions;
}
