import { createFileRoute } from '@tanstack/react-router';

/** For Prometheus. Behind a proxy that is reached from outside, keep this path inside. */
export const Route = createFileRoute('/metrics')({
  server: { handlers: { GET: ({ request, context: { app } }) => app.metrics.handler(request) } },
});
