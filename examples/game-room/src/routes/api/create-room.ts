import { createFileRoute } from '@tanstack/react-router';
import { serveRooms } from '../../server/room-routes.js';

/** `{ name?, parentId?, userLimit? }`, header `Idempotency-Key`: 201 and the room with its invite. */
export const Route = createFileRoute('/api/create-room')({
  server: {
    handlers: {
      POST: ({ request, context: { app } }) => serveRooms(app, request, (rooms, checked) => rooms.createRoom(checked)),
    },
  },
});
