/** Owns the HTTP routes of rooms as the app serves them: who asks is who is logged in. */
import { createRoomHandlers, type RoomHandlers } from '@guildkit/server-kit/rooms';
import type { App } from './app.js';

/** A route of rooms: sessions that ran out are renewed, and requests from other pages refused, before it is asked. */
export function serveRooms(
  { login, rooms, logger }: App,
  request: Request,
  work: (handlers: RoomHandlers, request: Request) => Promise<Response>,
): Promise<Response> {
  return login.sessions.requireSession((checked, { session }) =>
    work(createRoomHandlers({ rooms, principalOf: async () => session, logger }), checked),
  )(request);
}
