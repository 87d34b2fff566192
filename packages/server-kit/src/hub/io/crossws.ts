/**
 * Owns the hub behind crossws: its hooks on one side, a transport on the other. Refuses to depend on it: the shapes are
 * those of its peers.
 */
import type { Socket } from 'node:net';
import type { OriginRequest } from '../../shared/upgrade.js';
import { type HttpAnswer, hubRefusal } from './http-answers.js';
import type { HttpGate } from './http-gate.js';
import { type Batcher, type ByteSink, Outbox } from './outbox.js';
import type { Transport, TransportListener } from './transport.js';
import { webAnswer } from './web-http.js';

/** What the hub asks of a crossws peer. */
export interface CrosswsPeer {
  readonly request: { readonly url: string; readonly headers: Headers };
  readonly websocket: { readonly bufferedAmount?: number | undefined };
  /** Sends a text frame. */
  send(data: string, options?: { compress?: boolean }): unknown;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Ends the connection at once. */
  terminate(): void;
}

/** What the hub asks of a crossws message. */
export interface CrosswsMessage {
  /** A string for a text frame. */
  readonly rawData: unknown;
}

/** For `crossws({ hooks })`. */
export interface CrosswsHooks {
  /** Refuses an upgrade with an answer, or lets it through. */
  upgrade(request: { readonly url: string; readonly headers: Headers }): Response | undefined;
  /** A connection is open. */
  open(peer: CrosswsPeer): void;
  /** A message has come. */
  message(peer: CrosswsPeer, message: CrosswsMessage): void;
  /** A connection has ended. */
  close(peer: CrosswsPeer, details: { code?: number; reason?: string }): void;
}

/** What the hooks ask of their hub. */
export interface CrosswsHost {
  readonly gate: HttpGate;
  readonly maxFrameBytes: number;
  readonly batcher: Batcher;
  isFull(): boolean;
  open(request: OriginRequest, bind: (listener: TransportListener) => Transport): void;
}

/** The code of a close that crossws does not name: none was received (RFC 6455, section 7.1.5). */
const NO_CODE = 1005;

/** Creates the hooks. */
export function crosswsHooks(host: CrosswsHost): CrosswsHooks {
  const listeners = new WeakMap<CrosswsPeer, TransportListener>();
  const outboxes = new WeakMap<CrosswsPeer, Outbox>();
  return {
    upgrade({ url, headers }) {
      const passed = host.gate.pass({ method: 'GET', url: pathOf(url), headers }, 'GET');
      let answer: HttpAnswer | undefined;
      if ('status' in passed) answer = passed;
      else if (host.isFull()) {
        answer = passed.refuse(hubRefusal(503, 'ERR_HUB_CONNECTION_LIMIT', { retryAfterMs: 5_000 }));
      }
      return answer === undefined ? undefined : webAnswer(answer);
    },

    open(peer) {
      const { url, headers } = peer.request;
      host.open({ url: pathOf(url), headers }, (listener) => {
        listeners.set(peer, listener);
        const raw = rawSinkOf(peer);
        if (raw === undefined) return peerTransport(peer);
        const outbox = new Outbox(raw, host.batcher);
        outboxes.set(peer, outbox);
        return batchedTransport(peer, outbox);
      });
    },

    message(peer, { rawData }) {
      const listener = listeners.get(peer);
      if (typeof rawData !== 'string') listener?.onBinary();
      else if (Buffer.byteLength(rawData) <= host.maxFrameBytes) listener?.onText(rawData);
      else {
        listener?.onOversized();
        peer.close(4413, 'ERR_HUB_FRAME_TOO_LARGE');
      }
    },

    close(peer, { code = NO_CODE }) {
      const listener = listeners.get(peer);
      listeners.delete(peer);
      outboxes.get(peer)?.discard();
      listener?.onClosed(code);
    },
  };
}

/** WebSocket.OPEN. */
const OPEN = 1;

/**
 * The socket under a peer of the node adapter: `ws` keeps it there, though not for others. Then frames that were built once
 * leave several in one write, as with `attach`; peers of other runtimes, and sockets with extensions, get `send`.
 */
function rawSinkOf({ websocket }: CrosswsPeer): ByteSink | undefined {
  const { _socket: socket, _extensions: extensions } = websocket as {
    readonly _socket?: Partial<Pick<Socket, 'write' | 'writableLength'>> | null;
    readonly _extensions?: object;
  };
  const isKnown = typeof socket?.write === 'function' && typeof socket.writableLength === 'number';
  // Compressed frames of its own would wait while ours pass them.
  if (!isKnown || extensions === undefined || Object.keys(extensions).length > 0) return undefined;
  return {
    get waiting() {
      return socket.writableLength ?? 0;
    },
    write(bytes) {
      if ((websocket as { readonly readyState?: number }).readyState === OPEN) socket.write?.(bytes);
    },
  };
}

function batchedTransport(peer: CrosswsPeer, outbox: Outbox): Transport {
  return {
    get bufferedBytes() {
      return outbox.waiting;
    },
    sizeOf: ({ frame }) => frame.length,
    send: ({ frame }) => outbox.push(frame),
    sendBatch({ frames, records }) {
      outbox.push(frames, records.length);
      return true;
    },
    resume: () => {},
    close(code, reason) {
      outbox.flush();
      peer.close(code, reason);
    },
    terminate: () => peer.terminate(),
  };
}

function peerTransport(peer: CrosswsPeer): Transport {
  let isClosing = false;
  return {
    get bufferedBytes() {
      return peer.websocket.bufferedAmount ?? 0;
    },
    sizeOf: ({ json }) => json.length,
    send({ json }) {
      if (!isClosing) peer.send(json, { compress: false });
    },
    resume: () => {},
    close(code, reason) {
      isClosing = true;
      peer.close(code, reason);
    },
    terminate() {
      isClosing = true;
      peer.terminate();
    },
  };
}

/** Path and query of an absolute address. */
function pathOf(url: string): string {
  const { pathname, search } = new URL(url, 'http://localhost');
  return pathname + search;
}
