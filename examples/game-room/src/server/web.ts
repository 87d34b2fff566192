/**
 * Owns the HTTP server: static files, TanStack Start's handler, security headers, the hub's upgrades. Refuses to know
 * any route.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import { toNodeHandler } from 'srvx/node';
import { staticMiddleware } from 'srvx/static';
import type { App } from './app.js';

/** What TanStack Start's server entry is to this file. */
export interface StartEntry {
  fetch(request: Request, options: { context: { app: App; nonce: string } }): Response | Promise<Response>;
}

const YEAR_SECONDS = 365 * 24 * 60 * 60;
const MAX_BODY_BYTES = 64 * 1024;

/** @param clientDir Where the build put the browser's files. */
export function createWebServer(app: App, entry: StartEntry, clientDir: string): Server {
  // File names in /assets/ carry a hash of the content; the others may change under their name.
  const hashed = staticMiddleware({ dir: clientDir, maxAge: YEAR_SECONDS, immutable: true });
  const plain = staticMiddleware({ dir: clientDir, maxAge: 300 });

  const handler = async (request: Request): Promise<Response> => {
    const nonce = randomBytes(16).toString('base64');
    const files = new URL(request.url).pathname.startsWith('/assets/') ? hashed : plain;
    const response = await files(request as never, () => entry.fetch(request, { context: { app, nonce } }));
    for (const [name, value] of securityHeaders(nonce)) response.headers.set(name, value);
    // A page carries its nonce: a stored copy would be refused by the next one's policy.
    if (!response.headers.has('cache-control')) response.headers.set('cache-control', 'no-store');
    return response;
  };

  const server = createServer(toNodeHandler(handler, { maxRequestBodySize: MAX_BODY_BYTES }) as RequestListener);
  app.hub.attach(server, { ws: '/api/ws' });
  return server;
}

function securityHeaders(nonce: string): readonly (readonly [string, string])[] {
  const policy = [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ];
  return [
    ['content-security-policy', policy.join('; ')],
    ['x-content-type-options', 'nosniff'],
    ['referrer-policy', 'same-origin'],
    ['cross-origin-opener-policy', 'same-origin'],
  ];
}
