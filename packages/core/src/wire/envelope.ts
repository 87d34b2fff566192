/** Owns the envelope: what every frame between hub and browser is wrapped in. */
import type { ControlEvents } from './control.js';
import type { RoomEvents } from './events.js';
import type { Position } from './position.js';

/** Version of the envelope. Features are negotiated; this stays 1. */
export const WIRE_VERSION = 1;

/** Server → client. Unknown keys are ignored by readers. */
export interface Envelope<Name extends string = string, Payload = unknown> {
  readonly v: 1;
  readonly type: 'event' | 'ack' | 'error';
  readonly event: Name;
  readonly payload: Payload;
  /** Unix ms at which the server made the frame. */
  readonly ts: number;
  /** The room whose log this event belongs to: `channel:123`. */
  readonly room?: string | undefined;
  /** Position in the room's log; counts by one without holes. */
  readonly seq?: number | undefined;
  /** The event's own id. */
  readonly id?: string | undefined;
  /** The id of the client's frame that this answers. */
  readonly re?: string | undefined;
  readonly traceId?: string | undefined;
}

/** First frame of a client without a session cookie, due within the welcome's `authTimeoutMs`. */
export interface AuthFrame {
  readonly v: 1;
  readonly type: 'auth';
  readonly id: string;
  readonly payload: { readonly token: string };
}

/** Asks for a room's events, from a known position on when `since` is given. */
export interface SubscribeFrame {
  readonly v: 1;
  readonly type: 'subscribe';
  readonly id: string;
  readonly payload: { readonly room: string; readonly since?: Position | undefined };
}

/** Ends a subscription. */
export interface UnsubscribeFrame {
  readonly v: 1;
  readonly type: 'unsubscribe';
  readonly id: string;
  readonly payload: { readonly room: string };
}

/** A command by name. */
export interface CommandFrame {
  readonly v: 1;
  readonly type: 'command';
  readonly id: string;
  readonly payload: { readonly name: string; readonly input: unknown };
}

/** Answers `sys.ping` and reports the last seq seen in each room. Posted by itself where events come by SSE. */
export interface PongFrame {
  readonly v: 1;
  readonly type: 'pong';
  readonly id: string;
  readonly payload: {
    readonly seqs?: Readonly<Record<string, number>> | undefined;
    /** Of an SSE stream: the `connectionId` of its welcome. */
    readonly connectionId?: string | undefined;
    /** Of an SSE stream: the last `id:`, instead of `seqs`. */
    readonly cursor?: string | undefined;
  };
}

/** What `POST /api/commands` takes. */
export type PostedFrame = CommandFrame | PongFrame;

/** Client → server. */
export type ClientFrame = AuthFrame | SubscribeFrame | UnsubscribeFrame | CommandFrame | PongFrame;

/** Payload of an ack to `auth`. */
export interface AuthAck {
  readonly userId: string;
  /** Unix ms at which the token ends; the hub asks for a new one with `sys.reauth` before. `null`: it does not end. */
  readonly expiresAt: number | null;
}

/** Payload of an ack to `subscribe`. */
export interface SubscribeAck extends Position {
  readonly room: string;
  /** `true`: the missed events follow, each once. `false`: start from `snapshot`. */
  readonly recovered: boolean;
  /** The room's state at `seq`; absent when recovered. */
  readonly snapshot?: unknown;
}

/** Payload of an ack to `command`. */
export interface CommandAck {
  /** What the command gave; `null` when it gives nothing. */
  readonly result?: unknown;
  /** From the command's arrival to its answer, ms. */
  readonly latencyMs: number;
}

/** What is wrong with one field of an input. */
export interface FieldIssue {
  /** `payload.items.0`; `''` for the input as a whole. */
  readonly path: string;
  readonly message: string;
}

/** Payload of an `error` frame. */
export interface ErrorPayload {
  /** Stable code, `ERR_HUB_…`, `ERR_COMMAND_…`. */
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
  /** Of a command: where its input is wrong. */
  readonly fields?: readonly FieldIssue[] | undefined;
}

/** Body of every HTTP answer that refuses. */
export interface HttpErrorBody {
  readonly error: ErrorPayload & { readonly requestId: string };
}

/** An event of a room's log. */
export type RoomEventEnvelope<Name extends keyof RoomEvents & string = keyof RoomEvents & string> = {
  [N in Name]: Envelope<N, RoomEvents[N]> & { readonly type: 'event'; readonly room: string; readonly seq: number };
}[Name];

/** A control event. */
export type ControlEnvelope<Name extends keyof ControlEvents = keyof ControlEvents> = {
  [N in Name]: Envelope<N, ControlEvents[N]> & { readonly type: 'event' };
}[Name];
