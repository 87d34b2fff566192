/** Owns the words of a session: its state, what happens to it, what it wants done. */
import type { Reducer, Stamp, TimerInput, Transition } from '@guildkit/core';
import type { ControlEvents, Position } from '@guildkit/core/wire';
import type { HubErrorCode } from '../../errors.js';
import type { Principal } from '../../principal.js';
import type { CommandAnswer, CommandRefusal } from '../../shared/command.js';
import type { ParsedFrame } from './client-frame.js';
import type { FrameBudget } from './frame-budget.js';
import type { RoomRead } from './records.js';

/** Settings of a session. Times in ms. */
export interface SessionLimits {
  readonly authTimeoutMs: number;
  readonly heartbeatMs: number;
  readonly pongTimeoutMs: number;
  readonly reauthLeadMs: number;
  readonly maxSubscriptions: number;
  readonly maxFramesPerSecond: number;
  readonly maxLagEvents: number;
  /** Commands of one connection that may wait for their answers. */
  readonly maxPendingCommands: number;
}

/**
 * What carries the connection. `socket`: both ways, `auth` and `pong` come in it. `stream`: only out; who it is was said
 * with the request, and pongs are posted.
 */
export type SessionKind = 'socket' | 'stream';

/** Where a connection stands. */
export type SessionPhase = 'opening' | 'authenticating' | 'open' | 'draining' | 'closed';

/** How a subscription stands. */
export type SubscriptionStage =
  /** `authorize` is asked. Nothing is sent. */
  | 'authorizing'
  /** Allowed; the live feed is joined and the history read. */
  | 'joining'
  /** Acknowledged; events flow. */
  | 'live'
  /** Acknowledged, but events were missing: the history is read again. */
  | 'resyncing';

/** One subscription. */
export interface SessionSubscription {
  readonly stage: SubscriptionStage;
  /** Names this subscription; an answer with another number is for one that is gone. */
  readonly ticket: number;
  /** The client's frame that waits for an answer. */
  readonly re: string | undefined;
  readonly since: Position | undefined;
  /** Names the newest permission check under way beside the one of `authorizing`. */
  readonly recheck: number | undefined;
}

/** State of a session. */
export interface SessionState {
  readonly phase: SessionPhase;
  readonly principal: Principal | undefined;
  /** The authentication under way. */
  readonly auth: { readonly attempt: number; readonly re: string | undefined } | undefined;
  readonly attempts: number;
  /** When `auth`, or the client's `auth` frame, is due. */
  readonly authBy: number | undefined;
  /** When the principal's proof ends, and when the client is reminded. */
  readonly expiry: { readonly endsAt: number; readonly remindAt: number | undefined } | undefined;
  readonly heartbeat: { readonly pingAt: number; readonly pongBy: number | undefined } | undefined;
  /** Ticket → the client's frame, of commands that are being carried out. */
  readonly commands: ReadonlyMap<number, string>;
  readonly closeAt: number | undefined;
  readonly budget: FrameBudget;
  readonly subscriptions: ReadonlyMap<string, SessionSubscription>;
  readonly tickets: number;
}

/** What happens to a session. */
export type SessionInput =
  /** First of all, once. */
  | { readonly type: 'opened' }
  /** `admitted: false`: the user has too many connections. */
  | {
      readonly type: 'authenticated';
      readonly attempt: number;
      readonly principal: Principal;
      readonly expiresInMs: number;
      readonly admitted: boolean;
    }
  | { readonly type: 'authFailed'; readonly attempt: number; readonly unavailable: boolean }
  /** The user has proved anew who they are, by another request. `rolesChanged`: permissions may have. */
  | {
      readonly type: 'renewed';
      readonly principal: Principal;
      readonly expiresInMs: number;
      readonly rolesChanged: boolean;
    }
  /** `behind`: of a pong, how many marked events the client has not seen. */
  | { readonly type: 'frame'; readonly parsed: ParsedFrame; readonly behind?: number | undefined }
  /** The socket refused a frame for its size and closes itself. */
  | { readonly type: 'oversized' }
  /** The socket met a violation of RFC 6455 and closes itself. */
  | { readonly type: 'broken' }
  /** The next frame would exceed the byte bound. */
  | { readonly type: 'overflowed' }
  | {
      readonly type: 'authorized';
      readonly room: string;
      readonly ticket: number;
      readonly verdict: 'allowed' | 'denied' | 'failed';
    }
  | { readonly type: 'read'; readonly room: string; readonly ticket: number; readonly read: RoomRead }
  | { readonly type: 'readFailed'; readonly room: string; readonly ticket: number }
  | { readonly type: 'holeFound'; readonly room: string; readonly ticket: number }
  | { readonly type: 'commandDone'; readonly ticket: number; readonly answer: CommandAnswer }
  /** Permissions may have changed: of all rooms, or of one. */
  | { readonly type: 'revalidate'; readonly room?: string | undefined }
  | { readonly type: 'drain'; readonly reconnectInMs: number; readonly closeInMs: number }
  /** The socket is gone. */
  | { readonly type: 'socketClosed' };

