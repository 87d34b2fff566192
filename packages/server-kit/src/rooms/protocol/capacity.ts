/** Owns who may get a seat: a room is full when as many hold its role as fit in. */
import type { RoomRecord } from './room.js';

/** What became of asking for a seat. */
export type Admission =
  | { readonly kind: 'admitted'; readonly room: RoomRecord }
  /** Has one already. */
  | { readonly kind: 'seated' }
  | { readonly kind: 'full' }
  | { readonly kind: 'over' };

/** Asks for a seat. */
export function admit(room: RoomRecord, userId: string): Admission {
  if (room.state !== 'open') return { kind: 'over' };
  if (room.holders.includes(userId)) return { kind: 'seated' };
  if (room.holders.length >= room.userLimit) return { kind: 'full' };
  return { kind: 'admitted', room: { ...room, holders: [...room.holders, userId] } };
}

/** Gives a seat back; `undefined` when there was none. */
export function vacate(room: RoomRecord, userId: string): RoomRecord | undefined {
  if (!room.holders.includes(userId)) return undefined;
  return { ...room, holders: room.holders.filter((holder) => holder !== userId) };
}
