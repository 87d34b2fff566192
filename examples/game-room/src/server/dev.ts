/** Owns the app under `vite dev`: made once, kept across reloads, its hub attached beside vite's own socket. */
import type { Server } from 'node:http';
import { type App, createApp } from './app.js';
import { DEV_APP } from './dev-app-key.js';
import { createAppLogger } from './logger.js';
import { readSettings } from './settings.js';

export async function attachDevApp(server: Server | null): Promise<void> {
  const settings = readSettings(process.env);
  const origin = () => {
    const address = server?.address();
    return settings.baseUrl?.origin ?? `http://localhost:${typeof address === 'object' ? address?.port : 5173}`;
  };
  const app: App = await createApp({ settings, origin, logger: createAppLogger(settings.logLevel, true) });
  Reflect.set(globalThis, DEV_APP, app);
  if (server === null) return;
  // The hub answers its own path alone and leaves vite's upgrades to vite.
  app.hub.attach(server, { ws: '/api/ws', sse: '/api/stream' });
  app.seats.relay.attach(server, '/api/media');
  server.once('close', () => void app.close());
}
