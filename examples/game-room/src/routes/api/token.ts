import { createFileRoute } from '@tanstack/react-router';

/** Gives a page the short-lived token with which it opens the hub, and remembers the guest in an httpOnly cookie. */
export const Route = createFileRoute('/api/token')({
  server: {
    handlers: {
      POST: async ({ request, context: { app } }) => {
        const origin = request.headers.get('origin');
        if (origin === null || !app.allowsOrigin(origin, request.headers)) {
          return Response.json(
            { error: { code: 'ERR_APP_ORIGIN_REFUSED', message: 'This page may not ask for a token.' } },
            { status: 403 },
          );
        }
        const guest = app.guests.admit(request.headers.get('cookie'));
        const { token, expiresAt } = await app.issueToken(guest.userId);
        const headers = new Headers({ 'cache-control': 'no-store' });
        if (guest.setCookie !== undefined) headers.append('set-cookie', guest.setCookie);
        return Response.json({ token, expiresAt }, { headers });
      },
    },
  },
});
