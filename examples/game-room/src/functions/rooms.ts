/** Server functions around rooms. The app comes as context, never as an import. */
import { notFound } from '@tanstack/react-router';
import { createServerFn } from '@tanstack/react-start';
import { getRequestHeader } from '@tanstack/react-start/server';
import * as z from 'zod';
import { roomNameOf } from '../server/room-directory.js';

/** The rooms of the guild, and whether Discord is simulated. */
export const listRooms = createServerFn().handler(({ context: { app } }) => ({
  guildId: app.guildId,
  rooms: app.rooms.list().map(({ channelId, name }) => ({ channelId, name })),
  simulated: app.simulation !== undefined,
}));

/** One room; a page for it is "not found" when there is none. */
export const getRoom = createServerFn()
  // Whatever stands in the address: what is no room's id is no room either.
  .validator(z.object({ channelId: z.string() }))
  .handler(({ data, context: { app } }) => {
    const room = app.rooms.get(data.channelId);
    if (room === undefined) throw notFound();
    return { ...room, guildId: app.guildId, simulated: app.simulation !== undefined };
  });

/** Makes a voice channel in the guild. What went wrong is told as a result: a thrown error would reach the browser whole. */
export const createRoom = createServerFn({ method: 'POST' })
  .validator(z.object({ name: z.string() }))
  .handler(async ({ data, context: { app } }) => {
    const userId = app.guests.read(getRequestHeader('cookie'));
    if (userId === undefined) return { ok: false as const, message: 'Reload the page and try again.' };
    const name = roomNameOf(data.name);
    if (name === undefined) {
      return { ok: false as const, message: 'Give the room a name of 1 to 100 characters that can be seen.' };
    }
    try {
      const room = await app.createRoom(userId, name);
      return { ok: true as const, room: { channelId: room.channelId, name: room.name } };
    } catch (error) {
      app.logger.warn({ userId, reason: error instanceof Error ? error.message : 'unknown' }, 'room not created');
      return { ok: false as const, message: 'Discord did not create the room. Try again in a moment.' };
    }
  });
