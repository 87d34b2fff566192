/** Server functions around rooms. The app comes as context, never as an import. */
import { GuildkitError } from '@guildkit/core';
import { notFound } from '@tanstack/react-router';
import { createServerFn } from '@tanstack/react-start';
import * as z from 'zod';
import { roomNameOf } from '../server/room-directory.js';
import { withSession } from './session.js';

const channelId = z.string().regex(/^[0-9]{1,20}$/);

/** What went wrong is told as a result: a thrown error would reach the browser whole. */
interface Problem {
  readonly ok: false;
  readonly message: string;
}

const NOT_LOGGED_IN: Problem = { ok: false, message: 'You are not logged in any more. Reload the page.' };

/** What people read, by code. Anything else is Discord's doing. */
const SENTENCES: Readonly<Record<string, string>> = {
  ERR_ROOM_FULL: 'This room is full: four people are in it.',
  ERR_ROOM_OVER: 'This room has been closed.',
  ERR_ROOM_BUSY: 'Your room is being made already.',
  ERR_ROOM_UNKNOWN: 'There is no such room any more.',
  ERR_ROOM_FORBIDDEN: 'Only the person who opened the room may do that.',
  ERR_ROOM_MEMBERSHIP_REQUIRED: 'You are not on this Discord server. Log out and in again to be added to it.',
  ERR_INVITE_TOKEN_EXPIRED: 'This invite has expired. Ask for a new one.',
  ERR_INVITE_TOKEN_REVOKED: 'This invite is no longer valid: the room has been closed.',
  ERR_INVITE_TOKEN_INVALID: 'This invite is not valid. Check that the whole link was copied.',
  ERR_INVITE_ROOM_MISMATCH: 'This invite is for another room.',
  ERR_INVITE_USES_SPENT: 'This invite has been used up.',
};

/** The rooms that somebody sees: those they have a seat in, and the open channels of the guild. */
export const listRooms = createServerFn()
  .middleware([withSession])
  .handler(async ({ context: { app, session } }) => {
    if (session === null) return { guildId: app.guildId, mine: [], open: [] };
    const all = await app.rooms.list();
    const closed = new Set(all.map((room) => room.channelId));
    const mine = all.filter(
      ({ creatorId, holders }) => creatorId === session.userId || holders.includes(session.userId),
    );
    return {
      guildId: app.guildId,
      mine: mine.map(({ channelId: id, name, creatorId }) => ({
        channelId: id,
        name,
        isHost: creatorId === session.userId,
      })),
      open: app.openChannels(closed).map(({ channelId: id, name }) => ({ channelId: id, name, isHost: false })),
    };
  });

/** One room; a page for it is "not found" when there is none that this player may see. */
export const getRoom = createServerFn()
  // Whatever stands in the address: what is no room's id is no room either.
  .validator(z.object({ channelId: z.string() }))
  .middleware([withSession])
  .handler(async ({ data, context: { app, session } }) => {
    if (session === null) return undefined;
    const entry = app.directory.get(data.channelId);
    const record = await app.rooms.get(data.channelId);
    const name = entry?.name ?? (record?.state === 'open' ? record.name : undefined);
    if (name === undefined || !(await app.maySee(session.userId, data.channelId))) throw notFound();
    return {
      channelId: data.channelId,
      name,
      guildId: app.guildId,
      simulated: app.simulation !== undefined,
      /** Whether there are bots that speak for players who talk from the page. */
      hasSeats: app.seats.size > 0,
      /** A room of this app: with seats, invites and an end. Other voice channels are the server's. */
      isRoom: record !== undefined,
      isHost: record?.creatorId === session.userId,
    };
  });

