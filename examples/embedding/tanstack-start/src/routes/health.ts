import { createFileRoute } from '@tanstack/react-router';

export const Route = createFileRoute('/health')({
  server: { handlers: { GET: ({ request, context: { parts } }) => parts.handlers.health(request) } },
});
