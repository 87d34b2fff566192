// Discord's side of the flood: HELLO, READY, then the whole stream as fast as the client takes it. Everything is
// serialised, compressed and framed before the first client comes.
// argv: number of dispatches, and of those before them
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { dispatches, hello, ready } from '../lib/discord-payloads.mjs';
import { canCompress, compressed, frame, joined } from '../lib/frames.mjs';

const [count, warmUp] = process.argv.slice(2).map(Number);
const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `ws://127.0.0.1:${server.address().port}`;

/** Long enough that no client beats while it is measured. */
const HEARTBEAT_MS = 3_600_000;
/** Between READY and the flood: a client may have to set things up. */
const PAUSE_MS = 300;

const texts = [JSON.stringify(hello(HEARTBEAT_MS)), JSON.stringify(ready(url))];
const sizes = new Map();
for (const { name, text, measured } of dispatches(count, { warmUp })) {
  texts.push(text);
  if (!measured) continue;
  const bytes = Buffer.byteLength(text);
  const of = sizes.get(name) ?? { name, count: 0, bytes: 0, min: bytes, max: bytes };
  sizes.set(name, of);
  of.count += 1;
  of.bytes += bytes;
  of.min = Math.min(of.min, bytes);
  of.max = Math.max(of.max, bytes);
}

const prepared = new Map();
function prepare(transport, messages) {
  const frames = messages.map((bytes) => frame(bytes, transport !== 'none'));
  prepared.set(transport, { hello: frames[0], ready: frames[1], flood: joined(frames.slice(2)) });
  return messages.reduce((sum, { length }) => sum + length, 0) / messages.length;
}
const transports = ['zlib-stream', 'zstd-stream'].filter(canCompress);
const average = {
  none: prepare(
    'none',
    texts.map((text) => Buffer.from(text)),
  ),
};
const streams = await Promise.all(transports.map((name) => compressed(name, texts)));
for (const [index, name] of transports.entries()) average[name] = prepare(name, streams[index]);
// None of it is needed any more but the prepared buffers.
texts.length = 0;
streams.length = 0;

const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (ws, request) => {
  const transport = new URL(request.url, url).searchParams.get('compress') ?? 'none';
  const { hello, ready, flood } = prepared.get(transport);
  // Below ws: its own framing and queue are not to be measured.
  const { _socket: socket } = ws;
  socket.setNoDelay(true);
  // As over a network: seyfert loses what comes in one piece with the answer to its upgrade.
  const greeted = sleep(20).then(() => socket.write(hello));
  ws.on('error', () => {});
  ws.on('message', async (data) => {
    if (JSON.parse(data).op !== 2) return;
    // Some identify without waiting for HELLO.
    await greeted;
    socket.write(ready);
    await sleep(PAUSE_MS);
    for (const bytes of flood) {
      if (socket.destroyed) return;
      if (socket.write(bytes)) continue;
      await drained(socket);
    }
  });
});
/** Resolves when the socket takes more, or is gone. */
function drained(socket) {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

process.send({ type: 'ready', url, average, sizes: [...sizes.values()] });
