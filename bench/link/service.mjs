// The gateway service's side of the link: stamps each command as it comes, and publishes events meanwhile.
import { createServer } from 'node:http';
import { LinkServer } from '@guildkit/server-kit/link';
import { nowMs } from '../lib/stats.mjs';

const [token, everyMs] = process.argv.slice(2);
const service = new LinkServer({ tokens: token, onCommand: () => ({ at: nowMs() }) });
const server = createServer();
service.attach(server, { path: '/link' });
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
let count = 0;
setInterval(() => {
  count += 1;
  const payload = {
    guildId: '1',
    channelId: '2',
    messageId: `${count}`,
    content: 'x'.repeat(200),
    timestamp: Date.now(),
  };
  const who = { userId: '3', username: 'player', avatar: null };
  service.publish({
    event: 'message.created',
    id: `e-${count}`,
    traceId: `t-${count}`,
    ts: Date.now(),
    payload: { ...payload, ...who },
  });
}, Number(everyMs));
process.send({ type: 'ready', port: server.address().port });
