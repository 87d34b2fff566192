/** Plain node:http: srvx turns its requests into those of the Web. */
import { createServer } from 'node:http';
import { listen } from './listen.js';
import { nodeHandler } from './node-handler.js';
import type { Listening, Parts } from './parts.js';

export function startPlainNode({ routes, hub }: Parts): Promise<Listening> {
  const server = createServer(
    nodeHandler((request) => {
      const { pathname } = new URL(request.url);
      const route = routes.find(({ method, path }) => method === request.method && path === pathname);
      return route === undefined ? new Response(null, { status: 404 }) : route.handler(request);
    }),
  );
  return listen(server, hub);
}
