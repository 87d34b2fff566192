import { createFileRoute } from '@tanstack/react-router';

/** Ends the session, here and at Discord, and shows the way in. */
export const Route = createFileRoute('/auth/discord/logout')({
  server: {
    handlers: {
      POST: async ({ request, context: { app } }) => {
        const done = await app.login.sessions.logoutHandler(request);
        if (!done.ok) return done;
        const headers = new Headers(done.headers);
        headers.set('location', '/');
        return new Response(null, { status: 303, headers });
      },
    },
  },
});
