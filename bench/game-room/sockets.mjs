// The other sockets: clients in Node, each of a player of its own, each stamping what it is told.
import { RealtimeClient, sseTransport, webSocketTransport } from '@guildkit/realtime-client';
import { WebSocket } from 'ws';
import { openRooms } from '../event-latency/rooms.mjs';
import { answerCalls } from '../lib/calls.mjs';
import { nowMs } from '../lib/stats.mjs';

const { url, way, channelId, cookies } = JSON.parse(process.argv[2]);

/** As a page does: with its origin, and the cookie of who is logged in. */
function transportOf(cookie) {
  const headers = { origin: url, cookie };
  if (way === 'sse') {
    const fetchAsPage = (to, init) => {
      const own = new Headers(init?.headers);
      for (const [name, value] of Object.entries(headers)) own.set(name, value);
      return fetch(to, { ...init, headers: own });
    };
    return sseTransport({ url: `${url}/api/stream`, fetch: fetchAsPage });
  }
  class PageSocket extends WebSocket {
    constructor(to) {
      super(to, { headers });
    }
  }
  return webSocketTransport({ url: `${url}/api/ws`, WebSocket: PageSocket });
}

const clients = cookies.map((cookie) => new RealtimeClient({ transport: transportOf(cookie) }));
const seen = await openRooms({ clients, channelId, nowMs });
answerCalls({
  clear() {
    for (const list of seen) list.length = 0;
  },
  async collect(count) {
    while (seen.some((list) => list.length < count)) await new Promise((resolve) => setTimeout(resolve, 20));
    return seen;
  },
});
process.send({ type: 'ready' });
