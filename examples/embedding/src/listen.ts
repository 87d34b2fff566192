/** Listens on this machine, with the hub's WebSocket beside whatever answers HTTP. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RealtimeHub } from '@guildkit/server-kit/hub';
import type { Listening } from './parts.js';

/** Starts a server; ending it drains the hub first. */
export async function listen(server: Server, hub: RealtimeHub): Promise<Listening> {
  hub.attach(server, { ws: '/api/ws' });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      await hub.close({ drainMs: 100 });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
