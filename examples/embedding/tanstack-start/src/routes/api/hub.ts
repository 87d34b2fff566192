import { createFileRoute } from '@tanstack/react-router';

/** The request's body is untouched here: webhooks are verified over the bytes as they came. */
export const Route = createFileRoute('/api/hub')({
  server: { handlers: { POST: ({ request, context: { parts } }) => parts.handlers.webhook(request) } },
});
