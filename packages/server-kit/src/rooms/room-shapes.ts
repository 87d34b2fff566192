/** Owns the shapes that the service of rooms takes, gives and tells. Refuses behaviour. */
import type { Placement } from './io/seating.js';
import type { RoomRecord } from './protocol/room.js';

/** What a new room is. */
export interface NewRoom {
  /** A Discord user id. */
  readonly creatorId: string;
  /** 1 to 100 letters. @defaultValue `'Room'` */
  readonly name?: string | undefined;
  /** The category that it goes into. */
  readonly parentId?: string | undefined;
  /** @defaultValue `maxUserLimit` */
  readonly userLimit?: number | undefined;
  /** The same key of the same creator means the same room, also after a restart. */
  readonly idempotencyKey?: string | undefined;
  /** Of the creator, with `guilds.join`: adds them to the guild when they are not in it. */
  readonly accessToken?: string | undefined;
}

/** A room that was created. */
export interface CreatedRoom {
  readonly channelId: string;
  readonly name: string;
  readonly guildId: string;
  readonly roleId: string;
  /** `undefined` without `invites`. */
  readonly invite: string | undefined;
}

/** Who joins which room. */
export interface JoinRequest {
  readonly channelId: string;
  readonly userId: string;
  /** Checked with `invites` when given. Without it the caller has decided that this user may. */
  readonly invite?: string | undefined;
  readonly accessToken?: string | undefined;
}

/** What rooms tell of. */
export interface RoomServiceEvents {
  created: { readonly room: RoomRecord };
  joined: { readonly room: RoomRecord; readonly userId: string; readonly placement: Placement };
  /** Someone gave their seat back: ask `authorize` again, `hub.revalidate(userId)`. */
  left: { readonly room: RoomRecord; readonly userId: string };
  closing: { readonly room: RoomRecord; readonly closesAt: number };
  kept: { readonly room: RoomRecord };
  ended: { readonly room: RoomRecord; readonly cause: EndCause };
}

/** Why a room ended. */
export type EndCause = 'requested' | 'idle' | 'deleted' | 'recovered';

/** What a reconciliation did. */
export interface Reconciliation {
  /** Rooms of Discord that were not known. */
  readonly adopted: number;
  /** Rooms whose end was finished. */
  readonly ended: number;
  /** Roles and channels of half-done work that were removed. */
  readonly removed: number;
}

/** What was counted. */
export interface RoomStats {
  readonly open: number;
  readonly created: number;
  readonly joined: number;
  readonly ended: Readonly<Record<EndCause, number>>;
  readonly refused: Readonly<Record<string, number>>;
}
