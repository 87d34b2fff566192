import { createFileRoute } from '@tanstack/react-router';

/** Gives a page the short-lived token with which it opens the hub. */
export const Route = createFileRoute('/api/token')({
  server: {
    handlers: {
      POST: ({ request, context: { app } }) =>
        app.login.sessions.requireSession(async (_request, { session }) => {
          const { token, expiresAt } = await app.issueToken(session.userId, session.roles);
          return Response.json({ token, expiresAt }, { headers: { 'cache-control': 'no-store' } });
        })(request),
    },
  },
});
