/** Owns the handle of a room. Refuses the room's state: the client keeps one for all handles. */
import type { Unsubscribe } from '@guildkit/core';
import type { ControlEvents, Envelope, RoomEvents, RoomSnapshot, VoiceRoomMember } from '@guildkit/core/wire';
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
export class Room {
  /** `channel:123`. */
  readonly name: string;
  private readonly owner: { roomView(name: string): RoomView };
  private readonly release: () => void;
  private readonly changes = new Set<() => void>();
  private readonly listeners = new Map<string, Set<(payload: never, envelope: never) => void>>();

  /** @internal Made by `client.room()`. */
  constructor(name: string, owner: { roomView(name: string): RoomView }, release: () => void) {
    this.name = name;
    this.owner = owner;
    this.release = release;
  }

  /** How far the room can be believed. */
  get status(): RoomStatus {
    return this.view.status;
  }

  /** The room's state; `undefined` while loading or denied. */
  get snapshot(): RoomSnapshot | undefined {
    return this.view.snapshot;
  }

  /** Who is in the voice channel; empty for other rooms. */
  get members(): readonly VoiceRoomMember[] {
    return this.view.members;
  }

  /** Everything at once: the same object until something changes, as `useSyncExternalStore` wants it. */
  get view(): RoomView {
    return this.owner.roomView(this.name);
  }

  /**
   * Listens to an event, or to all with `'*'`. Events come in the order of the log, each once; the room's state
   * holds them already.
   */
  on<N extends RoomEventName>(event: N, listener: RoomListener<N>): Unsubscribe;
  on(event: '*', listener: (payload: unknown, envelope: RoomEvent) => void): Unsubscribe;
  on(event: string, listener: (payload: never, envelope: never) => void): Unsubscribe {
    const listeners = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Calls back after each change of {@link view}. */
  subscribe(listener: () => void): Unsubscribe {
    this.changes.add(listener);
    return () => void this.changes.delete(listener);
  }

  /** Lets go: no listener is called any more, and with the last handle the subscription ends. Idempotent. */
  close(): void {
    this.changes.clear();
    this.listeners.clear();
    this.release();
  }

  /** @internal */
  deliver(frame: Envelope): void {
    for (const name of [frame.event, '*']) callAll(this.listeners.get(name), frame.payload as never, frame as never);
  }

  /** @internal */
  changed(): void {
    callAll(this.changes);
  }
}

/** Calls each; one that throws stops neither the others nor the client: its exception surfaces by itself. */
export function callAll<A extends unknown[]>(listeners: Iterable<(...args: A) => void> | undefined, ...args: A): void {
  for (const listener of [...(listeners ?? [])]) {
    try {
      listener(...args);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
