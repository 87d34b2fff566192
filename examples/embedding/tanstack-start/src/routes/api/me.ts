import { createFileRoute } from '@tanstack/react-router';

export const Route = createFileRoute('/api/me')({
  server: { handlers: { GET: ({ request, context: { parts } }) => parts.handlers.me(request) } },
});
