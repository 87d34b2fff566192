/** Owns where rooms are kept between requests. Discord itself is the truth: a store that is lost is filled from there. */
import { type Clock, systemClock } from '@guildkit/core';
import type { RoomRecord } from './protocol/room.js';

/** Keeps rooms. Several processes share one by an implementation of their own. */
export interface RoomStore {
  /** The room of a channel. */
  get(channelId: string): Promise<RoomRecord | undefined>;
  /** The room that a call made. */
  findByMarker(marker: string): Promise<RoomRecord | undefined>;
  /** Every room that is kept, ended ones included. */
  list(): Promise<readonly RoomRecord[]>;
  /** Adds a room; `false` when its channel is known already. */
  add(room: RoomRecord): Promise<boolean>;
  /**
   * Changes a room, atomically: when another change came between, `change` is asked again. Answers with the room as it is
   * then. `change` returns `undefined` for no change and must not have effects.
   */
  update(channelId: string, change: (room: RoomRecord) => RoomRecord | undefined): Promise<RoomRecord | undefined>;
  /** Forgets a room; an unknown one is fine. */
  remove(channelId: string): Promise<void>;
  /** A ticket for exactly one of all who ask within the time; `undefined` for the others. */
  claim(key: string, ttlMs: number): Promise<string | undefined>;
  /** Gives a claim back; a ticket that has run out does nothing. */
  release(key: string, ticket: string): Promise<void>;
}

/** A store in this process. */
export function memoryRoomStore({ clock = systemClock }: { readonly clock?: Clock | undefined } = {}): RoomStore {
  const rooms = new Map<string, RoomRecord>();
  const claims = new Map<string, { readonly ticket: string; readonly until: number }>();
  return {
    get: async (channelId) => rooms.get(channelId),
    findByMarker: async (marker) => [...rooms.values()].find((room) => room.marker === marker),
    list: async () => [...rooms.values()],
    async add(room) {
      if (rooms.has(room.channelId)) return false;
      rooms.set(room.channelId, room);
      return true;
    },
    async update(channelId, change) {
      const room = rooms.get(channelId);
      if (room === undefined) return undefined;
      const next = change(room) ?? room;
      rooms.set(channelId, next);
      return next;
    },
    remove: async (channelId) => {
      rooms.delete(channelId);
    },
    async claim(key, ttlMs) {
      const now = clock.now();
      if ((claims.get(key)?.until ?? Number.NEGATIVE_INFINITY) > now) return undefined;
      const ticket = crypto.randomUUID();
      claims.set(key, { ticket, until: now + ttlMs });
      return ticket;
    },
    async release(key, ticket) {
      if (claims.get(key)?.ticket === ticket) claims.delete(key);
    },
  };
}
