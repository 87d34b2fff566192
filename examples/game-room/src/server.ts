/** TanStack Start's server entry: hands the app to routes and server functions as `context.app`. */
import handler, { createServerEntry } from '@tanstack/react-start/server-entry';
import { DEV_APP } from './server/dev-app-key.js';

type Options = Parameters<typeof handler.fetch>[1];

export default createServerEntry({
  fetch(request: Request, options?: Options) {
    // `serve.ts` passes the app. Under `vite dev` the plugin's own server calls without: the app waits in globalThis.
    const context = options?.context ?? { app: Reflect.get(globalThis, DEV_APP) };
    return handler.fetch(request, { ...options, context });
  },
});
