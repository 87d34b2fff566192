/**
 * Owns HTTP through undici, the cheapest client in Node: a keep-alive pool of its own, so that neither
 * the process's global dispatcher nor a second undici changes anything. Refuses redirects: Discord's API has none.
 */
import { type Dispatcher, Pool } from 'undici';
import {
  type Transport,
  TransportFailure,
  type TransportRequest,
  type TransportResponse,
  toFailure,
} from './transport.js';

/** Settings of {@link createUndiciTransport}. */
export interface UndiciTransportOptions {
  /** Scheme, host and port of the API: one host needs no agent, only a pool. */
  readonly origin: string;
  /** Sockets to one host at most. */
  readonly maxConnections: number;
  /** A proxy's or test's dispatcher. The caller closes it. */
  readonly dispatcher?: Dispatcher | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** The transport for Node. */
export function createUndiciTransport(options: UndiciTransportOptions): Transport {
  const dispatcher =
    options.dispatcher ??
    new Pool(options.origin, {
      connections: options.maxConnections,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      // The request's own deadline covers both, and undici's timers cost more.
      headersTimeout: 0,
      bodyTimeout: 0,
    });

  return {
    // Not an async function: it would resolve with a promise, which takes three turns of the microtask queue.
    send(request) {
      const { method, origin, path, headers, body } = request;
      const exchange = new Exchange(request);
      try {
        dispatcher.dispatch(
          { method: method as Dispatcher.HttpMethod, origin, path, headers, body: body ?? null },
          exchange,
        );
      } catch (error) {
        exchange.onResponseError(undefined, error as Error);
      }
      return exchange.head;
    },
    async close() {
      if (options.dispatcher === undefined) await dispatcher.destroy();
    },
  };
}

/**
 * One exchange as undici's handler: `dispatch` without the stream that `request` builds around each body, which costs
 * as much as all the rest of the client.
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly head: Promise<TransportResponse>;
  private readonly chunks: Buffer[] = [];
  private readonly maxBytes: number;
  private size = 0;
  private controller: Dispatcher.DispatchController | undefined;
  private failure: TransportFailure | undefined;
  private ended = false;
  private onHead: ((response: TransportResponse) => void) | undefined;
  private onHeadFailure: ((error: TransportFailure) => void) | undefined;
  private onText: ((text: string) => void) | undefined;
  private onTextFailure: ((error: TransportFailure) => void) | undefined;

  constructor(request: TransportRequest) {
    this.maxBytes = request.maxBytes;
    this.head = new Promise((resolve, reject) => {
      this.onHead = resolve;
      this.onHeadFailure = reject;
    });
    request.onCancel(() => this.end(new TransportFailure('broken', 'ABORTED')));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // It was ended while undici held it back for a free connection.
    if (this.failure !== undefined) controller.abort(this.failure);
  }

  onResponseStart(_controller: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    // 1xx: the response is yet to come.
    if (status >= 200) this.onHead?.({ status, headers, text: () => this.text() });
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    this.size += chunk.byteLength;
    if (this.size <= this.maxBytes) this.chunks.push(chunk);
    else this.end(new TransportFailure('oversized', ''));
  }

  onResponseEnd(): void {
    this.ended = true;
    this.onText?.(this.joined());
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.end(toFailure(error));
  }

  /** Ends the exchange. The first reason stands. */
  private end(failure: TransportFailure): void {
    if (this.failure !== undefined || this.ended) return;
    this.failure = failure;
    this.onHeadFailure?.(failure);
    this.onTextFailure?.(failure);
    this.controller?.abort(failure);
  }

  private text(): string | Promise<string> {
    if (this.ended) return this.joined();
    return new Promise((resolve, reject) => {
      this.onText = resolve;
      this.onTextFailure = reject;
      if (this.failure !== undefined) reject(this.failure);
    });
  }

  private joined(): string {
    const [first] = this.chunks;
    if (first === undefined) return '';
    return (this.chunks.length === 1 ? first : Buffer.concat(this.chunks)).toString('utf8');
  }
}
