/** Opens one room on each client; what each is called with is stamped in a list of its own. Runs in Node and in the page. */
export async function openRooms({ clients, channelId, nowMs }) {
  const seen = clients.map(() => []);
  await Promise.all(
    clients.map(
      (client, index) =>
        new Promise((resolve) => {
          const room = client.room(`channel:${channelId}`);
          for (const event of ['voice.joined', 'voice.left']) {
            room.on(event, (payload) => seen[index].push([payload.userId, event, nowMs()]));
          }
          const check = () => room.snapshot !== undefined && resolve();
          room.subscribe(check);
          client.connect();
          check();
        }),
    ),
  );
  return seen;
}
