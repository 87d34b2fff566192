/** Hono: handlers of the Web's shape fit as they are. */
import { createServer } from 'node:http';
import { Hono } from 'hono';
import { listen } from './listen.js';
import { nodeHandler } from './node-handler.js';
import type { Listening, Parts } from './parts.js';

export function startHono({ routes, hub }: Parts): Promise<Listening> {
  const app = new Hono();
  for (const { method, path, handler } of routes) app.on(method, path, (context) => handler(context.req.raw));
  return listen(createServer(nodeHandler((request) => app.fetch(request))), hub);
}
