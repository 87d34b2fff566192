/**
 * Owns the HTTP server: static files, TanStack Start's handler, security headers, the hub's upgrades. Refuses to know
 * any route.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { messageOf } from '@guildkit/core';
import { currentTraceId, observeHandler } from '@guildkit/server-kit/observability';
import { toNodeHandler } from 'srvx/node';
import { staticMiddleware } from 'srvx/static';
import type { App } from './app.js';
import { routeOf } from './app-metrics.js';

/** What TanStack Start's server entry is to this file. */
export interface StartEntry {
  fetch(request: Request, options: { context: { app: App; nonce: string } }): Response | Promise<Response>;
}

const YEAR_SECONDS = 365 * 24 * 60 * 60;
const MAX_BODY_BYTES = 64 * 1024;
/** Where a worker posts events, among them snapshots of a whole server. The receiver counts the bytes once more. */
const EVENTS_PATH = '/api/internal/events';
const MAX_EVENT_BYTES = 1024 * 1024;
const HUB_PATHS = { ws: '/api/ws', sse: '/api/stream' } as const;
const MEDIA_PATH = '/api/media';

/**
 * @param clientDir Where the build put the browser's files.
 * @param baseUrl Where people reach the app, when that is known.
 */
export function createWebServer(app: App, entry: StartEntry, clientDir: string, baseUrl?: URL): Server {
  // File names in /assets/ carry a hash of the content; the others may change under their name.
  // The build has packed them as small as it gets.
  const hashed = staticMiddleware({ dir: clientDir, maxAge: YEAR_SECONDS, immutable: true, encodings: true });
  const plain = staticMiddleware({ dir: clientDir, maxAge: 300 });

  const isSecure = baseUrl?.protocol === 'https:';
  const answer = async (request: Request, nonce: string): Promise<Response> => {
    try {
      const files = new URL(request.url).pathname.startsWith('/assets/') ? hashed : plain;
      return await files(request as never, async () => {
        const page = await entry.fetch(request, { context: { app, nonce } });
        // A copy: the headers of `Response.redirect()` cannot be changed.
        return new Response(page.body, page);
      });
    } catch (error) {
      // Nobody above catches: without an answer here one bad request would end the process.
      return failure(app, error);
    }
  };
  const handler = async (request: Request): Promise<Response> => {
    const nonce = randomBytes(16).toString('base64');
    const { pathname } = new URL(request.url);
    const observed = observeHandler(() => answer(request, nonce), { route: routeOf(pathname), metrics: app.metrics });
    const response = await observed(request);
    for (const [name, value] of securityHeaders(nonce, isSecure)) response.headers.set(name, value);
    // A page carries its nonce: a stored copy would be refused by the next one's policy.
    if (!response.headers.has('cache-control')) response.headers.set('cache-control', 'no-store');
    // The rest of a body that is too large is not read: on this connection the next request would wait behind it.
    if (response.status === 413) response.headers.set('connection', 'close');
    return response;
  };

  const pages = toNodeHandler(handler, { maxRequestBodySize: MAX_BODY_BYTES }) as RequestListener;
  const events = toNodeHandler(handler, { maxRequestBodySize: MAX_EVENT_BYTES }) as RequestListener;
  const server = createServer({ ServerResponse: guardedResponse(isSecure) }, (request, response) =>
    (request.url?.split('?', 1)[0] === EVENTS_PATH ? events : pages)(request, response),
  );
  app.hub.attach(server, HUB_PATHS);
  app.seats.relay.attach(server, MEDIA_PATH);
  server.on('upgrade', refuseForeignUpgrade);
  return server;
}

function failure(app: App, error: unknown): Response {
  const requestId = currentTraceId() ?? randomUUID();
  app.logger.error({ requestId, reason: messageOf(error) }, 'request failed');
  const message = 'Something went wrong on our side. Try again in a moment.';
  return Response.json({ error: { code: 'ERR_APP_FAILED', message, requestId } }, { status: 500 });
}

/** Node leaves an upgrade that no listener takes open for ever, and a server with an open socket does not close. */
function refuseForeignUpgrade(request: IncomingMessage, socket: Duplex): void {
  const path = request.url?.split('?', 1)[0];
  if (path === HUB_PATHS.ws || path === MEDIA_PATH) return;
  socket.on('error', () => {});
  socket.once('finish', () => socket.destroy());
  socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
}

/** Answers that the hub writes itself have them too. A page's own policy, with its nonce, takes the place of this one. */
function guardedResponse(isSecure: boolean): typeof ServerResponse<IncomingMessage> {
  const headers = securityHeaders('', isSecure);
  return class extends ServerResponse<IncomingMessage> {
    constructor(...options: ConstructorParameters<typeof ServerResponse<IncomingMessage>>) {
      super(...options);
      for (const [name, value] of headers) this.setHeader(name, value);
    }
  };
}

function securityHeaders(nonce: string, isSecure: boolean): readonly (readonly [string, string])[] {
  const policy = [
    "default-src 'none'",
    // What gathers the microphone's samples is an audio worklet from a blob, which only scripts of the page can make.
    `script-src 'self'${nonce && ` 'nonce-${nonce}'`} blob:`,
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
    ['permissions-policy', 'camera=(self), microphone=(self), geolocation=()'],
    ...(isSecure ? ([['strict-transport-security', `max-age=${YEAR_SECONDS}`]] as const) : []),
  ];
}
