import { createFileRoute } from '@tanstack/react-router';

export const Route = createFileRoute('/.well-known/jwks.json')({
  server: { handlers: { GET: ({ request, context: { parts } }) => parts.handlers.keys(request) } },
});
