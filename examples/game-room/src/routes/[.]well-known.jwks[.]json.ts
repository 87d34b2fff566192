import { createFileRoute } from '@tanstack/react-router';

/** The public keys with which others check the app's tokens. */
export const Route = createFileRoute('/.well-known/jwks.json')({
  server: { handlers: { GET: ({ request, context: { app } }) => app.jwks(request) } },
});
