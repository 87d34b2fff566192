/**
 * Owns one WebSocket: opening, bytes in, text out, an end that always comes. Node's `ws` or a browser's WebSocket, by
 * isomorphic-ws. Refuses protocol: it does not look into a message.
 */
import type { Clock } from '@guildkit/core';
import WebSocket from 'isomorphic-ws';

/** What a socket tells. After `onClose` or `onRefused` it tells nothing more. */
export interface SocketEvents {
  /** Text comes as a string or as its UTF-8. The bytes stay as they are. */
  onMessage(data: string | Uint8Array, isBinary: boolean): void;
  /** The connection has ended; 1006 without a closing handshake. */
  onClose(code: number): void;
  /** The server answered the upgrade with an HTTP status. Only where the platform says so: browsers do not. */
  onRefused(status: number, retryAfterMs: number | undefined): void;
}

/** An opened or opening socket. */
export interface GatewaySocket {
  /** Whether the text was handed over; `false` when the socket is not open. */
  send(text: string): boolean;
  /** Says farewell, and cuts the connection when no answer comes in time. */
  close(code: number): void;
  /** Cuts the connection: a dead peer answers no farewell. */
  terminate(): void;
  /** Resolves when nothing of the socket is left. */
  readonly gone: Promise<void>;
}

/** Opens a socket. */
export type OpenSocket = (url: string, events: SocketEvents, clock: Clock) => GatewaySocket;

/** How long a farewell may take. */
const FAREWELL_MS = 1_000;
/** A guild of 250,000 members comes in one message; ws refuses more than 100 MiB by default, and so do we. */
const MAX_MESSAGE_BYTES = 100 * 1024 * 1024;
/** RFC 6455 section 7.4.1: no close frame came. */
const ABNORMAL_CLOSURE = 1006;

/** Opens a real socket. */
export const openSocket: OpenSocket = (url, events, clock) => {
  const socket = create(url);
  let told = false;
  let farewell: unknown;
  let settle: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    settle = resolve;
  });

  const onGone = (code: number): void => {
    clock.clearTimer(farewell);
    settle();
    if (told) return;
    told = true;
    events.onClose(code);
  };
  const terminate = (): void => {
    if (typeof socket.terminate === 'function') socket.terminate();
    else socket.close();
  };

  if (typeof socket.on === 'function') {
    // Bytes in any case: whoever reads them may not need all of the text.
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!told) events.onMessage(data, isBinary);
    });
    socket.on('close', onGone);
    // The close that follows says all that matters.
    socket.on('error', () => {});
    socket.on('unexpected-response', (_request, response) => {
      if (!told) {
        told = true;
        events.onRefused(response.statusCode ?? 0, retryAfterOf(response.headers['retry-after'], clock));
      }
      terminate();
    });
  } else {
    listenAsBrowser(socket, events, onGone);
  }

  return {
    gone,
    terminate,
    send(text) {
      if (socket.readyState !== WebSocket.OPEN) return false;
      socket.send(text);
      return true;
    },
    close(code) {
      if (socket.readyState === WebSocket.CLOSED) return;
      if (socket.readyState === WebSocket.CONNECTING) {
        terminate();
        return;
      }
      socket.close(code);
      farewell = clock.setTimer(terminate, FAREWELL_MS);
    },
  };
};

function create(url: string): WebSocket {
  // A browser's constructor takes no options, and says so by throwing.
  return typeof WebSocket.prototype.terminate === 'function'
    ? new WebSocket(url, { perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES })
    : new WebSocket(url);
}

function listenAsBrowser(socket: WebSocket, events: SocketEvents, onGone: (code: number) => void): void {
  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') events.onMessage(data, false);
    else events.onMessage(new Uint8Array(data as unknown as ArrayBuffer), true);
  };
  socket.onclose = ({ code }) => onGone(code || ABNORMAL_CLOSURE);
  socket.onerror = () => {};
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
export function retryAfterOf(header: string | null | undefined, clock: Clock): number | undefined {
  if (header === undefined || header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.wallTime());
}
