/**
 * Owns one room as the client sees it: position, state, events that came too early. Every function returns a new
 * room and what follows from it. Refuses connections: the caller asks the hub and knows when.
 */
import { applyVoiceEvent, type Envelope, type Position, type RoomSnapshot } from '@guildkit/core/wire';
import { LOADING_ROOM, NOBODY, type RoomView, sameOr } from '../views.js';
import { fieldsOf, isPosition, isSnapshot, textOf } from './frame.js';

/** A subscribe that waits for its answer. */
export interface Ask {
  /** The frame's id, which the answer repeats. Empty: the hub put the answer off, ask again at `by`. */
  readonly id: string;
  /** When patience ends, ms. */
  readonly by: number;
  /** Answered: the missed events up to this seq are on their way. */
  readonly target?: number | undefined;
}

/** An event with a place in a log. */
type LogEvent = Envelope & { readonly seq: number };

/** A room. */
export interface RoomState {
  /** `idle`: not asked for on this connection. `behind`: asked, or catching up. */
  readonly phase: 'idle' | 'behind' | 'live' | 'denied';
  /** Up to where the events are applied. Without one only a snapshot helps. */
  readonly position?: Position | undefined;
  readonly snapshot?: RoomSnapshot | undefined;
  /** Events whose turn has not come, by seq: an object lists such keys in their order. */
  readonly early: Readonly<Record<number, LogEvent>>;
  readonly ask?: Ask | undefined;
  /** When to let go of the room, ms: {@link NEVER} while somebody wants it. */
  readonly releaseAt: number;
  /** Why it is `denied`: the hub's code. */
  readonly reason?: string | undefined;
  /** What it shows of itself: {@link show} keeps it up. */
  readonly view: RoomView;
}

/** What became of a room. */
export interface RoomChange {
  readonly room: RoomState;
  /** Events to hand to listeners, in order. */
  readonly deliver?: readonly Envelope[];
  /** The hub must be asked for what is missing. */
  readonly behind?: boolean;
  /** The frame's payload made no sense. */
  readonly bad?: boolean;
}

/** A time that does not come. */
export const NEVER: number = Infinity;
/** Early events kept at most. Those beyond come again with the answer to the ask that the hole has caused. */
const MAX_EARLY = 256;

/** A room nobody has asked for yet. */
export const NEW_ROOM: RoomState = { phase: 'idle', early: {}, releaseAt: NEVER, view: LOADING_ROOM };

/** The connection is gone. What was early comes again, or the next snapshot holds it. */
export function detach(room: RoomState): RoomState {
  return { ...room, phase: 'idle', early: {}, ask: undefined };
}

/** Access was refused or taken. What was shown is dropped, except that a deleted room stays known as deleted. */
export function deny(room: RoomState, reason: string): RoomState {
  const snapshot = isDeleted(room) ? room.snapshot : undefined;
  return { ...detach(room), phase: 'denied', position: undefined, snapshot, reason };
}

/** Brings the view up to the room: the same object while nothing of it changes. */
export function show(room: RoomState): RoomState {
  const { phase, snapshot, reason, view } = room;
  const settled = phase === 'denied' || phase === 'live' ? phase : snapshot ? 'recovering' : 'loading';
  const status = isDeleted(room) ? 'deleted' : settled;
  const members = snapshot?.kind === 'voice' ? snapshot.members : NOBODY;
  return { ...room, view: sameOr(view, { status, snapshot, members, reason }) };
}

/**
 * Takes an event of the room's log. A seq that was seen is dropped; one beyond the next waits and asks for the
 * hole.
 */
export function receive(room: RoomState, frame: Envelope): RoomChange {
  const { seq, payload } = frame;
  const last = room.position?.seq ?? -1;
  // Outside the log: nothing to order, nothing that a snapshot would hold.
  if (seq === undefined) return payload === undefined ? { room, bad: true } : { room, deliver: [frame] };
  if (seq <= last || (seq > last + 1 && Object.keys(room.early).length >= MAX_EARLY)) return { room };
  return drain({ ...room, early: { ...room.early, [seq]: frame as LogEvent } });
}

