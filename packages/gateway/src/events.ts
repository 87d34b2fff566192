/** Owns the client's events: one typed map. */
import type { GatewayDispatchPayload } from 'discord-api-types/v10';
import type { GatewayError } from './errors.js';
import type { GapRecovery, SessionPhase, SessionReason } from './protocol/session-types.js';

/** Data of each dispatch by name, as discord-api-types has it. */
export type DispatchDataMap = { [P in GatewayDispatchPayload as `${P['t']}`]: P['d'] };

/** Name of a dispatch. */
export type DispatchName = keyof DispatchDataMap;

/** What comes with a dispatch. */
export interface DispatchMeta {
  readonly shardId: number;
  readonly seq: number;
  /** It happened while the connection was down and came by the resume. */
  readonly replayed: boolean;
  /** The same for the same dispatch, whenever it is delivered. */
  readonly traceId: string;
}

/** Any dispatch. */
export interface DispatchEvent extends DispatchMeta {
  readonly name: DispatchName | (string & {});
  readonly data: unknown;
}

/** A shard has a new session. */
export interface ReadyEvent {
  readonly shardId: number;
  readonly userId: string;
  /** Guilds of the shard; their GUILD_CREATE follow. */
  readonly guildIds: readonly string[];
}

/** A shard's session goes on. */
export interface ResumedEvent {
  readonly shardId: number;
  /** How many events came that had been missed. */
  readonly replayed: number;
}

/** Sequence numbers were skipped: events from `expected` to `received - 1` are missing. */
export interface GapEvent {
  readonly shardId: number;
  readonly expected: number;
  readonly received: number;
  /** `resume`: asked for again. `identify`: lost, a new session brings the present state. `none`: lost. */
  readonly recovery: GapRecovery;
}

/** A shard has been without a connection for long: what is known of its guilds may be out of date. */
export interface DegradedEvent {
  readonly shardId: number;
  readonly outageMs: number;
}

/** Connecting has failed several times in a row. It goes on trying. */
export interface AlertEvent {
  /** `undefined` while asking where the gateway is. */
  readonly shardId: number | undefined;
  readonly attempts: number;
  readonly reason: string;
  readonly code: number | undefined;
}

/** A shard's session went from one phase to another. */
export interface StateChangeEvent {
  readonly shardId: number;
  readonly from: SessionPhase;
  readonly to: SessionPhase;
  readonly reason: SessionReason;
  /** Close code or HTTP status, if that was the reason. */
  readonly code: number | undefined;
}

/** A heartbeat was answered. */
export interface HeartbeatEvent {
  readonly shardId: number;
  readonly latencyMs: number;
}

/** The client is done for good. */
export interface ClosedEvent {
  readonly reason: 'closed' | 'detached' | 'fatal';
  readonly error: GatewayError | undefined;
}

/** Every event of `DiscordGatewayClient` by name. */
export interface GatewayEvents {
  ready: ReadyEvent;
  resumed: ResumedEvent;
  gap: GapEvent;
  degraded: DegradedEvent;
  alert: AlertEvent;
  stateChange: StateChangeEvent;
  heartbeat: HeartbeatEvent;
  dispatch: DispatchEvent;
  closed: ClosedEvent;
  error: GatewayError;
}
