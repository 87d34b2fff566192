/** Owns the hub's settings: what they mean, their defaults and their ranges. */
import {
  type Clock,
  check,
  type Logger,
  type OptionCheck,
  type OptionChecks,
  resolveOptions,
  silentLogger,
  systemClock,
} from '@guildkit/core';
import type { Principal } from '../principal.js';
import type { CommandAnswer, IncomingCommand } from '../shared/command.js';
import { type AuthContext, isOrigins, type Origins } from '../shared/upgrade.js';
import type { HubEngine } from './engine.js';

/** Settings of {@link RealtimeHub}. */
export interface RealtimeHubOptions {
  /**
   * The origins whose pages may connect, such as `https://app.example`; or a function that decides, given `undefined`
   * for a request without `Origin`. With a list such a request is let through: only programs can leave `Origin` out,
   * and a program has no one else's cookies. Anything but `true` refuses; so does an exception.
   */
  readonly origins: Origins;
  /**
   * Says who a connection is, or `null`. A thrown guildkit error that is not `retryable` (a `JwtError`) refuses too;
   * any other exception means that nobody can be authenticated now.
   */
  readonly authenticate: (context: AuthContext) => Principal | null | Promise<Principal | null>;
  /** Says whether someone may hear a room. Asked at each subscription and at each revalidation. An exception or no answer is no yes. */
  readonly authorize: (principal: Principal, room: string) => boolean | Promise<boolean>;
  /**
   * Carries out commands, by WebSocket or posted: `commandBus.handle`. Without it every command is unknown. What it
   * throws is logged, and told as a failure of ours.
   */
  readonly onCommand?: ((command: IncomingCommand) => Promise<CommandAnswer>) | undefined;
  /**
   * Where room logs live. The hub closes an engine that it made itself.
   * @defaultValue `memoryEngine()`
   */
  readonly engine?: HubEngine | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  /** A number in `[0, 1)`, for jitter. */
  readonly random?: (() => number) | undefined;
  /**
   * Time for the `auth` frame, and for `authenticate` and `authorize` to answer, in ms.
   * @defaultValue 5000
   */
  readonly authTimeoutMs?: number | undefined;
  /**
   * How often `sys.ping` is sent, in ms.
   * @defaultValue 15000: below the 30 s after which proxies drop idle connections.
   */
  readonly heartbeatMs?: number | undefined;
  /**
   * Time for the `pong`, in ms. The ping queues behind the events before it, so this bounds how far a client may lag.
   * @defaultValue 10000
   */
  readonly pongTimeoutMs?: number | undefined;
  /**
   * How long before its end a client is asked for a new token, in ms.
   * @defaultValue 30000
   */
  readonly reauthLeadMs?: number | undefined;
  /**
   * Largest frame of a client, in bytes.
   * @defaultValue 65536
   */
  readonly maxFrameBytes?: number | undefined;
  /**
   * Rooms that one connection may listen to.
   * @defaultValue 100
   */
  readonly maxSubscriptions?: number | undefined;
  /**
   * Frames that a client may send each second, on top of a burst of `maxSubscriptions`.
   * @defaultValue 50
   */
  readonly maxFramesPerSecond?: number | undefined;
  /**
   * Commands of one connection, and posted ones of one user, that may wait for their answers.
   * @defaultValue 32
   */
  readonly maxPendingCommands?: number | undefined;
  /**
   * Tells each room who has it open, with `sys.viewers`, at most once a second.
   * @defaultValue false: user ids are told to everyone in the room.
   */
  readonly announceViewers?: boolean | undefined;
  /**
   * How many events behind its last ping a client may report to be.
   * @defaultValue 1000
   */
  readonly maxLagEvents?: number | undefined;
  /**
   * Bytes that may wait for one client, the next frame included.
   * @defaultValue 1048576
   */
  readonly maxBufferedBytes?: number | undefined;
  /**
   * Largest event that may be published, in bytes of its payload's JSON.
   * @defaultValue 262144
   */
  readonly maxEventBytes?: number | undefined;
  /**
   * Connections of one user.
   * @defaultValue 20: several tabs and devices.
   */
  readonly maxConnectionsPerUser?: number | undefined;
  /**
   * Connections of all, authenticated or not. More are answered with 503.
   * @defaultValue 10000
   */
  readonly maxConnections?: number | undefined;
  /**
   * Failed tries after which clients wait for their user: sent in the welcome.
   * @defaultValue 5
   */
  readonly maxReconnectAttempts?: number | undefined;
  /**
   * Upper bound of a client's first delay before a new try, in ms: sent in the welcome.
   * @defaultValue 1000
   */
  readonly reconnectBaseMs?: number | undefined;
  /**
   * Largest delay of a client before a new try, in ms: sent in the welcome.
   * @defaultValue 30000
   */
  readonly reconnectCapMs?: number | undefined;
  /**
   * At a drain, clients are told to come back at a random time within this span, in ms.
   * @defaultValue 5000
   */
  readonly drainSpreadMs?: number | undefined;
}

