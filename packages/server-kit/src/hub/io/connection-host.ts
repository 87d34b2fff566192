/** Owns what a connection asks of its hub, and how it is carried. Refuses behaviour. */
import type { Clock, Logger } from '@guildkit/core';
import type { ControlEvents, PongFrame, Position, WelcomePayload } from '@guildkit/core/wire';
import type { Principal } from '../../principal.js';
import type { CommandAnswer } from '../../shared/command.js';
import type { Message } from '../codec/message.js';
import type { HubEngine } from '../engine.js';
import type { SessionKind, SessionLimits, SessionReducer } from '../protocol/session-types.js';
import type { HubCounters } from '../stats.js';
import type { RoomFeeds } from './room-feeds.js';

/** A connection, as its hub needs to know it. */
export interface HubConnection {
  readonly id: string;
  /** Who it is; `undefined` before authentication. */
  readonly userId: string | undefined;
  /** How many rooms it hears. */
  readonly subscriptions: number;
  hears(room: string): boolean;
  /** Sends a message that was made for several. */
  send(message: Message): void;
  /** Tells the client something about the connection. */
  control<Name extends keyof ControlEvents>(event: Name, payload: ControlEvents[Name]): void;
  /** The client of a stream has posted where it is. */
  report(position: PongFrame['payload']): void;
  /** The same user has proved anew who they are. */
  renew(principal: Principal): void;
  /** Asks `authorize` again, for all rooms or one. */
  revalidate(room?: string): void;
  /** Announces the end, and closes after `closeInMs`. */
  drain(reconnectInMs: number, closeInMs: number): void;
  /** Ends it without a word. */
  terminate(): void;
}

/** How a proof of identity turned out. */
export type AuthOutcome = { readonly principal: Principal } | { readonly unavailable: boolean };

/** What a connection asks of its hub. */
export interface ConnectionHost {
  readonly limits: SessionLimits & { readonly maxBufferedBytes: number };
  /** One for all connections of a kind. */
  readonly reducers: Readonly<Record<SessionKind, SessionReducer>>;
  readonly engine: HubEngine;
  readonly feeds: RoomFeeds;
  readonly counters: HubCounters;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  welcome(connectionId: string, authTimeoutMs: number): WelcomePayload;
  /** Never rejects. */
  authorize(principal: Principal, room: string): Promise<'allowed' | 'denied' | 'failed'>;
  /** Takes one of the user's places; `false` when there is none. */
  admit(connection: HubConnection, userId: string): boolean;
  /** After `admit`, when the connection has been told. */
  admitted(connection: HubConnection): void;
  /** A ping was answered. */
  answered(connection: HubConnection, ms: number): void;
  /** Carries out a command. Never rejects. */
  command(request: CommandRequest): Promise<CommandAnswer>;
  /** Someone has a room open, once for each connection. */
  enter(room: string, userId: string): void;
  /** After `enter`. */
  exit(room: string, userId: string): void;
  /** Gives back the place. */
  release(connection: HubConnection): void;
  /** The socket is gone. */
  closed(connection: HubConnection): void;
}

/** A command on its way to who carries it out. */
export interface CommandRequest {
  readonly principal: Principal;
  /** The client's id of it. */
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
  /** The connection it came in; `undefined` when it was posted. */
  readonly connectionId: string | undefined;
}

/** How a connection is carried. */
export type Carriage =
  | { readonly kind: 'socket' }
  /** What a stream subscribes to, and from where. */
  | { readonly kind: 'stream'; readonly rooms: ReadonlyMap<string, Position | undefined> };
