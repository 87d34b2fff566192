/** Fastify. Its own reading of bodies is switched off: webhooks are verified over the bytes as they came. */
import fastify from 'fastify';
import { listen } from './listen.js';
import { nodeHandler } from './node-handler.js';
import type { Listening, Parts } from './parts.js';

export async function startFastify({ routes, hub }: Parts): Promise<Listening> {
  const app = fastify();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  for (const { method, path, handler } of routes) {
    const serve = nodeHandler(handler);
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        // The answer is written by the handler, not by Fastify.
        reply.hijack();
        await serve(request.raw, reply.raw);
      },
    });
  }
  await app.ready();
  return listen(app.server, hub);
}
