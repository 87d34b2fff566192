/** Owns what a connection is: its phases, what is kept of it, what happens to it and what it has the shell do. */
import type { BackoffPolicy } from '@guildkit/core';
import type { ClientFrame, Envelope } from '@guildkit/core/wire';
import type { RealtimeError, RealtimeErrorCode } from '../errors.js';
import type { RoomState } from './room.js';

/** What the connection does, each with more of a connection than the one before. */
const PHASES = [
  'idle',
  'closed',
  'manual',
  'waiting',
  'connecting',
  /** The welcome has come: the socket is open, here and further on. */
  'greeted',
  'recovering',
  'open',
] as const;

/** One of {@link PHASES}. */
export type Phase = (typeof PHASES)[number];

/** Whether a phase has at least that much of a connection. */
export const hasReached = (phase: Phase, least: Phase): boolean => PHASES.indexOf(phase) >= PHASES.indexOf(least);

/** What is fixed for a client. */
export interface ConnectionSettings {
  /** Failed tries in a row before `manual`; without it the hub's welcome decides. */
  readonly maxAttempts?: number | undefined;
  /** Whether a token can be had. */
  readonly hasToken: boolean;
  /** Patience with the welcome and with the answers to `auth` and `subscribe`, ms. */
  readonly timeoutMs: number;
}

/** How tries are spaced and counted, and how often the hub gives a sign of life. The welcome may change it. */
export interface Policy extends BackoffPolicy {
  readonly maxAttempts: number;
  readonly heartbeatMs: number;
}

/** The whole client. A time that will not come is `NEVER` of `room.ts`. */
export interface ConnectionState {
  readonly phase: Phase;
  /** Number of the current socket. What an older one says is ignored. */
  readonly gen: number;
  /** Failed tries in a row. */
  readonly attempt: number;
  /** The hub refused the last token; the next refusal ends it. */
  readonly refused: boolean;
  /** The page says that it is. */
  readonly offline?: boolean | undefined;
  /** Has been open since `connect()`. */
  readonly wasOpen?: boolean | undefined;
  /** The hub says that what it shows may be old. */
  readonly degraded: boolean;
  /** Whether the shell has got a token; `undefined` while it tries. */
  readonly gotToken?: boolean | undefined;
  readonly policy: Policy;
  /** The hub wants no try before. */
  readonly holdUntil: number;
  /**
   * When the phase's patience ends. `waiting`: the next try starts. `connecting`, `greeted`: the try has
   * failed. `recovering`, `open`: silence counts as a dead connection.
   */
  readonly dueAt: number;
  /** When the connection counts as stable; stays set afterwards. */
  readonly stableAt: number;
  readonly nextId: number;
  /** Id of the `auth` that waits for its answer. */
  readonly authId?: string | undefined;
  readonly rooms: ReadonlyMap<string, RoomState>;
  /** Why the connection is not open. */
  readonly problem?: RealtimeError | undefined;
}

/** What happens to a client. */
export type ConnectionInput =
  | { readonly type: 'connect' }
  | { readonly type: 'reconnect' }
  | { readonly type: 'close' }
  | { readonly type: 'online' }
  | { readonly type: 'offline' }
  | { readonly type: 'visible' }
  | { readonly type: 'want'; readonly room: string }
  | { readonly type: 'release'; readonly room: string }
  /** `undefined`: what came was no frame. A frame whose payload a schema refused has none. */
  | { readonly type: 'frame'; readonly gen: number; readonly frame: Envelope | undefined }
  | { readonly type: 'lost'; readonly gen: number; readonly code: number; readonly reason: string }
  /** The transport threw: a try later would fail in the same way. */
  | { readonly type: 'broken'; readonly gen: number; readonly reason: string }
  | { readonly type: 'token'; readonly gen: number; readonly ok: boolean };

/** What the shell has to do. */
export type ConnectionEffect =
  | { readonly type: 'dial'; readonly gen: number }
  /** Let go of the socket, which may have closed by itself. */
  | { readonly type: 'hangUp'; readonly reason?: RealtimeErrorCode | undefined }
  | { readonly type: 'fetchToken'; readonly gen: number; readonly refused: boolean }
  /** Into an `auth` frame the shell puts the token that was fetched. */
  | { readonly type: 'send'; readonly frame: ClientFrame }
  | { readonly type: 'deliver'; readonly room: string; readonly frame: Envelope }
  | { readonly type: 'report'; readonly error: RealtimeError };
