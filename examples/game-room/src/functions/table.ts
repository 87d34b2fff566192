/** Server functions around the table of a room, and what its host may do. */
import { createServerFn } from '@tanstack/react-start';
import * as z from 'zod';
import { withSession } from './session.js';

const snowflake = z.string().regex(/^[0-9]{1,20}$/);

/** The seats that are in a channel, and whom each stands for. */
export const getSeats = createServerFn()
  .validator(z.object({ channelId: snowflake }))
  .middleware([withSession])
  .handler(async ({ data: { channelId }, context: { app, session } }) => {
    if (session === null || !(await app.maySee(session.userId, channelId))) return [];
    return app.seats.presence.seatsIn(channelId).map((seat) => ({ ...seat }));
  });

/** The player got up: others see it at once, not when the table has stopped waiting for them. */
export const leaveTable = createServerFn({ method: 'POST' })
  .validator(z.object({ channelId: snowflake }))
  .middleware([withSession])
  .handler(async ({ data: { channelId }, context: { app, session } }) => {
    if (session !== null) app.seats.getUp(session.userId, channelId);
  });

/**
 * What a host may do with a player: whether they have muted them, and where they may move them to, which is the open
 * channels, and rooms of theirs in which the player has a seat.
 */
export const getHostMenu = createServerFn()
  .validator(z.object({ channelId: snowflake, userId: snowflake }))
  .middleware([withSession])
  .handler(async ({ data: { channelId, userId }, context: { app, session } }) => {
    if (session === null || (await app.rooms.get(channelId))?.creatorId !== session.userId) return undefined;
    const places: { channelId: string; name: string }[] = [];
    for (const place of app.directory.list()) {
      const isElsewhere = place.channelId !== channelId;
      if (
        isElsewhere &&
        (await app.maySee(session.userId, place.channelId)) &&
        (await app.maySee(userId, place.channelId))
      )
        places.push({ channelId: place.channelId, name: place.name });
    }
    return { isMuted: app.moderation.isMuted(userId, channelId), places };
  });
