/** Owns the WebSocket: a browser's own, `ws` in Node. Refuses reconnecting and reading frames. */
import PlatformWebSocket from '#web-socket';
import type { Transport } from './transport.js';

/** What the client uses of a WebSocket. */
export interface WebSocketLike {
  readonly readyState: number;
  /** Called with each message. */
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  /** Called once, when the connection has ended or was never there. */
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  /** Called before `onclose` when something failed. */
  onerror: ((event: never) => void) | null;
  /** Sends one text message. */
  send(text: string): void;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
}

/** A WebSocket class: the browser's, or that of `ws` or `undici`. */
export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** Settings of {@link webSocketTransport}. */
export interface WebSocketTransportOptions {
  /** Absolute (`ws`, `wss`, `http`, `https`), or relative to the page: `/api/ws`. */
  readonly url: string | URL;
  /** @defaultValue the browser's WebSocket, `ws` in Node. */
  readonly WebSocket?: WebSocketConstructor | undefined;
}

const OPEN = 1;

/** Carries frames over a WebSocket. */
export function webSocketTransport({ url, WebSocket = PlatformWebSocket }: WebSocketTransportOptions): Transport {
  return {
    connect({ onMessage, onClose }) {
      const socket = new WebSocket(resolveUrl(url));
      socket.onmessage = ({ data }) => onMessage(data);
      socket.onclose = onClose;
      // A close follows and says more. Without a listener `ws` would throw.
      socket.onerror = () => {};
      return {
        send(text) {
          if (socket.readyState === OPEN) socket.send(text);
        },
        close(code, reason) {
          socket.onmessage = socket.onclose = null;
          socket.close(code, reason);
        },
      };
    },
  };
}

/** At connect time, not before: a module that is rendered on a server too makes its client without `location`. */
function resolveUrl(url: string | URL): string {
  // Node has no `location`.
  return new URL(url, globalThis.location?.href).href.replace(/^http/, 'ws');
}
