// The clients of the cuts: guildkit's and socket.io's own, each through the proxy of this process.
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { RealtimeClient } from '@guildkit/realtime-client';
import { io } from 'socket.io-client';

const { ports, speaks, rooms, count } = JSON.parse(process.argv[2]);
const open = new Set();
let isCut = false;
let turn = 0;

const proxy = createServer((client) => {
  if (isCut) return void client.destroy();
  turn += 1;
  const app = connect({ port: ports[turn % ports.length], host: '127.0.0.1' });
  for (const [from, to] of [
    [client, app],
    [app, client],
  ]) {
    open.add(from);
    from.on('data', (data) => to.write(data));
    from.on('error', () => {});
    from.on('close', () => {
      open.delete(from);
      to.destroy();
    });
  }
});
await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
const { port } = proxy.address();

/** What each client heard: numbers of events in the order they came, and how often it was told of a gap. */
const clients = Array.from({ length: count }, (_, index) => ({
  room: index % rooms.length,
  heard: [],
  told: 0,
  isLive: false,
}));

function openHub(client) {
  const it = new RealtimeClient({ url: `ws://127.0.0.1:${port}/ws`, maxAttempts: 1_000 });
  const room = it.room(rooms[client.room]);
  room.on('*', (payload, { event }) => {
    if (event === 'sys.snapshot') client.told += 1;
    else client.heard.push(payload.n);
  });
  const look = () => {
    client.isLive = room.status === 'live';
  };
  room.subscribe(look);
  it.connect();
  look();
}

function openSocketIo(client) {
  const socket = io(`http://127.0.0.1:${port}`, {
    transports: ['websocket'],
    query: { room: rooms[client.room] },
    forceNew: true,
  });
  let first = true;
  socket.on('event', (envelope) => client.heard.push(envelope.payload.n));
  socket.on('joined', () => {
    client.isLive = true;
    if (!first && !socket.recovered) client.told += 1;
    first = false;
  });
  socket.on('disconnect', () => {
    client.isLive = false;
  });
}

for (const client of clients) (speaks === 'hub' ? openHub : openSocketIo)(client);
const allLive = async () => {
  for (let n = 0; clients.some((client) => !client.isLive); n += 1) {
    if (n > 1_200) throw new Error('clients do not come back');
    await sleep(25);
  }
};
await allLive();
process.send({ type: 'ready' });

process.once('message', async ({ cuts, events }) => {
  for (const client of clients) client.told = 0;
  for (let n = 0; n < cuts; n += 1) {
    await sleep(1_000);
    isCut = true;
    for (const socket of open) socket.destroy();
    await sleep(1_000);
    isCut = false;
    await sleep(6_000);
  }
  await sleep(1_500);
  await allLive();
  await sleep(500);
  let [lost, doubled, disordered, wanted, exact, told] = [0, 0, 0, 0, 0, 0];
  for (const { room, heard, told: times } of clients) {
    // Events n with floor(n / processes) % rooms = room, as the app processes publish them.
    const expected = [];
    for (let n = 1; n <= events; n += 1) {
      if (Math.floor(n / ports.length) % rooms.length === room) expected.push(n);
    }
    const seen = new Set(heard);
    const missing = expected.filter((n) => !seen.has(n)).length;
    lost += missing;
    doubled += heard.length - seen.size;
    // Each process numbers its own events: only those have an order of their own.
    const last = new Map();
    let swapped = 0;
    for (const n of heard) {
      const publisher = n % ports.length;
      if (n < (last.get(publisher) ?? 0)) swapped += 1;
      else last.set(publisher, n);
    }
    disordered += swapped;
    wanted += expected.length;
    told += times;
    if (missing === 0 && heard.length === seen.size && swapped === 0) exact += 1;
  }
  process.send({ type: 'result', cuts, lost, doubled, disordered, wanted, exact, told });
});