/**
 * Takes the answer to the room's ask, or a state of the whole room from `sys.snapshot`. Listeners get a state as
 * `sys.snapshot`: events may have been missed.
 */
export function restore(before: RoomState, frame: Envelope): RoomChange {
  const fields = fieldsOf(frame.payload);
  const { snapshot } = fields;
  const isRecovered = fields.recovered === true;
  if (!isPosition(fields) || !(isRecovered || isSnapshot(snapshot))) return { room: before, bad: true };
  const { epoch, seq } = fields;
  const { ask, position, early } = before;
  const room: RoomState = frame.type === 'ack' ? { ...before, phase: 'live', ask: undefined } : before;
  if (epoch === position?.epoch) {
    // The missed events are on their way.
    if (isRecovered && ask && seq > position.seq) return { room: { ...before, ask: { ...ask, target: seq } } };
    // Or a state that was overtaken by the events it was about: going back would tell listeners everything twice.
    if (isRecovered || seq < position.seq) return drain(room);
  } else if (isRecovered) {
    // Recovered from a log that is not ours: the numbers mean nothing.
    return { room: { ...room, position: undefined }, behind: true, bad: true };
  }
  // Events carry no epoch. Frames keep their order on a connection, so those of a new epoch come after this one;
  // before a first answer there is no old epoch.
  return drain(
    {
      ...room,
      position: { epoch, seq },
      snapshot: snapshot as RoomSnapshot,
      early: position && epoch !== position.epoch ? {} : early,
    },
    { ...frame, type: 'event', event: 'sys.snapshot' },
  );
}

/** Whether the channel behind the room is gone. */
function isDeleted({ snapshot }: RoomState): boolean {
  return snapshot?.kind === 'voice' && snapshot.state === 'deleted';
}

/** Applies what is next in line, then tells whether a hole is left. */
function drain(room: RoomState, ...deliver: Envelope[]): RoomChange {
  if (!room.position) return { room, deliver };
  let { snapshot } = room;
  let { epoch, seq } = room.position;
  let bad = false;
  const early: Record<number, LogEvent> = {};
  for (const frame of Object.values(room.early)) {
    if (bad || frame.seq > seq + 1) early[frame.seq] = frame;
    else if (frame.seq > seq) {
      const next = apply(snapshot, frame);
      seq = frame.seq;
      if (next) deliver.push(frame);
      else bad = true;
      snapshot = next ?? snapshot;
    }
  }
  const caughtUp = seq >= (room.ask?.target ?? NEVER);
  return {
    room: {
      ...room,
      // Without an event that could not be applied the state is wrong, and no later event mends it.
      position: bad ? undefined : { epoch, seq },
      snapshot,
      early,
      ...(caughtUp && { ask: undefined, phase: 'live' }),
    },
    deliver,
    behind: bad || Object.keys(early).length > 0,
    bad,
  };
}

/** The state after an event; `undefined` when the payload does not fit the event. */
function apply(snapshot: RoomSnapshot = { kind: 'none' }, { event, payload }: Envelope): RoomSnapshot | undefined {
  if (payload === undefined) return undefined;
  const { userId, channelId, name, snapshot: next } = fieldsOf(payload);
  if (snapshot.kind === 'voice') {
    const fits =
      event === 'voice.snapshot'
        ? isSnapshot(next)
        : !/^voice\.(joined|left|updated)$/.test(event) || typeof userId === 'string';
    return fits ? applyVoiceEvent(snapshot, event, payload) : undefined;
  }
  const isCreated = event === 'room.created';
  if (snapshot.kind !== 'guild' || !(isCreated || event === 'room.deleted')) return snapshot;
  if (typeof channelId !== 'string') return undefined;
  const channels = new Map(snapshot.channels.map((channel) => [channel.channelId, channel]));
  if (isCreated) channels.set(channelId, { channelId, name: textOf(name) });
  else channels.delete(channelId);
  return { ...snapshot, channels: [...channels.values()] };
}
