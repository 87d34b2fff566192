import { createFileRoute } from '@tanstack/react-router';
import { serveRooms } from '../../server/room-routes.js';

/** The creator's alone. 204, also the second time. */
export const Route = createFileRoute('/api/end-room/$channelId')({
  server: {
    handlers: {
      DELETE: ({ request, params: { channelId }, context: { app } }) =>
        serveRooms(app, request, (rooms, checked) => rooms.endRoom(checked, { channelId })),
    },
  },
});
