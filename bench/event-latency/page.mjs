// Runs in Chromium: one client, as a page has it.
import { RealtimeClient } from '@guildkit/realtime-client';
import { openRooms } from './rooms.mjs';

window.now = () => performance.timeOrigin + performance.now();
window.start = async ({ channelId }) => {
  const getToken = async () => (await fetch('/token')).text();
  const clients = [new RealtimeClient({ url: '/api/ws', getToken })];
  window.seen = await openRooms({ clients, channelId, nowMs: window.now });
};
window.clear = () => {
  for (const list of window.seen) list.length = 0;
};
