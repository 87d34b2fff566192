/**
 * Owns HTTP through a `fetch` function, for runtimes where undici's sockets are missing. Costs about five times the CPU of
 * the undici transport in Node.
 */
import {
  type Transport,
  TransportFailure,
  type TransportRequest,
  type TransportResponse,
  toFailure,
} from './transport.js';

/** The part of `fetch` that is used: any runtime's fits. */
export type FetchFunction = (
  url: string,
  init: {
    method: string;
    headers: Record<string, string>;
    body?: string | Uint8Array;
    signal: AbortSignal;
    redirect: 'manual';
  },
) => Promise<FetchResponse>;

/** The part of a `Response` that is used. */
export interface FetchResponse {
  readonly status: number;
  /** As of the Fetch standard's `Headers`. */
  readonly headers: {
    /** Calls back for each header. */
    forEach(callback: (value: string, name: string) => void): void;
  };
  readonly body: unknown;
}

/**
 * A transport on `fetch`.
 *
 * @param fetchFunction The runtime's own when left out, looked up at each request.
 */
export function createFetchTransport(fetchFunction?: FetchFunction): Transport {
  let closed = false;
  return {
    async send(request) {
      if (closed) throw new TransportFailure('unsent', 'CLOSED');
      const call = fetchFunction ?? (globalThis.fetch as unknown as FetchFunction);
      try {
        return toResponse(await call(`${request.origin}${request.path}`, toInit(request)), request.maxBytes);
      } catch (error) {
        throw toFailure(error);
      }
    },
    async close() {
      closed = true;
    },
  };
}

function toInit({ method, headers, body, signal }: TransportRequest): Parameters<FetchFunction>[1] {
  // `manual`: a redirect would carry the token to wherever it points.
  const init = { method, headers: { ...headers }, signal, redirect: 'manual' } as const;
  return body === undefined ? init : { ...init, body };
}

function toResponse(response: FetchResponse, maxBytes: number): TransportResponse {
  const headers: Record<string, string> = {};
  response.headers.forEach((value, name) => {
    headers[name.toLowerCase()] = value;
  });
  return {
    status: response.status,
    headers,
    async text() {
      if (response.body === null) return '';
      try {
        return await readBounded(response.body as ReadableStream<Uint8Array>, maxBytes);
      } catch (error) {
        throw toFailure(error);
      }
    },
  };
}

async function readBounded(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let text = '';
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.byteLength;
    if (size > maxBytes) {
      await reader.cancel();
      throw new TransportFailure('oversized', '');
    }
    text += decoder.decode(value, { stream: true });
  }
}
