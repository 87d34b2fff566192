/** Express 5. No body parser in front: webhooks are verified over the bytes as they came. */
import { createServer } from 'node:http';
import express from 'express';
import { listen } from './listen.js';
import { nodeHandler } from './node-handler.js';
import type { Listening, Parts } from './parts.js';

export function startExpress({ routes, hub }: Parts): Promise<Listening> {
  const app = express();
  app.disable('x-powered-by');
  for (const { method, path, handler } of routes) {
    const serve = nodeHandler(handler);
    app[method === 'GET' ? 'get' : 'post'](path, (request, response) => void serve(request, response));
  }
  return listen(createServer(app), hub);
}
