// Ways to send one event to many sockets, behind one shape: `{ publish(n, at), connections() }`. Each gets the same
// envelope of about 300 bytes, without compression; heartbeats are far enough apart to stay out of the measurement.
import { createServer } from 'node:http';
import { RealtimeHub } from '@guildkit/server-kit/hub';
import { createChannel, createSession } from 'better-sse';
import crossws from 'crossws/adapters/node';
import { Server as SocketIo } from 'socket.io';
import { WebSocketServer } from 'ws';

const PAD = 'x'.repeat(150);
const BEAT_MS = 600_000;
const ROOM = 'user:bench';

/** As the hub's own, for those that have none. */
const envelope = (n, at) => ({
  v: 1,
  type: 'event',
  event: 'bench',
  payload: { at, pad: PAD },
  ts: Date.now(),
  room: ROOM,
  seq: n,
  id: `event-${String(n).padStart(8, '0')}`,
});

function guildkit(server, { heartbeatMs = BEAT_MS, ...options } = {}) {
  const hub = new RealtimeHub({
    origins: [],
    authenticate: () => ({ userId: 'bench', roles: [], expiresAt: Number.POSITIVE_INFINITY }),
    authorize: () => true,
    maxConnectionsPerUser: 100_000,
    maxConnections: 100_000,
    heartbeatMs,
    // What waits is bounded as in an app; the load below it has to be carried.
    ...options,
  });
  hub.attach(server, { ws: '/ws', sse: '/sse' });
  return {
    hub,
    publish: (n, at) => {
      void hub.publish(ROOM, 'bench', { at, pad: PAD }, { id: `event-${String(n).padStart(8, '0')}` });
    },
    connections: () => hub.stats().subscriptions,
  };
}

/** The same hub behind another library's sockets. */
function guildkitCrossws(server) {
  const { hub, ...made } = guildkit(createServer());
  const ws = crossws({ hooks: hub.crosswsHooks });
  server.on('upgrade', (request, socket, head) => void ws.handleUpgrade(request, socket, head));
  return { hub, ...made };
}

function rawWs(server) {
  const wss = new WebSocketServer({ server, path: '/ws', perMessageDeflate: false });
  return {
    publish(n, at) {
      const text = JSON.stringify(envelope(n, at));
      for (const client of wss.clients) client.send(text);
    },
    connections: () => wss.clients.size,
  };
}

function socketIo(server) {
  const io = new SocketIo(server, { transports: ['websocket'], pingInterval: BEAT_MS, perMessageDeflate: false });
  let connections = 0;
  io.on('connection', (socket) => {
    connections += 1;
    socket.join(ROOM);
  });
  return {
    publish: (n, at) => void io.to(ROOM).emit('event', envelope(n, at)),
    connections: () => connections,
  };
}

function crossWs(server) {
  let connections = 0;
  const ws = crossws({
    hooks: {
      open(peer) {
        connections += 1;
        peer.subscribe(ROOM);
      },
    },
  });
  server.on('upgrade', (request, socket, head) => ws.handleUpgrade(request, socket, head));
  return { publish: (n, at) => void ws.publish(ROOM, JSON.stringify(envelope(n, at))), connections: () => connections };
}

function betterSse(server) {
  const channel = createChannel();
  server.on('request', (request, response) => {
    void createSession(request, response, { keepAlive: BEAT_MS }).then((session) => channel.register(session));
  });
  return { publish: (n, at) => void channel.broadcast(envelope(n, at)), connections: () => channel.sessionCount };
}

/** By name: how it is spoken to, and how it is made. */
export const CONTENDERS = {
  guildkit: { speaks: 'hub', create: guildkit },
  ws: { speaks: 'ws', create: rawWs },
  'socket.io': { speaks: 'socket.io', create: socketIo },
  crossws: { speaks: 'ws', create: crossWs },
  'guildkit crossws': { speaks: 'hub', create: guildkitCrossws },
  'guildkit SSE': { speaks: 'sse', create: guildkit },
  'better-sse': { speaks: 'sse', create: betterSse },
};

export async function start(name, options) {
  const server = createServer((_, response) => {
    if (CONTENDERS[name].speaks !== 'sse') response.writeHead(404).end();
  });
  const made = CONTENDERS[name].create(server, options);
  await new Promise((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 8_192 }, resolve));
  return { ...made, port: server.address().port };
}
