// A stand-in for Discord's gateway that keeps sessions and breaks on command, in the process of the client it serves.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import zlib from 'node:zlib';
import { WebSocketServer } from 'ws';
import { hello, ready } from '../lib/discord-payloads.mjs';

/** As over a network: seyfert loses what comes in one piece with the answer to its upgrade. */
const HELLO_DELAY_MS = 20;

/** One zlib context for a connection; each text is flushed (Discord docs, Gateway: Transport Compression). */
function deflated(emit) {
  const stream = zlib.createDeflate();
  let pieces = [];
  stream.on('data', (piece) => pieces.push(piece));
  return (text) => {
    stream.write(text);
    stream.flush(zlib.constants.Z_SYNC_FLUSH, () => {
      if (pieces.length > 0) emit(Buffer.concat(pieces));
      pieces = [];
    });
  };
}

/** Starts one on loopback. */
export async function createStandIn({ heartbeatMs = 41_250 } = {}) {
  /** What clients did, in order: `{ at, what: 'upgrade' | 'payload', op }`. */
  const log = [];
  const sessions = new Map();
  const sockets = new Set();
  const waiting = new Set();
  let current;
  let server;
  let port = 0;

  const control = {
    log,
    /** HTTP status for every upgrade. */
    refuseWith: undefined,
    /** RESUMEs are not answered. */
    holdResume: false,
    /** IDENTIFYs are not answered. */
    holdIdentify: false,
    get url() {
      return `ws://127.0.0.1:${port}`;
    },

    async up() {
      server = createServer();
      const upgrader = new WebSocketServer({ noServer: true });
      server.on('upgrade', (request, socket, head) => {
        note({ what: 'upgrade' });
        socket.on('error', () => {});
        if (control.refuseWith === undefined)
          upgrader.handleUpgrade(request, socket, head, (ws) => accept(ws, request.url));
        else socket.end(`HTTP/1.1 ${control.refuseWith} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      });
      await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
      port = server.address().port;
    },

    /** Nothing listens any more; sessions stay. */
    async down() {
      control.cut();
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    },

    /** Cuts every connection without a farewell. */
    cut() {
      for (const ws of sockets) ws.terminate();
      sockets.clear();
    },

    /** Every connection stays open and is dead: nothing is read, nothing is written, no farewell is answered. */
    freeze() {
      for (const ws of sockets) {
        ws.frozen = true;
        ws._socket.pause();
      }
    },

    /** With a farewell, and an end of the connection whether it is answered or not. */
    close(code) {
      for (const ws of sockets) {
        ws.close(code);
        ws._socket.end();
      }
    },

    forgetSessions() {
      sessions.clear();
    },

    raw(data) {
      for (const ws of sockets) ws.send(data);
    },

    /** Says that this connection is over, in one way or another: no event comes over it any more. */
    dismiss(payload) {
      for (const ws of sockets) {
        send(ws, payload);
        ws.session = undefined;
      }
    },

    /** The beginning of a text frame (RFC 6455 section 5.2), then the end. */
    half() {
      for (const ws of sockets) ws._socket.end(Buffer.from([0x81, 0x7e, 0x01, 0x00, 0x7b, 0x22]));
    },

    /** An event: kept for a resume, sent to whoever is connected. @param lost Not sent. */
    dispatch(n, { lost = false } = {}) {
      current.seq += 1;
      const entry = { t: 'TYPING_START', s: current.seq, op: 0, d: { n } };
      current.log.push(entry);
      for (const ws of sockets) if (ws.session === current && !lost) send(ws, entry);
    },

    /** The same event once more, or for the first time if it was lost. */
    again(n) {
      const entry = current.log.find(({ d }) => d.n === n);
      for (const ws of sockets) if (ws.session === current) send(ws, entry);
    },

    /** Answers RESUMEs that were held. */
    answerResumes() {
      for (const ws of sockets) if (ws.held !== undefined) resume(ws, ws.held);
    },

    /**
     * The next thing a client does that `matches`.
     *
     * @returns `undefined` when it does not come in time.
     */
    async next(matches, timeoutMs) {
      const from = log.length;
      return new Promise((resolve) => {
        const look = () => {
          const found = log.slice(from).find(matches);
          if (found !== undefined) done(found);
        };
        const done = (found) => {
          clearTimeout(timer);
          waiting.delete(look);
          resolve(found);
        };
        const timer = setTimeout(() => done(undefined), timeoutMs);
        waiting.add(look);
      });
    },
  };

  function note(entry) {
    log.push({ at: performance.now(), ...entry });
    for (const look of [...waiting]) look();
  }

  function send(ws, payload) {
    if (ws.frozen || ws.readyState !== ws.OPEN) return;
    const text = JSON.stringify(payload);
    if (ws.deflate === undefined) ws.send(text);
    else ws.deflate(text);
  }

  function accept(ws, url) {
    sockets.add(ws);
    if (url.includes('compress=zlib-stream')) ws.deflate = deflated((bytes) => ws.send(bytes));
    ws.on('error', () => {});
    ws.on('close', () => sockets.delete(ws));
    // Some identify without waiting for HELLO.
    const greeted = sleep(HELLO_DELAY_MS).then(() => send(ws, hello(heartbeatMs)));
    ws.on('message', async (data) => {
      await greeted;
      const { op, d } = JSON.parse(data);
      if (op === 1) send(ws, { op: 11 });
      if (op === 2 && !control.holdIdentify) identify(ws);
      if (op === 6 && control.holdResume) ws.held = d;
      else if (op === 6) resume(ws, d);
      note({ what: 'payload', op });
    });
  }

  function identify(ws) {
    const sessionId = `session-${sessions.size + 1}-${log.length}`;
    current = { seq: 1, log: [] };
    sessions.set(sessionId, current);
    ws.session = current;
    send(ws, ready(control.url, { sessionId, guilds: 0 }));
  }

  function resume(ws, { session_id: id, seq }) {
    ws.held = undefined;
    const session = sessions.get(id);
    if (session === undefined) {
      send(ws, { op: 9, d: false });
      return;
    }
    ws.session = session;
    for (const entry of session.log) if (entry.s > seq) send(ws, entry);
    session.seq += 1;
    const resumed = { t: 'RESUMED', s: session.seq, op: 0, d: {} };
    session.log.push(resumed);
    send(ws, resumed);
  }

  await control.up();
  return control;
}
