import { createFileRoute } from '@tanstack/react-router';

/** What the page /ops shows, for scripts of operators; for anybody else there is no such page. */
export const Route = createFileRoute('/api/ops')({
  server: {
    handlers: {
      GET: ({ request, context: { app } }) =>
        app.login.sessions.requireSession(async (_request, { session }) =>
          app.ops.allows(session.userId)
            ? Response.json(await app.ops.view(), { headers: { 'cache-control': 'no-store' } })
            : new Response('not found', { status: 404 }),
        )(request),
    },
  },
});