/** The close codes that a session uses: the hub's, and 1013 for "try again later" (IANA registry of close codes). */
export type SessionCloseCode = 4400 | 4401 | 4403 | 4408 | 4413 | 4429 | 4503 | 1013;

/** What a session wants done, in this order. */
export type SessionEffect =
  /** Ask `authenticate`; without a token, by the upgrade request. */
  | { readonly type: 'authenticate'; readonly attempt: number; readonly token: string | undefined }
  | { readonly type: 'welcome'; readonly authTimeoutMs: number }
  /** Once, when the connection has become someone's. */
  | { readonly type: 'admitted'; readonly principal: Principal }
  | {
      readonly type: 'ack';
      readonly re: string;
      readonly event: 'auth' | 'unsubscribe' | 'command';
      readonly payload: object;
    }
  /** Carry out a command; its answer comes back as `commandDone`. */
  | {
      readonly type: 'command';
      readonly ticket: number;
      readonly id: string;
      readonly name: string;
      readonly input: unknown;
    }
  /** Send an `error` frame with what the app's command said. */
  | { readonly type: 'refuseCommand'; readonly re: string; readonly error: CommandRefusal }
  /** Send an `error` frame and count it. */
  | {
      readonly type: 'refuse';
      readonly code: HubErrorCode;
      readonly re: string | undefined;
      readonly room?: string | undefined;
      readonly detail?: string | undefined;
      readonly retryAfterMs?: number | undefined;
    }
  /** Count only: there is no one to tell. */
  | { readonly type: 'count'; readonly code: HubErrorCode }
  | ControlEffect<'sys.reauth' | 'sys.drain' | 'sys.unsubscribed'>
  /** Send `sys.ping` (not in a stream) and mark every subscription's place. */
  | { readonly type: 'ping' }
  | { readonly type: 'authorize'; readonly room: string; readonly ticket: number }
  /** Join the live feed, then read the history. */
  | { readonly type: 'join'; readonly room: string; readonly ticket: number; readonly since: Position | undefined }
  /** Read the history again, from the last event sent. */
  | { readonly type: 'catchUp'; readonly room: string; readonly ticket: number }
  /** Tell what was read (as the ack of `re`; without one as `sys.snapshot` where needed) and let events flow. */
  | {
      readonly type: 'start';
      readonly room: string;
      readonly ticket: number;
      readonly re: string | undefined;
      readonly read: RoomRead;
    }
  | { readonly type: 'leave'; readonly room: string; readonly ticket: number }
  | { readonly type: 'close'; readonly code: SessionCloseCode; readonly cause: HubErrorCode }
  /** The last effect of every session: give back all that it held. */
  | { readonly type: 'release' };

type ControlEffect<Name extends keyof ControlEvents> = {
  [N in Name]: { readonly type: 'control'; readonly event: N; readonly payload: ControlEvents[N] };
}[Name];

/** What a step returns. */
export type SessionStep = Transition<SessionState, SessionEffect>;

/** An input as a step gets it. */
export type StampedInput = (SessionInput | TimerInput) & Stamp;

/** The state machine of a connection. */
export type SessionReducer = Reducer<SessionState, SessionInput, SessionEffect>;
