/** Owns the client's options: their shape, their defaults, their checks. */
import {
  type BackoffPolicy,
  type Clock,
  check,
  type Logger,
  messageOf,
  type OptionCheck,
  resolveOptions,
  silentLogger,
  systemClock,
} from '@guildkit/core';
import type { APIGatewayBotInfo, GatewayPresenceUpdateData } from 'discord-api-types/v10';
import type { GatewayInstrumentation } from './instrumentation.js';
import type { IdentifyQueue } from './io/identify-queue.js';
import type { SessionStore } from './io/session-store.js';
import { type OpenSocket, openSocket } from './io/socket.js';
import { presencePayload } from './payloads.js';
import { type GatewayIntentName, INTENTS } from './protocol/intents.js';
import { MAX_SHARDS, SESSION_RULES, type SessionRules } from './protocol/session-rules.js';
import { isSnowflake } from './protocol/snowflake.js';

/** Which shards this process runs. */
export type ShardsOption = 'auto' | number | { readonly ids: readonly number[]; readonly count: number };

/** How the gateway's messages are compressed (Discord docs, Gateway: Transport Compression). */
export type CompressionName = 'zlib-stream' | 'zstd-stream' | 'none';

/** Options of `DiscordGatewayClient`. */
export interface DiscordGatewayClientOptions {
  /** Bot token, without `Bot `. */
  readonly token: string;
  /** Intents by name or as a bit set (Discord docs, Gateway: Gateway Intents). */
  readonly intents: number | readonly GatewayIntentName[];
  /** Address of the REST API with its version. @defaultValue `'https://discord.com/api/v10'` */
  readonly apiBase?: string | undefined;
  /** Guilds that `connect()` waits for and that domain events are made of. @defaultValue all */
  readonly guildId?: string | readonly string[] | undefined;
  /**
   * Whether `onEvent` is used. `false` spares the parsing of voice and channel dispatches that nobody listens to.
   * @defaultValue `true`
   */
  readonly domainEvents?: boolean | undefined;
  /** Where the gateway is. @defaultValue `GET {apiBase}/gateway/bot` */
  readonly fetchGatewayInfo?: (() => Promise<APIGatewayBotInfo>) | undefined;
  /** @defaultValue `'auto'`: as many as Discord recommends */
  readonly shards?: ShardsOption | undefined;
  /**
   * Trades work for bytes. `'zlib-stream'` runs in Node only; `'zstd-stream'` everywhere, fast from Node 22.15 on.
   * @defaultValue `'none'`: it costs the least CPU
   */
  readonly compression?: CompressionName | undefined;
  /** Keeps sessions for `detach()`. @defaultValue in memory, gone with the client */
  readonly sessionStore?: SessionStore | undefined;
  /** Says which shard may identify. @defaultValue a queue of this client alone */
  readonly identifyQueue?: IdentifyQueue | undefined;
  /** Presence to start with. @defaultValue none: online, no activity */
  readonly presence?: GatewayPresenceUpdateData | undefined;
  /** Members above which GUILD_CREATE leaves out those who are offline, 50 to 250. @defaultValue 50, as Discord's */
  readonly largeThreshold?: number | undefined;
  /** Delays between tries to connect. @defaultValue 1 s doubling to 30 s, full jitter, at least 250 ms */
  readonly backoff?: BackoffPolicy | undefined;
  /** Failed tries in a row that raise `alert`. @defaultValue 5 */
  readonly alertAfterAttempts?: number | undefined;
  /** Time without a connection that raises `degraded`, ms. @defaultValue 300000 */
  readonly degradedAfterMs?: number | undefined;
  /** How long `send()` may wait for a connection or for the send limit, ms. @defaultValue 90000 */
  readonly sendTimeoutMs?: number | undefined;
  /** How many sends may wait. @defaultValue 1000 */
  readonly maxQueuedSends?: number | undefined;
  /** How long `connect()` waits for guilds after READY, ms; those that are unavailable longer are not waited for. @defaultValue 15000 */
  readonly guildsTimeoutMs?: number | undefined;
  /** Hooks for spans. @defaultValue none, at no cost */
  readonly instrumentation?: GatewayInstrumentation | undefined;
  /** pino's shape. @defaultValue silent */
  readonly logger?: Logger | undefined;
  /** Source of time. @defaultValue the machine's */
  readonly clock?: Clock | undefined;
  /** Source of jitter, `[0, 1)`. @defaultValue `Math.random` */
  readonly random?: (() => number) | undefined;
  /** Opens sockets. @defaultValue isomorphic-ws */
  readonly openSocket?: OpenSocket | undefined;
}