/** Opens a room. */
export const createRoom = createServerFn({ method: 'POST' })
  .validator(z.object({ name: z.string(), key: z.string().regex(/^[\w-]{8,64}$/) }))
  .middleware([withSession])
  .handler(async ({ data, context: { app, session } }) => {
    if (session === null) return NOT_LOGGED_IN;
    const name = roomNameOf(data.name);
    if (name === undefined) {
      return { ok: false as const, message: 'Give the room a name of 1 to 100 characters that can be seen.' };
    }
    return saying(app.logger, 'Discord did not create the room. Try again in a moment.', async () => {
      const { userId: creatorId, accessToken } = session;
      const created = await app.rooms.create({
        creatorId,
        name,
        idempotencyKey: data.key,
        accessToken: accessToken.reveal(),
      });
      // Its page opens at once, and may be faster than the gateway.
      app.directory.add(created);
      return { channelId: created.channelId };
    });
  });

/** A link with which somebody else gets in. Good for a day. */
export const createInvite = createServerFn({ method: 'POST' })
  .validator(z.object({ channelId }))
  .middleware([withSession])
  .handler(async ({ data, context: { app, session } }) => {
    if (session === null) return NOT_LOGGED_IN;
    return saying(app.logger, 'The invite was not made. Try again in a moment.', async () => {
      const room = await app.rooms.get(data.channelId);
      if (room?.state !== 'open' || !(await app.maySee(session.userId, data.channelId))) throw notFound();
      const { token } = await app.invites.create({ ...room, creatorId: session.userId });
      return { path: `/join/${room.channelId}?invite=${token}` };
    });
  });

/** Takes a seat, and brings the player into the voice channel, or says where it is. */
export const joinRoom = createServerFn({ method: 'POST' })
  .validator(z.object({ channelId, invite: z.string().min(1).max(2_048) }))
  .middleware([withSession])
  .handler(async ({ data, context: { app, session } }) => {
    if (session === null) return NOT_LOGGED_IN;
    return saying(app.logger, 'Discord did not let you in. Try again in a moment.', async () => {
      const { userId, accessToken } = session;
      const { placement } = await app.rooms.join({ ...data, userId, accessToken: accessToken.reveal() });
      return { how: placement.how };
    });
  });

/** Gives the seat back. */
export const leaveRoom = createServerFn({ method: 'POST' })
  .validator(z.object({ channelId }))
  .middleware([withSession])
  .handler(async ({ data, context: { app, session } }) => {
    if (session === null) return NOT_LOGGED_IN;
    return saying(app.logger, 'Discord did not answer. Try again in a moment.', async () => {
      await app.rooms.leave(data.channelId, session.userId);
      app.hub.revalidate(session.userId);
      return {};
    });
  });

/** Ends a room for all: channel, role and invites go. */
export const endRoom = createServerFn({ method: 'POST' })
  .validator(z.object({ channelId }))
  .middleware([withSession])
  .handler(async ({ data, context: { app, session } }) => {
    if (session === null) return NOT_LOGGED_IN;
    return saying(app.logger, 'Discord did not close the room. Try again in a moment.', async () => {
      await app.rooms.end(data.channelId, { userId: session.userId });
      return {};
    });
  });

/** What was said lately, oldest first. */
export const getMessages = createServerFn()
  .validator(z.object({ channelId }))
  .middleware([withSession])
  .handler(async ({ data, context: { app, session } }) => {
    if (session === null) return NOT_LOGGED_IN;
    return saying(app.logger, 'The messages of before could not be loaded.', async () => {
      if (!(await app.maySee(session.userId, data.channelId))) throw notFound();
      return { messages: (await app.messages(data.channelId)).map((message) => ({ ...message })) };
    });
  });

async function saying<T extends object>(
  logger: { warn(fields: object, message: string): void },
  otherwise: string,
  work: () => Promise<T>,
): Promise<Problem | ({ readonly ok: true } & T)> {
  try {
    return { ok: true, ...(await work()) };
  } catch (error) {
    const code = GuildkitError.is(error) ? error.code : 'unknown';
    const reason = error instanceof Error ? error.message : 'unknown';
    logger.warn({ code, reason }, 'a request of a player failed');
    return { ok: false, message: SENTENCES[code] ?? otherwise };
  }
}
