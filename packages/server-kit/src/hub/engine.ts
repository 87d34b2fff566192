/** Owns the seam between the hub and where room logs live. One contract suite is passed by every engine. */
import type { Position } from '@guildkit/core/wire';
import type { NewRoomEvent, Published, RoomRead, RoomRecord } from './protocol/records.js';

/**
 * Called with each event of a watched room, in the order of `seq`. Must not throw. An engine whose log may have begun anew
 * calls it with a record named `room.resync` with seq 0: whoever listens reads the room again, and sends it to nobody.
 */
export type RoomListener = (record: RoomRecord) => void;

/** Keeps the logs and states of rooms. */
export interface HubEngine {
  /**
   * Appends an event, applies it to the room's state and hands it to every listener, in one step: two calls for one
   * room take effect in the order they were made. An id that the log remembers is not appended again.
   */
  publish(room: string, event: NewRoomEvent): Promise<Published>;
  /** Reads the events after `since` when all of them are kept, and the room's state. */
  read(room: string, since?: Position): Promise<RoomRead>;
  /**
   * Hands every later event to a listener. When the promise resolves the feed is live: what is published from then
   * on is heard. The returned function ends it.
   */
  watch(room: string, listener: RoomListener): Promise<() => void>;
  /** The rooms that were published to with this group. */
  rooms(group: string): Promise<readonly string[]>;
  /**
   * Says which users of one process have a room open, for `ttlMs`: then they count no more. Replaces what the process
   * said before; an empty list takes it back. Left out by an engine that serves one hub only.
   */
  setViewers?(room: string, node: string, userIds: readonly string[], ttlMs: number): Promise<void>;
  /** The users of all processes who have a room open, each once. There if `setViewers` is. */
  viewers?(room: string): Promise<readonly string[]>;
  /** Gives back what the engine holds. Idempotent. */
  close(): Promise<void>;
}
