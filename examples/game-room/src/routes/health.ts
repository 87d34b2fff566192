import { createFileRoute } from '@tanstack/react-router';

/** For load balancers and people: 200 while Discord is connected, 503 while it is not. */
export const Route = createFileRoute('/health')({
  server: {
    handlers: {
      GET: ({ context: { app } }) => {
        const health = app.health();
        return Response.json(health, {
          status: health.status === 'ok' ? 200 : 503,
          headers: { 'cache-control': 'no-store' },
        });
      },
    },
  },
});
