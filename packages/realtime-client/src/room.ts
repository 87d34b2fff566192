/** Owns the handle of a room. Refuses the room's state: the client keeps one for all handles. */
import type { Unsubscribe } from '@guildkit/core';
import type { ControlEvents, Envelope, RoomEvents, RoomSnapshot, VoiceRoomMember } from '@guildkit/core/wire';
import type { Topics } from './topics.js';
import type { RoomStatus, RoomView } from './views.js';

/** Events that listeners get: those of the room's log, and `sys.snapshot` when the state was replaced as a whole. */
export interface RoomListenerEvents extends RoomEvents {
  'sys.snapshot': ControlEvents['sys.snapshot'];
}

/** The name of an event that a room can be listened to for. */
export type RoomEventName = keyof RoomListenerEvents & string;

/** An event of a room with its envelope: a union that `event` tells apart. */
export type RoomEvent = {
  [N in keyof RoomEvents & string]: Envelope<N, RoomEvents[N]> & { readonly room: string };
}[keyof RoomEvents & string];

/** Called with an event's payload and its envelope: `seq`, `ts`, `traceId`. */
export type RoomListener<N extends RoomEventName> = (
  payload: RoomListenerEvents[N],
  envelope: Envelope<N, RoomListenerEvents[N]>,
) => void;

/**
 * A hold on a room: while one is open the room is subscribed. Several handles of one room share its subscription
 * and its state.
 */
export interface Room {
  /** `channel:123`. */
  readonly name: string;
  /** Everything at once: the same object until something changes, as `useSyncExternalStore` wants it. */
  readonly view: RoomView;
  /** How far the room can be believed. */
  readonly status: RoomStatus;
  /** The room's state; `undefined` while loading or denied. */
  readonly snapshot: RoomSnapshot | undefined;
  /** Who is in the voice channel; empty for other rooms. */
  readonly members: readonly VoiceRoomMember[];
  /**
   * Listens to an event, or to all with `'*'`. Events come in the order of the log, each once; the room's state
   * holds them already.
   */
  on<N extends RoomEventName>(event: N, listener: RoomListener<N>): Unsubscribe;
  /** Listens to every event. */
  on(event: '*', listener: (payload: unknown, envelope: RoomEvent) => void): Unsubscribe;
  /** Calls back after each change of {@link view}. */
  subscribe(listener: () => void): Unsubscribe;
  /** Lets go: no listener is called any more, and with the last handle the subscription ends. Idempotent. */
  close(): void;
}

/** The topic of a room's changes: no event has this name. */
export const CHANGE = '';

/** An open handle as the client sees it. */
export interface Handle extends Topics {
  readonly name: string;
}

/** Makes a handle as the user sees it. */
export function createRoom({ name, on, clear }: Handle, read: () => RoomView, release: () => void): Room {
  return {
    name,
    get view() {
      return read();
    },
    get status() {
      return read().status;
    },
    get snapshot() {
      return read().snapshot;
    },
    get members() {
      return read().members;
    },
    on,
    subscribe: (listener) => on(CHANGE, listener),
    close() {
      clear();
      release();
    },
  };
}
