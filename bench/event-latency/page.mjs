// Runs in Chromium: N clients on one page, each with a socket of its own, each stamping every event it is called with.
import { RealtimeClient } from '@guildkit/realtime-client';

const nowMs = () => performance.timeOrigin + performance.now();

window.now = nowMs;
window.clear = () => {
  for (const list of window.seen) list.length = 0;
};
window.start = async ({ sockets, channelId }) => {
  window.seen = Array.from({ length: sockets }, () => []);
  const getToken = async () => (await fetch('/token')).text();
  const clients = window.seen.map(() => new RealtimeClient({ url: '/api/ws', getToken }));
  await Promise.all(
    clients.map(
      (client, index) =>
        new Promise((resolve) => {
          const room = client.room(`channel:${channelId}`);
          for (const event of ['voice.joined', 'voice.left']) {
            room.on(event, (payload) => window.seen[index].push([payload.userId, event, nowMs()]));
          }
          const check = () => room.snapshot !== undefined && resolve();
          room.subscribe(check);
          client.connect();
          check();
        }),
    ),
  );
};
