/**
 * One process of an app: a hub on a Redis, with sockets and streams on a port of loopback. Its parent tells it what to
 * publish; SIGTERM drains it. Argument: a JSON of {@link AppProcessSettings}.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { redisEngine } from '@guildkit/redis';
import { applyRoomEvent, initialRoomState, RealtimeHub } from '@guildkit/server-kit/hub';
import { createClient } from 'redis';

export interface AppProcessSettings {
  /** Socket file of the Redis. */
  readonly socket: string;
  readonly maxEvents: number;
  readonly maxAgeMs: number;
  readonly tailCheckMs: number;
  /** Between telling clients of the end and closing their sockets, and the span they are told to come back in. */
  readonly drainMs: number;
}

/** What the parent asks. */
export interface PublishOrder {
  readonly order: number;
  readonly room: string;
  readonly id: string;
}

/** What the process tells its parent. */
export type AppProcessNews =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'published'; readonly order: number; readonly epoch: string; readonly seq: number }
  | { readonly type: 'refused'; readonly order: number };

async function main({ socket, drainMs, ...log }: AppProcessSettings): Promise<void> {
  const tell = (news: AppProcessNews) => {
    if (process.connected) process.send?.(news);
  };
  const client = createClient({ socket: { path: socket, reconnectStrategy: 100 }, disableOfflineQueue: true });
  client.on('error', () => {});
  await client.connect();
  const engine = redisEngine({ client, applyRoomEvent, initialRoomState, ...log });
  const hub = new RealtimeHub({
    origins: [],
    authenticate: ({ token }) =>
      token?.startsWith('user-') ? { userId: token, roles: [], expiresAt: Number.POSITIVE_INFINITY } : null,
    authorize: () => true,
    engine,
    drainSpreadMs: drainMs,
    // Clients reconnect in storms here, and give up never.
    maxReconnectAttempts: 1_000,
    reconnectCapMs: 5_000,
  });
  const server = createServer();
  hub.attach(server, { ws: '/api/ws', sse: '/api/stream' });
  // A storm of reconnects is longer than the queue of 511 that is node's default.
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 });
  await once(server, 'listening');

  process.on('message', ({ order, room, id }: PublishOrder) => {
    // An event of the app's own: its name and payload are no business of the hub.
    (hub.publish as (...args: unknown[]) => Promise<{ epoch: string; seq: number }>)
      .call(hub, room, 'game.scored', { id }, { id })
      .then(
        ({ epoch, seq }) => tell({ type: 'published', order, epoch, seq }),
        () => tell({ type: 'refused', order }),
      );
  });
  process.once('SIGTERM', () => {
    void hub.close({ drainMs }).then(async () => {
      await engine.close();
      client.destroy();
      process.exit();
    });
  });
  process.once('disconnect', () => process.exit());
  tell({ type: 'listening', port: (server.address() as AddressInfo).port });
}

void main(JSON.parse(process.argv[2] ?? '{}') as AppProcessSettings);
