/** Owns the control events, `sys.*`. They belong to a connection, not to a room's log. */
import type { RoomSnapshot } from './events.js';
import type { Position } from './position.js';

/** First frame of every connection. */
export interface WelcomePayload {
  readonly connectionId: string;
  /** The server's process; a new one after a restart. */
  readonly bootId: string;
  /** How often `sys.ping` comes, ms. */
  readonly heartbeatMs: number;
  /** `auth` is due within this time, ms. `0`: the upgrade has authenticated already. */
  readonly authTimeoutMs: number;
  readonly limits: {
    /** Largest frame the server accepts, bytes. */
    readonly maxFrameBytes: number;
    readonly maxSubscriptions: number;
    readonly maxFramesPerSecond: number;
  };
  readonly retry: {
    /** Failed tries before the client waits for the user. */
    readonly maxAttempts: number;
    readonly baseMs: number;
    readonly capMs: number;
  };
}

/** Every control event's payload by name. */
export interface ControlEvents {
  'sys.welcome': WelcomePayload;
  /** A room's state where its events can no longer be told one by one. */
  'sys.snapshot': Position & { readonly room: string; readonly snapshot: RoomSnapshot };
  /** Answer with `pong`. */
  'sys.ping': Readonly<Record<string, never>>;
  /** Send `auth` again before `expiresAt` (unix ms). */
  'sys.reauth': { readonly expiresAt: number };
  /** The server goes away; reconnect after `reconnectInMs`. */
  'sys.drain': { readonly reconnectInMs: number };
  /** What the server shows may be old (`true`), or is current again (`false`). */
  'sys.degraded': { readonly degraded: boolean; readonly reason: string };
  /** The server ended this subscription: access was lost or the room is gone. */
  'sys.unsubscribed': { readonly room: string; readonly code: string };
  /** Who has this room open, at most once a second for each room. */
  'sys.viewers': ViewersPayload;
  /** Last event of an SSE stream that the server ends for good; `code` and `cause` are those of a WebSocket close. */
  'sys.closed': ClosedPayload;
}

/** Who has a room open. */
export interface ViewersPayload {
  readonly room: string;
  /** Users, however many tabs each has. */
  readonly count: number;
  /** The first of them; fewer than `count` in a crowd. */
  readonly userIds: readonly string[];
}

/** Why a stream ended. */
export interface ClosedPayload {
  /** A close code of the hub, or 1013. */
  readonly code: number;
  /** `ERR_HUB_…` */
  readonly cause: string;
  readonly retryAfterMs?: number | undefined;
}
