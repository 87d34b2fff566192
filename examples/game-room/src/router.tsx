import { createRouter } from '@tanstack/react-router';
import { getGlobalStartContext } from '@tanstack/react-start';
import { PageNotFound } from './components/not-found.js';
import { PageError } from './components/page-error.js';
import { routeTree } from './routeTree.gen.js';
import type { App } from './server/app.js';

/** TanStack Start calls this once a request on the server, and once in the browser. */
export function getRouter() {
  const nonce = getGlobalStartContext()?.nonce;
  return createRouter({
    routeTree,
    scrollRestoration: true,
    defaultPreload: 'intent',
    defaultErrorComponent: PageError,
    defaultNotFoundComponent: PageNotFound,
    // Inline scripts of the page carry the nonce that the content security policy names.
    ...(nonce !== undefined && { ssr: { nonce } }),
  });
}

declare module '@tanstack/react-start' {
  interface Register {
    /** What the serve entry hands over with each request. */
    server: { requestContext: { app: App; nonce?: string } };
  }
}
