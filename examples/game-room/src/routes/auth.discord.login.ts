import { createFileRoute } from '@tanstack/react-router';

/** To Discord's consent page, or the sandbox's. */
export const Route = createFileRoute('/auth/discord/login')({
  server: { handlers: { GET: ({ request, context: { app } }) => app.login.begin(request) } },
});
