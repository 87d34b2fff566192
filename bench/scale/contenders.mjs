// Hubs of several processes behind one shape: `{ publish(room, n, at), sockets() }`. Each gets the same envelope of about
// 300 bytes, without compression; heartbeats are far enough apart to stay out of the measurement.
import { redisEngine } from '@guildkit/redis';
import { applyRoomEvent, initialRoomState, RealtimeHub } from '@guildkit/server-kit/hub';
import { createShardedAdapter } from '@socket.io/redis-adapter';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Server as SocketIo } from 'socket.io';
import { connectTo } from './redis.mjs';

const PAD = 'x'.repeat(150);
const BEAT_MS = 600_000;
const idOf = (n) => `event-${String(n).padStart(8, '0')}`;

/** As the hub's own, for those that have none. */
const envelope = (room, n, at) => ({
  v: 1,
  type: 'event',
  event: 'bench',
  payload: { at, n, pad: PAD },
  ts: Date.now(),
  room,
  seq: n,
  id: idOf(n),
});

function guildkit(server, engine, heartbeatMs = BEAT_MS) {
  const hub = new RealtimeHub({
    origins: [],
    authenticate: () => ({ userId: 'bench', roles: [], expiresAt: Number.POSITIVE_INFINITY }),
    authorize: () => true,
    maxConnectionsPerUser: 100_000,
    maxConnections: 100_000,
    heartbeatMs,
    engine,
  });
  hub.attach(server, { ws: '/ws' });
  return {
    publish: (room, n, at) => hub.publish(room, 'bench', { at, n, pad: PAD }, { id: idOf(n) }),
    sockets: () => hub.stats().subscriptions,
  };
}

function socketIo(server, options) {
  const io = new SocketIo(server, {
    transports: ['websocket'],
    pingInterval: BEAT_MS,
    perMessageDeflate: false,
    ...options,
  });
  let sockets = 0;
  io.on('connection', (socket) => {
    sockets += 1;
    if (!socket.recovered) socket.join(socket.handshake.query.room);
    socket.emit('joined', socket.recovered);
    socket.on('disconnect', () => {
      sockets -= 1;
    });
  });
  return {
    publish: async (room, n, at) => void io.to(room).emit('event', envelope(room, n, at)),
    sockets: () => sockets,
  };
}

/** By name: how it is spoken to, whether it spans processes, and how it is made. */
export const CONTENDERS = {
  'guildkit, Redis': {
    speaks: 'hub',
    shared: true,
    async create(server, redisPort, { heartbeatMs, ...options } = {}) {
      const client = await connectTo(redisPort);
      return guildkit(server, redisEngine({ client, applyRoomEvent, initialRoomState, ...options }), heartbeatMs);
    },
  },
  'guildkit, memory': { speaks: 'hub', shared: false, create: async (server) => guildkit(server) },
  'socket.io, Redis Streams': {
    speaks: 'socket.io',
    shared: true,
    async create(server, redisPort) {
      return socketIo(server, { adapter: createAdapter(await connectTo(redisPort)), connectionStateRecovery: {} });
    },
  },
  'socket.io, sharded pub/sub': {
    speaks: 'socket.io',
    shared: true,
    async create(server, redisPort) {
      const adapter = createShardedAdapter(await connectTo(redisPort), await connectTo(redisPort));
      return socketIo(server, { adapter });
    },
  },
};
