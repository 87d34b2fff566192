import { createFileRoute } from '@tanstack/react-router';

export const Route = createFileRoute('/api/echo')({
  server: { handlers: { POST: ({ request, context: { parts } }) => parts.handlers.echo(request) } },
});
