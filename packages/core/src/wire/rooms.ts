/** Owns room names: `guild:<id>`, `channel:<id>`, `user:<id>`. */

/** What a room is about. */
export type RoomKind = 'guild' | 'channel' | 'user';

/** A room's parts. */
export interface RoomName {
  readonly kind: RoomKind;
  /** A Discord snowflake, or whatever a user id is in this app. */
  readonly id: string;
}

/** Ids are snowflakes for guild and channel; a user id may come from another identity provider. */
const ROOM = /^(?:(guild|channel):([0-9]{1,20})|(user):([A-Za-z0-9_.@|-]{1,128}))$/;

/** Reads a room name; `undefined` when it is none. */
export function parseRoom(room: string): RoomName | undefined {
  const match = ROOM.exec(room);
  if (match === null) return undefined;
  return { kind: (match[1] ?? match[3]) as RoomKind, id: (match[2] ?? match[4]) as string };
}

/** The room of a guild. */
export const guildRoom = (guildId: string): string => `guild:${guildId}`;

/** The room of a channel. */
export const channelRoom = (channelId: string): string => `channel:${channelId}`;

/** The room of a user. */
export const userRoom = (userId: string): string => `user:${userId}`;
