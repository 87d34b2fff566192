/**
 * Owns one WebSocket of the `ws` package: bytes out, text in, one close. Refuses to know what the bytes mean.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { type Batcher, Outbox } from './outbox.js';
import type { Transport, TransportListener } from './transport.js';

/** How long a peer may take to answer a close. */
const CLOSE_TIMEOUT_MS = 5_000;

/** A peer that does not read gets no pongs behind so many bytes. */
const MAX_BEFORE_PONG_BYTES = 65_536;

/** ws closes an oversized message with 1009 by itself; the hub's protocol has a code of its own for that. */
class HubSocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    if (code === 1009) super.close(4413, 'ERR_HUB_FRAME_TOO_LARGE');
    else super.close(code, reason);
  }
}

/** Creates the part of ws that answers upgrades. It listens to nothing by itself. */
export function createUpgrader(maxFrameBytes: number): WebSocketServer {
  const options = {
    noServer: true,
    clientTracking: false,
    // Off: 39 µs instead of 9 µs a delivery and megabytes of memory; and no compression bombs.
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
    // Pings are counted first: answered unseen, a flood of them would fill the memory of a peer that reads nothing.
    autoPong: false,
    WebSocket: HubSocket,
    // Known to ws 8.23, not yet to its types.
    closeTimeout: CLOSE_TIMEOUT_MS,
  };
  return new WebSocketServer(options);
}

/** Completes an upgrade. The socket reads nothing until {@link Transport.resume}. A request that is no WebSocket handshake is answered by ws. */
export function acceptUpgrade(
  upgrader: WebSocketServer,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  batcher: Batcher,
  onOpen: (bind: (listener: TransportListener) => Transport) => void,
): void {
  upgrader.handleUpgrade(request, socket, head, (ws) => {
    ws.pause();
    onOpen((listener) => bindSocket(ws, socket, batcher, listener));
  });
}

function bindSocket(ws: WebSocket, socket: Duplex, batcher: Batcher, listener: TransportListener): Transport {
  // Straight to the socket that the server handed us: ws would build the same header again for each receiver. Whole
  // frames between ws's own whole frames; without extensions ws queues nothing.
  const isDirect = ws.extensions === '';
  const outbox = new Outbox(
    {
      get waiting() {
        return socket.writableLength;
      },
      write(bytes) {
        if (ws.readyState === WebSocket.OPEN) socket.write(bytes);
      },
    },
    batcher,
  );
  ws.on('message', (data, isBinary) => {
    if (isBinary) listener.onBinary();
    else listener.onText(String(data));
  });
  ws.on('ping', (data) => {
    listener.onPing();
    if (ws.readyState !== WebSocket.OPEN || outbox.waiting > MAX_BEFORE_PONG_BYTES) return;
    outbox.flush();
    ws.pong(data);
  });
  ws.on('error', (error: Error & { code?: string }) => {
    if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') listener.onOversized();
    else if (error.code?.startsWith('WS_ERR_')) listener.onBroken(error.code);
    // Anything else is the network's: `close` follows.
  });
  ws.on('close', (code) => {
    outbox.discard();
    listener.onClosed(code);
  });
  return {
    get bufferedBytes() {
      return isDirect ? outbox.waiting : ws.bufferedAmount;
    },
    sizeOf: (message) => (isDirect ? message.frame.length : message.json.length),
    send(message) {
      if (isDirect) outbox.push(message.frame);
      else if (ws.readyState === WebSocket.OPEN) ws.send(message.json);
    },
    sendBatch(batch) {
      if (isDirect) outbox.push(batch.frames, batch.records.length);
      return isDirect;
    },
    resume: () => ws.resume(),
    close(code, reason) {
      outbox.flush();
      // A paused socket would never see the answer to the close.
      ws.resume();
      ws.close(code, reason);
    },
    terminate: () => ws.terminate(),
  };
}
