import { createFileRoute } from '@tanstack/react-router';

/** Where a worker posts Discord's events (`TOPOLOGY=webhook`); signed with `HUB_SECRET`. Else there is no such page. */
export const Route = createFileRoute('/api/internal/events')({
  server: {
    handlers: {
      POST: ({ request, context: { app } }) =>
        app.receiveEvent?.(request) ?? new Response('not found', { status: 404 }),
    },
  },
});
