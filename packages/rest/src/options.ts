/** Owns what a caller may pass: the client's options with their defaults, and those of one request. */
import {
  type Clock,
  check,
  type Logger,
  type OptionCheck,
  type OptionChecks,
  type Redacted,
  resolveOptions,
  silentLogger,
  systemClock,
} from '@guildkit/core';
import type { Dispatcher } from 'undici';
import type { RestInstrumentation } from './instrumentation.js';
import type { Transport } from './io/transport.js';
import type { RateLimitStore } from './rate-limit-store.js';

/** Options of `DiscordRestClient`. */
export interface DiscordRestClientOptions {
  /** Bot token, without the word `Bot`. Requests with `auth: 'bot'` need it. */
  readonly token?: string | Redacted | undefined;
  /** Guild that methods use when none is named. */
  readonly guildId?: string | undefined;
  /** Base of the API with its version: a sandbox's or a proxy's. @defaultValue `https://discord.com/api/v10` */
  readonly apiBase?: string | undefined;
  /** Retries after 5xx and network failures. @defaultValue `3` */
  readonly maxRetries?: number | undefined;
  /** Deadline of a request with its queue, retries and body, in ms. @defaultValue `60_000`, as a burst may queue for long */
  readonly requestTimeoutMs?: number | undefined;
  /** Deadline of one attempt, in ms. @defaultValue `15_000`, so that one stalled attempt leaves room for another */
  readonly attemptTimeoutMs?: number | undefined;
  /** The bot's global limit. @defaultValue `50`, Discord's own; raise it only where Discord raised it */
  readonly globalRequestsPerSecond?: number | undefined;
  /** Limits shared with other processes that use the token. @defaultValue none: this process alone */
  readonly rateLimitStore?: RateLimitStore | undefined;
  /** Invalid requests (401, 403, 429) in ten minutes at which Discord bans; at 95 % of it nothing is sent. @defaultValue `10_000` */
  readonly invalidRequestLimit?: number | undefined;
  /** Requests that may be going on or wait at once. @defaultValue `50_000` */
  readonly maxQueuedRequests?: number | undefined;
  /** Largest answer read, in bytes. @defaultValue `16_777_216`, above any list of Discord's */
  readonly maxResponseBytes?: number | undefined;
  /** Sockets at most, with the transport of Node. @defaultValue `64` */
  readonly maxConnections?: number | undefined;
  /** A bucket unused for so long is forgotten, in ms. @defaultValue `60_000` */
  readonly bucketIdleMs?: number | undefined;
  /** URL and version of your app, for the User-Agent that Discord asks for. */
  readonly userAgent?: { readonly url: string; readonly version: string } | undefined;
  /**
   * How requests leave the process: `undici` (Node), `fetch` (other runtimes), or your own.
   * @defaultValue `undici`, with a keep-alive pool of its own, as it costs the least
   */
  readonly transport?: 'undici' | 'fetch' | Transport | undefined;
  /** An undici dispatcher, such as a `ProxyAgent`, for the undici transport. You close it. */
  readonly dispatcher?: Dispatcher | undefined;
  /** Hooks for spans. @defaultValue none */
  readonly instrumentation?: RestInstrumentation | undefined;
  readonly logger?: Logger | undefined;
  /** For tests. */
  readonly clock?: Clock | undefined;
  /** For tests: numbers in `[0, 1)`. */
  readonly random?: (() => number) | undefined;
}

/** Options with their defaults filled in. */
export interface ResolvedOptions {
  readonly token: string | Redacted | undefined;
  readonly guildId: string | undefined;
  readonly apiBase: string;
  readonly maxRetries: number;
  readonly requestTimeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly globalRequestsPerSecond: number;
  readonly rateLimitStore: RateLimitStore | undefined;
  readonly invalidRequestLimit: number;
  readonly maxQueuedRequests: number;
  readonly maxResponseBytes: number;
  readonly maxConnections: number;
  readonly bucketIdleMs: number;
  readonly userAgent: { readonly url: string; readonly version: string } | undefined;
  readonly transport: 'undici' | 'fetch' | Transport;
  readonly dispatcher: Dispatcher | undefined;
  readonly instrumentation: RestInstrumentation | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
}

const DEFAULTS = {
  token: undefined,
  guildId: undefined,
  apiBase: 'https://discord.com/api/v10',
  maxRetries: 3,
  requestTimeoutMs: 60_000,
  attemptTimeoutMs: 15_000,
  globalRequestsPerSecond: 50,
  rateLimitStore: undefined,
  invalidRequestLimit: 10_000,
  maxQueuedRequests: 50_000,
  maxResponseBytes: 16_777_216,
  maxConnections: 64,
  bucketIdleMs: 60_000,
  userAgent: undefined,
  transport: 'undici',
  dispatcher: undefined,
  instrumentation: undefined,
  logger: silentLogger,
  clock: systemClock,
  random: Math.random,
} as const satisfies ResolvedOptions;

const checkMethods =
  (...names: readonly string[]): OptionCheck =>
  (value) =>
    names.every((name) => typeof (value as Record<string, unknown> | null)?.[name] === 'function')
      ? undefined
      : `must have the methods ${names.join(', ')}`;

