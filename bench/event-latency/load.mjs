// The other sockets: clients in Node, each stamping every event it is called with.
import { RealtimeClient } from '@guildkit/realtime-client';
import { nowMs } from '../lib/stats.mjs';
import { openRooms } from './rooms.mjs';

const { origin, sockets, channelId } = JSON.parse(process.argv[2]);
const getToken = async () => (await fetch(`${origin}/token`)).text();
const url = `${origin.replace('http', 'ws')}/api/ws`;
const seen = await openRooms({
  clients: Array.from({ length: sockets }, () => new RealtimeClient({ url, getToken })),
  channelId,
  nowMs,
});
process.on('message', ({ type, count }) => {
  if (type === 'clear') for (const list of seen) list.length = 0;
  if (type === 'stop') process.exit(0);
  if (type !== 'collect') return;
  const poll = setInterval(() => {
    if (!seen.every((list) => list.length >= count)) return;
    clearInterval(poll);
    process.send({ type: 'collected', seen });
  }, 50);
});
process.send({ type: 'ready' });