/** Options with their defaults. `engine: undefined`: the hub makes one. */
export type HubSettings = {
  readonly [K in keyof Required<RealtimeHubOptions>]: K extends 'engine' | 'onCommand'
    ? RealtimeHubOptions[K]
    : Exclude<RealtimeHubOptions[K], undefined>;
};

/** Required options stand as `undefined`, which their check refuses. */
const DEFAULTS = {
  origins: undefined as unknown as HubSettings['origins'],
  authenticate: undefined as unknown as HubSettings['authenticate'],
  authorize: undefined as unknown as HubSettings['authorize'],
  onCommand: undefined,
  engine: undefined,
  logger: silentLogger,
  clock: systemClock,
  random: Math.random,
  authTimeoutMs: 5_000,
  heartbeatMs: 15_000,
  pongTimeoutMs: 10_000,
  reauthLeadMs: 30_000,
  maxFrameBytes: 65_536,
  maxSubscriptions: 100,
  maxFramesPerSecond: 50,
  maxPendingCommands: 32,
  announceViewers: false,
  maxLagEvents: 1_000,
  maxBufferedBytes: 1_048_576,
  maxEventBytes: 262_144,
  maxConnectionsPerUser: 20,
  maxConnections: 10_000,
  maxReconnectAttempts: 5,
  reconnectBaseMs: 1_000,
  reconnectCapMs: 30_000,
  drainSpreadMs: 5_000,
} as const satisfies HubSettings;

const CHECKS: OptionChecks<HubSettings> = {
  origins: isOrigins,
  authenticate: check.function(),
  authorize: check.function(),
  onCommand: check.optional(check.function()),
  engine: check.optional(hasMethods('an engine', 'publish', 'read', 'watch', 'rooms', 'close')),
  logger: hasMethods('a logger', 'debug', 'info', 'warn', 'error'),
  clock: hasMethods('a clock', 'now', 'wallTime', 'setTimer', 'clearTimer'),
  random: check.function(),
  maxPendingCommands: check.integer(1, 10_000),
  announceViewers: check.boolean(),
  authTimeoutMs: check.integer(1, 600_000),
  heartbeatMs: check.integer(1, 600_000),
  pongTimeoutMs: check.integer(1, 600_000),
  reauthLeadMs: check.integer(0),
  maxFrameBytes: check.integer(1_024, 16_777_216),
  maxSubscriptions: check.integer(1, 100_000),
  maxFramesPerSecond: check.integer(1, 1_000_000),
  maxLagEvents: check.integer(0),
  maxBufferedBytes: check.integer(1_024),
  maxEventBytes: check.integer(2),
  maxConnectionsPerUser: check.integer(1),
  maxConnections: check.integer(1),
  maxReconnectAttempts: check.integer(0, 1_000),
  reconnectBaseMs: check.integer(1, 600_000),
  reconnectCapMs: check.integer(1, 3_600_000),
  drainSpreadMs: check.integer(0, 600_000),
};

/** Checks options and fills in the defaults. */
export function resolveHubOptions(options: RealtimeHubOptions): HubSettings {
  const settings = resolveOptions<HubSettings>('RealtimeHub', DEFAULTS, options, CHECKS);
  if (settings.reconnectCapMs < settings.reconnectBaseMs) {
    throw new TypeError('RealtimeHub: option "reconnectCapMs" must be at least reconnectBaseMs');
  }
  return settings;
}

function hasMethods(what: string, ...names: readonly string[]): OptionCheck {
  return (value) => {
    const methods = (value ?? {}) as Readonly<Record<string, unknown>>;
    const missing = names.filter((name) => typeof methods[name] !== 'function');
    return missing.length === 0 ? undefined : `must be ${what}: ${missing.join(', ')} missing`;
  };
}