const CHECKS: OptionChecks<ResolvedOptions> = {
  token: (value) =>
    value === undefined || checkMethods('reveal')(value) === undefined || isToken(value)
      ? undefined
      : 'must be a bot token: printable text without spaces, without the word "Bot"',
  guildId: (value) =>
    value === undefined || isSnowflake(value) ? undefined : 'must be a snowflake: digits in a string',
  apiBase: (value) => check.httpUrl()(URL.canParse(String(value)) ? value : undefined),
  maxRetries: check.integer(0, 20),
  requestTimeoutMs: check.integer(1, 86_400_000),
  attemptTimeoutMs: check.integer(1, 86_400_000),
  globalRequestsPerSecond: check.integer(1, 1_000_000),
  invalidRequestLimit: check.integer(1, 10_000_000),
  maxQueuedRequests: check.integer(1),
  maxResponseBytes: check.integer(1),
  maxConnections: check.integer(1, 65_535),
  bucketIdleMs: check.integer(1),
  random: check.function(),
  rateLimitStore: check.optional((value) =>
    typeof (value as { take?: unknown } | null)?.take === 'function' ? undefined : 'must be a RateLimitStore',
  ),
  userAgent: check.optional((value) => {
    const { url, version } = (value ?? {}) as { url?: unknown; version?: unknown };
    return typeof url === 'string' && typeof version === 'string' ? undefined : 'must be { url, version }';
  }),
  logger: checkMethods('debug', 'info', 'warn', 'error'),
  clock: checkMethods('now', 'wallTime', 'setTimer', 'clearTimer'),
  transport: (value) =>
    value === 'undici' || value === 'fetch' || isTransport(value)
      ? undefined
      : 'must be "undici", "fetch" or a Transport',
  instrumentation: check.optional((value) =>
    typeof value === 'object' && value !== null ? undefined : 'must be an object of hooks',
  ),
  dispatcher: check.optional((value) =>
    typeof (value as { dispatch?: unknown } | null)?.dispatch === 'function'
      ? undefined
      : 'must be an undici dispatcher',
  ),
};

/**
 * Fills in defaults.
 *
 * @throws TypeError naming the option.
 */
export function resolveClientOptions(options: DiscordRestClientOptions | undefined): ResolvedOptions {
  return resolveOptions<ResolvedOptions>('DiscordRestClient', DEFAULTS, options, CHECKS);
}

/** Methods that Discord's API has. */
export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** In whose name a request is made. `none` for OAuth2 and webhook routes that carry their own secret. */
export type Auth =
  | 'bot'
  | 'none'
  | { readonly bearer: string | Redacted }
  | { readonly basic: { readonly id: string; readonly secret: string | Redacted } };

/** Checks an answer: a zod schema fits. */
export interface ResponseSchema {
  /** Returns what the caller gets; throws when the answer is something else. */
  parse(value: unknown): unknown;
}

/** What every method takes as its last argument. */
export interface CallOptions {
  /** Shown in the guild's audit log, at most 512 characters. */
  readonly reason?: string | undefined;
  /** Ends the request at once, wherever it is. */
  readonly signal?: AbortSignal | undefined;
  /** Deadline with queue, retries and body, in ms. @defaultValue the client's `requestTimeoutMs` */
  readonly timeoutMs?: number | undefined;
  /** Checks the answer before the caller gets it; a failure is `ERR_REST_RESPONSE_MALFORMED`. */
  readonly schema?: ResponseSchema | undefined;
}

/** A file to upload. */
export interface RequestFile {
  /** File name, as it will be shown. */
  readonly name: string;
  readonly data: Uint8Array | string;
  /** Media type. @defaultValue `application/octet-stream` */
  readonly contentType?: string | undefined;
  /** Form field. @defaultValue `files[n]` */
  readonly field?: string | undefined;
}

/** Value of a query parameter; an array is sent as a repeated one. */
export type QueryValue = string | number | boolean | readonly (string | number)[] | undefined;

/** Options of `DiscordRestClient.request`. */
export interface RequestOptions extends CallOptions {
  /** Sent as JSON, or as `payload_json` beside files. */
  readonly body?: unknown;
  /** Sent as a form, for the OAuth2 routes. */
  readonly form?: Readonly<Record<string, string | undefined>> | undefined;
  readonly query?: Readonly<Record<string, QueryValue>> | undefined;
  readonly files?: readonly RequestFile[] | undefined;
  /** @defaultValue `bot` */
  readonly auth?: Auth | undefined;
  /**
   * Whether it may be sent again when it is unknown what became of the first try.
   * @defaultValue every method but POST, and messages with `nonce` and `enforce_nonce`
   */
  readonly repeatable?: boolean | undefined;
}

const REQUEST_DEFAULTS = {
  body: undefined,
  form: undefined,
  query: undefined,
  files: undefined,
  auth: undefined,
  repeatable: undefined,
  reason: undefined,
  signal: undefined,
  timeoutMs: undefined,
  schema: undefined,
} as const;

const REQUEST_CHECKS: OptionChecks<RequestOptions> = {
  timeoutMs: check.optional(check.integer(1, 86_400_000)),
  repeatable: check.optional(check.boolean()),
  auth: check.optional((value) =>
    value === 'bot' ||
    value === 'none' ||
    (typeof value === 'object' && value !== null && ('bearer' in value || 'basic' in value))
      ? undefined
      : 'must be "bot", "none", { bearer } or { basic }',
  ),
};

/** Throws for an unknown or out-of-range option of one request. */
export function checkRequestOptions(options: RequestOptions | undefined): RequestOptions {
  if (options === undefined) return REQUEST_DEFAULTS;
  return resolveOptions<RequestOptions>('request', REQUEST_DEFAULTS, options, REQUEST_CHECKS);
}

function isTransport(value: unknown): boolean {
  return typeof (value as { send?: unknown } | null)?.send === 'function';
}

function isToken(value: unknown): boolean {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
}

function isSnowflake(value: unknown): boolean {
  return typeof value === 'string' && /^\d{1,20}$/.test(value);
}
