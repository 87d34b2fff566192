// 1,000 gateway connections in a process of their own: identify, count what comes, tell when all have it.
import { WebSocket } from 'ws';

const { url, token, count, intents, compress } = JSON.parse(process.argv[2]);
const query = compress === undefined ? '?v=10&encoding=json' : `?v=10&encoding=json&compress=${compress}`;
let ready = 0;
let received = 0;
let bytes = 0;
let wanted = Number.POSITIVE_INFINITY;

function seen(data) {
  received += 1;
  bytes += data.length;
  if (received === wanted) process.send({ type: 'all', bytes });
}

for (let n = 0; n < count; n += 1) {
  await new Promise((resolve, reject) => {
    const ws = new WebSocket(`${url}${query}`, { perMessageDeflate: false });
    let greeted = 0;
    ws.on('error', reject);
    ws.on('message', (data) => {
      greeted += 1;
      if (greeted === 1) ws.send(JSON.stringify({ op: 2, d: { token, intents, properties: {} } }));
      // HELLO, READY, GUILD_CREATE.
      else if (greeted === 3) {
        ready += 1;
        resolve();
      } else if (greeted > 3) seen(data);
    });
  });
}
process.send({ type: 'ready', ready });
process.on('message', (message) => {
  received = 0;
  bytes = 0;
  wanted = message.wanted;
});
