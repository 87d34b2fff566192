/** Owns the shapes of what a room's log holds and gives back. Engines, feeds and sessions speak in these. */
import type { Position, RoomSnapshot } from '@guildkit/core/wire';

/** An event on its way into a room's log. */
export interface NewRoomEvent {
  /** Name, such as `voice.joined`. */
  readonly event: string;
  /** Anything that JSON can hold. The engine keeps its own copy. */
  readonly payload: unknown;
  /** `payload` as JSON, where the caller has it already: engines then need not serialise it again. */
  readonly json?: string | undefined;
  /** The event's own id: an id that the log knows is not appended again. */
  readonly id: string;
  /** Unix ms. */
  readonly ts: number;
  readonly traceId?: string | undefined;
  /** Puts the room into a group, which {@link RoomRecord} does not carry: the guild of a channel. */
  readonly group?: string | undefined;
}

/** An event in a room's log. Never changes. */
export interface RoomRecord extends Position {
  readonly room: string;
  readonly event: string;
  /** The payload as JSON: serialised once, when it was published. */
  readonly payload: string;
  readonly id: string;
  readonly ts: number;
  readonly traceId?: string | undefined;
}

/** What became of a publish. */
export interface Published extends Position {
  /** The log had an event of this id: nothing was appended, and `seq` is that event's. */
  readonly duplicate: boolean;
}

/** A room as it stands: the events after a position, or its state. */
export interface RoomRead extends Position {
  /** `true`: `events` are all that followed the asked position, up to `seq`. */
  readonly recovered: boolean;
  /** Empty unless recovered. */
  readonly events: readonly RoomRecord[];
  /** The state at `seq`. */
  readonly snapshot: RoomSnapshot;
}
