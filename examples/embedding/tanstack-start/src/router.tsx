import { createRouter } from '@tanstack/react-router';
import type { Parts } from '../../src/parts.js';
import { routeTree } from './routeTree.gen.js';

/** TanStack Start calls this once for each request. */
export function getRouter() {
  return createRouter({ routeTree });
}

declare module '@tanstack/react-start' {
  interface Register {
    /** What `serve.ts` hands over with each request: no module of a route holds a part of its own. */
    server: { requestContext: { parts: Parts } };
  }
}
