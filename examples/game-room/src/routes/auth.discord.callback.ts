import { createFileRoute } from '@tanstack/react-router';

/** Where Discord sends the browser back to. */
export const Route = createFileRoute('/auth/discord/callback')({
  server: { handlers: { GET: ({ request, context: { app } }) => app.login.sessions.callbackHandler(request) } },
});