/** Options of `DiscordGatewayClient.send`. */
export interface SendOptions {
  /** @defaultValue the first shard of this client */
  readonly shardId?: number | undefined;
  /** Withdraws a payload that still waits. */
  readonly signal?: AbortSignal | undefined;
}

/** What the options come to. */
export interface Settings {
  readonly token: string;
  readonly intents: number | readonly GatewayIntentName[];
  readonly apiBase: string;
  readonly guildId: string | readonly string[] | undefined;
  readonly domainEvents: boolean;
  readonly fetchGatewayInfo: (() => Promise<APIGatewayBotInfo>) | undefined;
  readonly shards: ShardsOption;
  readonly compression: CompressionName;
  readonly sessionStore: SessionStore | undefined;
  readonly identifyQueue: IdentifyQueue | undefined;
  readonly presence: GatewayPresenceUpdateData | undefined;
  readonly largeThreshold: number;
  readonly backoff: BackoffPolicy;
  readonly alertAfterAttempts: number;
  readonly degradedAfterMs: number;
  readonly sendTimeoutMs: number;
  readonly maxQueuedSends: number;
  readonly guildsTimeoutMs: number;
  readonly instrumentation: GatewayInstrumentation | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly openSocket: OpenSocket;
}

const DEFAULTS = {
  token: '',
  intents: 0,
  apiBase: 'https://discord.com/api/v10',
  guildId: undefined,
  domainEvents: true,
  fetchGatewayInfo: undefined,
  shards: 'auto',
  compression: 'none',
  sessionStore: undefined,
  identifyQueue: undefined,
  presence: undefined,
  largeThreshold: 50,
  backoff: SESSION_RULES.backoff,
  alertAfterAttempts: SESSION_RULES.alertAfterAttempts,
  degradedAfterMs: SESSION_RULES.degradedAfterMs,
  sendTimeoutMs: SESSION_RULES.sendTimeoutMs,
  maxQueuedSends: SESSION_RULES.maxQueuedSends,
  guildsTimeoutMs: 15_000,
  instrumentation: undefined,
  logger: silentLogger,
  clock: systemClock,
  random: Math.random,
  openSocket,
} as const satisfies Settings;

/** The longest time that an option may name: platform timers take 24 days, and end longer ones at once. */
export const MAX_OPTION_MS = 86_400_000;

const checkMethods =
  (...names: readonly string[]): OptionCheck =>
  (value) =>
    names.every((name) => typeof (value as Record<string, unknown> | null)?.[name] === 'function')
      ? undefined
      : `must have the methods ${names.join(', ')}`;

/** Printable, as an HTTP header is: one that was read from a file with its line end would never be let in. */
const checkToken: OptionCheck = (value) =>
  typeof value === 'string' && /^[!-~](?:[ -~]*[!-~])?$/.test(value)
    ? undefined
    : 'must be a bot token: printable text, without spaces around it';

const checkPresence: OptionCheck = (value) => {
  try {
    presencePayload(value as GatewayPresenceUpdateData);
    return undefined;
  } catch (error) {
    return `is none that can be shown: ${messageOf(error)}`;
  }
};

