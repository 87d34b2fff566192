/** Owns what client and rooms show of themselves: plain, frozen in time, comparable by identity. */
import type { RoomSnapshot, VoiceRoomMember } from '@guildkit/core/wire';
import type { RealtimeError } from './errors.js';

/**
 * `connecting`: until the first time that every room has its state. `recovering`: connected again, rooms catch
 * up. `waiting`: until `nextAttemptAt`, or until the page is online. `manual`: the tries are used up, call
 * `reconnect()`. `closed`: by `close()`, or by the hub for good, which `lastError` tells.
 */
export type ConnectionStatus = 'idle' | 'connecting' | 'open' | 'recovering' | 'waiting' | 'manual' | 'closed';

/** The connection as it is now. The same object until something changes. */
export interface ConnectionView {
  readonly status: ConnectionStatus;
  /** Failed tries in a row. */
  readonly attempt: number;
  /** Unix ms of the next try while `waiting`; absent when that is the next `online`. */
  readonly nextAttemptAt?: number | undefined;
  /** Why the connection is not open. */
  readonly lastError?: RealtimeError | undefined;
  /** The hub says that what it shows may be old. */
  readonly degraded: boolean;
}

/**
 * How far a room can be believed. `loading`: no state yet. `live`: as the hub has it. `recovering`: what was known
 * when the connection went or an event was missed. `deleted`: the channel is gone. `denied`: the hub refused.
 */
export type RoomStatus = 'loading' | 'live' | 'recovering' | 'deleted' | 'denied';

/** A room as it is now. The same object until something changes. */
export interface RoomView {
  readonly status: RoomStatus;
  readonly snapshot?: RoomSnapshot | undefined;
  /** Who is in the voice channel, in the order of joining; empty for other rooms. */
  readonly members: readonly VoiceRoomMember[];
  /** Why it is `denied`: the hub's code. */
  readonly reason?: string | undefined;
}

/** One empty list, so that it stays the same object. */
export const NOBODY: readonly never[] = [];
/** What a room looks like that nobody has asked for: also what a server renders. */
export const LOADING_ROOM: RoomView = { status: 'loading', members: NOBODY };
/** What a connection looks like that nobody has started: also what a server renders. */
export const IDLE_CONNECTION: ConnectionView = { status: 'idle', attempt: 0, degraded: false };

/** The old view when the new one says nothing else, so that those who compare by identity see no change. */
export function sameOr<T extends object>(old: T, next: T): T {
  return (Object.keys(next) as (keyof T)[]).every((key) => next[key] === old[key]) ? old : next;
}
