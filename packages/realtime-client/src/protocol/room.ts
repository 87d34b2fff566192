/**
 * Owns one room as the client sees it: position, state, events that came too early. Every function returns a new
 * room and what follows from it. Refuses connections: the caller asks the hub and knows when.
 */
import {
  applyVoiceEvent,
  type Envelope,
  type GuildRoomSnapshot,
  type Position,
  type RoomSnapshot,
} from '@guildkit/core/wire';
import { fieldsOf, isPosition, isSnapshot } from './frame.js';

/** A subscribe that waits for its answer. */
export interface Ask {
  /** The frame's id, which the answer repeats. Empty: the hub put the answer off, ask again at `by`. */
  readonly id: string;
  /** When patience ends, ms. */
  readonly by: number;
  /** Answered: the missed events up to this seq are on their way. */
  readonly target?: number | undefined;
}

/** A room. */
export interface RoomState {
  /** `idle`: not asked for on this connection. `behind`: asked, or catching up. */
  readonly phase: 'idle' | 'behind' | 'live' | 'denied';
  /** Up to where the events are applied. Without one only a snapshot helps. */
  readonly position?: Position | undefined;
  readonly snapshot?: RoomSnapshot | undefined;
  /** Events whose turn has not come, by seq. */
  readonly early: ReadonlyMap<number, Envelope>;
  readonly ask?: Ask | undefined;
  /** When to let go of the room, ms: {@link NEVER} while somebody wants it. */
  readonly releaseAt: number;
  /** Why it is `denied`: the hub's code. */
  readonly reason?: string | undefined;
}

/** What became of a room. */
export interface RoomChange {
  readonly room: RoomState;
  /** Events to hand to listeners, in order. */
  readonly deliver: readonly Envelope[];
  /** The hub must be asked for what is missing. */
  readonly behind?: boolean | undefined;
  /** The frame's payload made no sense. */
  readonly bad?: boolean | undefined;
}

/** A time that does not come. */
export const NEVER: number = Number.POSITIVE_INFINITY;
/** Early events kept at most. Those beyond come again with the answer to the ask that the hole has caused. */
const MAX_EARLY = 256;
const NONE: ReadonlyMap<number, Envelope> = new Map();

/** A room nobody has asked for yet. */
export const NEW_ROOM: RoomState = { phase: 'idle', early: NONE, releaseAt: NEVER };

/** The connection is gone. What was early comes again, or the next snapshot holds it. */
export function detach(room: RoomState): RoomState {
  return { ...room, phase: 'idle', early: NONE, ask: undefined };
}

/** Access was refused or taken. What was shown is dropped, except that a deleted room stays known as deleted. */
export function deny(room: RoomState, reason: string): RoomState {
  const snapshot = isDeleted(room) ? room.snapshot : undefined;
  return { ...detach(room), phase: 'denied', position: undefined, snapshot, reason };
}

/** Whether the channel behind the room is gone. */
export function isDeleted({ snapshot }: RoomState): boolean {
  return snapshot?.kind === 'voice' && snapshot.state === 'deleted';
}

/**
 * Takes an event of the room's log. A seq that was seen is dropped; one beyond the next waits and asks for the
 * hole.
 *
 * @param valid `false` when a schema refused the payload.
 */
export function receive(room: RoomState, frame: Envelope, valid: boolean): RoomChange {
  const { seq } = frame;
  if (room.phase !== 'behind' && room.phase !== 'live') return { room, deliver: [] };
  // Outside the log: nothing to order, nothing that a snapshot would hold.
  if (seq === undefined) return { room, deliver: valid ? [frame] : [], bad: !valid };
  if (room.position !== undefined && seq <= room.position.seq) return { room, deliver: [] };
  const entry = valid ? frame : { ...frame, event: BAD };
  if (seq !== (room.position?.seq ?? -1) + 1 && room.early.size >= MAX_EARLY) return { room, deliver: [] };
  return drain({ ...room, early: new Map(room.early).set(seq, entry) });
}

/**
 * Takes a state of the whole room, from an ack or from `sys.snapshot`. Listeners get it as `sys.snapshot`: events
 * may have been missed.
 */
