/** Owns who may see what: a room's seats decide, for channels of the server everybody who is logged in may. */
import type { RoomService } from '@guildkit/server-kit/rooms';
import type { Room, RoomDirectory } from './room-directory.js';

export interface Access {
  /** Whether somebody has a seat in the channel's room. */
  isIn(userId: string, channelId: string): Promise<boolean>;
  /** Whether somebody may see a channel: an open one, or a room in which they have a seat. */
  maySee(userId: string, channelId: string): Promise<boolean>;
  /**
   * The same, of a page that asks to listen. Rejects while too little is known, as after a start, before the worker has
   * said what there is and Discord which of it are rooms: that is no "no", and the page asks again.
   */
  mayListen(userId: string, channelId: string): Promise<boolean>;
  /** Channels of the server that are for all: none while it is not known which of them are rooms. */
  openChannels(roomIds: ReadonlySet<string>): readonly Room[];
}

/** @param knowsRooms Whether it is known which channels are rooms. Until then none is taken for an open channel. */
export function createAccess(
  rooms: Pick<RoomService, 'get'>,
  directory: Pick<RoomDirectory, 'knows' | 'list'>,
  knowsRooms: () => boolean,
): Access {
  const isIn: Access['isIn'] = async (userId, channelId) => {
    const room = await rooms.get(channelId);
    return room !== undefined && (room.creatorId === userId || room.holders.includes(userId));
  };
  const maySee: Access['maySee'] = async (userId, channelId) =>
    (await rooms.get(channelId)) === undefined ? knowsRooms() && directory.knows(channelId) : isIn(userId, channelId);
  return {
    isIn,
    maySee,
    async mayListen(userId, channelId) {
      if (await maySee(userId, channelId)) return true;
      if (!knowsRooms() || directory.list().length === 0)
        throw new Error('the channels of the server are not known yet');
      return false;
    },
    openChannels: (roomIds) =>
      knowsRooms() ? directory.list().filter(({ channelId }) => !roomIds.has(channelId)) : [],
  };
}
