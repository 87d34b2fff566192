/**
 * Owns one WebSocket of the `ws` package: bytes out, text in, one close. Refuses to know what the bytes mean.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';

/** What a connection asks of its socket. A transport of another kind fits too. */
export interface Transport {
  /** Bytes that wait to be taken by the operating system. */
  readonly bufferedBytes: number;
  /** Sends one prepared frame; ignored once the socket is closing. */
  send(frame: Buffer): void;
  /** Starts to read. */
  resume(): void;
  close(code: number, reason: string): void;
  /** Ends the socket without a handshake. */
  terminate(): void;
}

/** What a socket tells. */
export interface TransportListener {
  onText(text: string): void;
  /** A binary frame. */
  onBinary(): void;
  onOversized(): void;
  /** A violation of RFC 6455; the socket closes itself. */
  onBroken(problem: string): void;
  /** Once, last of all. */
  onClosed(code: number): void;
}

/** How long a peer may take to answer a close. */
const CLOSE_TIMEOUT_MS = 5_000;

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
  onOpen: (bind: (listener: TransportListener) => Transport) => void,
): void {
  upgrader.handleUpgrade(request, socket, head, (ws) => {
    ws.pause();
    onOpen((listener) => bindSocket(ws, socket, listener));
  });
}

function bindSocket(ws: WebSocket, socket: Duplex, listener: TransportListener): Transport {
  ws.on('message', (data, isBinary) => {
    if (isBinary) listener.onBinary();
    else listener.onText(String(data));
  });
  ws.on('error', (error: Error & { code?: string }) => {
    if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') listener.onOversized();
    else if (error.code?.startsWith('WS_ERR_')) listener.onBroken(error.code);
    // Anything else is the network's: `close` follows.
  });
  ws.on('close', (code) => listener.onClosed(code));
  return {
    get bufferedBytes() {
      return socket.writableLength;
    },
    send(frame) {
      // Straight to the socket that the server handed us: ws would build the same header again for each receiver.
      // Whole frames between ws's own whole frames; without deflate ws queues nothing.
      if (ws.readyState === WebSocket.OPEN) socket.write(frame);
    },
    resume: () => ws.resume(),
    close(code, reason) {
      // A paused socket would never see the answer to the close.
      ws.resume();
      ws.close(code, reason);
    },
    terminate: () => ws.terminate(),
  };
}