const checkIntents: OptionCheck = (value) => {
  if (typeof value === 'number') return check.integer(0)(value);
  if (!Array.isArray(value)) return 'must be a bit set or a list of intent names';
  const unknown = value.find((name) => typeof name !== 'string' || !Object.hasOwn(INTENTS, name));
  return unknown === undefined ? undefined : `has an unknown name. Known: ${Object.keys(INTENTS).join(', ')}`;
};

const checkGuilds: OptionCheck = (value) =>
  value === undefined || [value].flat().every((id) => typeof id === 'string' && isSnowflake(id))
    ? undefined
    : 'must be a guild id or a list of them';

const checkShards: OptionCheck = (value) => {
  if (value === 'auto' || check.integer(1, MAX_SHARDS)(value) === undefined) return undefined;
  const { ids, count } = (value ?? {}) as { ids?: unknown; count?: unknown };
  const valid =
    check.integer(1, MAX_SHARDS)(count) === undefined &&
    Array.isArray(ids) &&
    ids.length > 0 &&
    new Set(ids).size === ids.length &&
    ids.every((id) => check.integer(0, (count as number) - 1)(id) === undefined);
  return valid ? undefined : "must be 'auto', a count, or { ids, count } with different ids below count";
};

const checkBackoff: OptionCheck = (value) => {
  const { baseMs, capMs, minMs = 0 } = (value ?? {}) as Partial<Record<keyof BackoffPolicy, unknown>>;
  return [baseMs, capMs, minMs].every((ms) => check.integer(0, MAX_OPTION_MS)(ms) === undefined)
    ? undefined
    : 'must be { baseMs, capMs, minMs? } in whole milliseconds, a day at most';
};

/**
 * Merges options over the defaults.
 *
 * @throws TypeError naming the option and what it must be.
 */
export function resolveSettings(options: DiscordGatewayClientOptions): Settings {
  return resolveOptions<Settings>('DiscordGatewayClient', DEFAULTS, options, {
    token: checkToken,
    intents: checkIntents,
    apiBase: check.httpUrl(),
    guildId: checkGuilds,
    domainEvents: check.boolean(),
    fetchGatewayInfo: check.optional(check.function()),
    shards: checkShards,
    compression: check.oneOf('zlib-stream', 'zstd-stream', 'none'),
    sessionStore: check.optional(checkMethods('load', 'save', 'remove')),
    identifyQueue: check.optional(checkMethods('acquire')),
    presence: check.optional(checkPresence),
    largeThreshold: check.integer(50, 250),
    backoff: checkBackoff,
    alertAfterAttempts: check.integer(1),
    degradedAfterMs: check.integer(1),
    sendTimeoutMs: check.integer(1),
    maxQueuedSends: check.integer(0),
    guildsTimeoutMs: check.integer(0, MAX_OPTION_MS),
    instrumentation: check.optional((value) =>
      typeof value === 'object' && value !== null ? undefined : 'must be an object of hooks',
    ),
    logger: checkMethods('debug', 'info', 'warn', 'error'),
    clock: checkMethods('now', 'wallTime', 'setTimer', 'clearTimer'),
    random: check.function(),
    openSocket: check.function(),
  });
}

/** The session's rules, with what the options say. */
export function rulesOf(settings: Settings): SessionRules {
  const { backoff, alertAfterAttempts, degradedAfterMs, sendTimeoutMs, maxQueuedSends } = settings;
  return { ...SESSION_RULES, backoff, alertAfterAttempts, degradedAfterMs, sendTimeoutMs, maxQueuedSends };
}

/** Which shards to run, of how many. */
export interface ShardLayout {
  readonly ids: readonly number[];
  readonly count: number;
}

/** Which shards to run. @param recommended What `GET /gateway/bot` says. */
export function layoutOf(shards: ShardsOption, recommended: number): ShardLayout {
  if (typeof shards === 'object') return shards;
  const count = shards === 'auto' ? Math.max(1, Math.trunc(recommended) || 1) : shards;
  return { ids: Array.from({ length: count }, (_, id) => id), count };
}
