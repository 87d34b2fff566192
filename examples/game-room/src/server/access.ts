/** Owns who may see what: a room's seats decide, for channels of the server everybody who is logged in may. */
import type { RoomService } from '@guildkit/server-kit/rooms';
import type { RoomDirectory } from './room-directory.js';

export interface Access {
  /** Whether somebody has a seat in the channel's room. */
  isIn(userId: string, channelId: string): Promise<boolean>;
  /** Whether somebody may see a channel: an open one, or a room in which they have a seat. */
  maySee(userId: string, channelId: string): Promise<boolean>;
}

export function createAccess(rooms: Pick<RoomService, 'get'>, directory: Pick<RoomDirectory, 'knows'>): Access {
  const isIn: Access['isIn'] = async (userId, channelId) => {
    const room = await rooms.get(channelId);
    return room !== undefined && (room.creatorId === userId || room.holders.includes(userId));
  };
  return {
    isIn,
    async maySee(userId, channelId) {
      return (await rooms.get(channelId)) === undefined ? directory.knows(channelId) : isIn(userId, channelId);
    },
  };
}