export function restore(room: RoomState, frame: Envelope): RoomChange {
  const fields = fieldsOf(frame.payload);
  const { snapshot } = fields;
  if (!isPosition(fields) || !isSnapshot(snapshot)) return { room, deliver: [], bad: true };
  const { epoch, seq } = fields;
  const same = epoch === room.position?.epoch;
  // An answer that was overtaken by the events it was about: going back would tell listeners everything twice.
  if (same && seq < (room.position?.seq ?? 0)) return drain(room);
  // Events carry no epoch. Frames keep their order on a connection, so those of a new epoch come after this one;
  // before a first answer there is no old epoch.
  const early = same || room.position === undefined ? room.early : NONE;
  return drain(
    { ...room, position: { epoch, seq }, snapshot, early },
    { ...frame, type: 'event', event: 'sys.snapshot' },
  );
}

/** Takes the answer to the room's ask. */
export function answer(room: RoomState, frame: Envelope): RoomChange {
  const fields = fieldsOf(frame.payload);
  const done: RoomState = { ...room, phase: 'live', ask: undefined };
  if (fields.recovered !== true) return restore(done, frame);
  if (!isPosition(fields)) return { room, deliver: [], bad: true };
  // Recovered from a log that is not ours: the numbers mean nothing.
  if (fields.epoch !== room.position?.epoch) {
    return { room: { ...done, position: undefined }, deliver: [], behind: true, bad: true };
  }
  if (fields.seq <= room.position.seq || room.ask === undefined) return { room: done, deliver: [] };
  return { room: { ...room, ask: { ...room.ask, target: fields.seq } }, deliver: [] };
}

/** Stands in for the name of an event whose payload a schema refused. */
const BAD = '';

/** Applies what is next in line, then tells whether a hole is left. */
function drain(start: RoomState, ...deliver: Envelope[]): RoomChange {
  if (start.position === undefined) return { room: start, deliver };
  const early = new Map(start.early);
  let { snapshot } = start;
  let { epoch, seq } = start.position;
  let bad = false;
  for (const known of early.keys()) if (known <= seq) early.delete(known);
  for (let frame = early.get(seq + 1); frame !== undefined && !bad; frame = early.get(seq + 1)) {
    const next = frame.event === BAD ? undefined : apply(snapshot, frame);
    seq += 1;
    early.delete(seq);
    if (next !== undefined) deliver.push(frame);
    bad = next === undefined;
    snapshot = next ?? snapshot;
  }
  const caughtUp = seq >= (start.ask?.target ?? NEVER);
  const room: RoomState = {
    ...start,
    // Without an event that could not be applied the state is wrong, and no later event mends it.
    position: bad ? undefined : { epoch, seq },
    snapshot,
    early,
    ...(caughtUp && { ask: undefined, phase: 'live' }),
  };
  return { room, deliver, behind: bad || early.size > 0, bad };
}

/** The state after an event; `undefined` when the payload does not fit the event. */
function apply(snapshot: RoomSnapshot | undefined, { event, payload }: Envelope): RoomSnapshot | undefined {
  if (snapshot === undefined || snapshot.kind === 'none') return snapshot ?? { kind: 'none' };
  const { userId, channelId, name } = fieldsOf(payload);
  if (snapshot.kind === 'guild') {
    if (event !== 'room.created' && event !== 'room.deleted') return snapshot;
    if (typeof channelId !== 'string') return undefined;
    return withChannel(snapshot, channelId, event === 'room.created' ? String(name) : undefined);
  }
  const isPresence = event === 'voice.joined' || event === 'voice.left' || event === 'voice.updated';
  if (isPresence && typeof userId !== 'string') return undefined;
  if (event === 'voice.snapshot' && !isSnapshot(fieldsOf(payload).snapshot)) return undefined;
  return applyVoiceEvent(snapshot, event, payload);
}

function withChannel(guild: GuildRoomSnapshot, channelId: string, name: string | undefined): GuildRoomSnapshot {
  const channels = new Map(guild.channels.map((channel) => [channel.channelId, channel]));
  if (name === undefined) channels.delete(channelId);
  else channels.set(channelId, { channelId, name });
  return { ...guild, channels: [...channels.values()] };
}
