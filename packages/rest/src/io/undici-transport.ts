/**
 * Owns HTTP through undici's `request`, the cheapest client in Node: a keep-alive agent of its own, so that neither
 * the process's global dispatcher nor a second undici changes anything. Refuses redirects: Discord's API has none.
 */
import { Agent, type Dispatcher } from 'undici';
import {
  type Transport,
  TransportFailure,
  type TransportRequest,
  type TransportResponse,
  toFailure,
} from './transport.js';

/** Settings of {@link createUndiciTransport}. */
export interface UndiciTransportOptions {
  /** Sockets to one host at most. */
  readonly maxConnections: number;
  /** A proxy's or test's dispatcher. The caller closes it. */
  readonly dispatcher?: Dispatcher | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;

/** The transport for Node. */
export function createUndiciTransport(options: UndiciTransportOptions): Transport {
  const own =
    options.dispatcher === undefined
      ? new Agent({
          connections: options.maxConnections,
          connect: { timeout: CONNECT_TIMEOUT_MS },
          // The request's own deadline covers both, and undici's timers cost more.
          headersTimeout: 0,
          bodyTimeout: 0,
        })
      : undefined;
  const dispatcher = options.dispatcher ?? own;

  return {
    async send(request) {
      if (dispatcher === undefined) throw new TransportFailure('unsent', 'CLOSED');
      try {
        return toResponse(await dispatcher.request(toOptions(request)));
      } catch (error) {
        throw toFailure(error);
      }
    },
    async close() {
      await own?.destroy();
    },
  };
}

function toOptions({ method, origin, path, headers, body, signal }: TransportRequest): Dispatcher.RequestOptions {
  return {
    method: method as Dispatcher.HttpMethod,
    origin,
    path,
    headers: headers as Record<string, string>,
    body: body ?? null,
    signal,
  };
}

function toResponse({ statusCode, headers, body }: Dispatcher.ResponseData): TransportResponse {
  return {
    status: statusCode,
    headers,
    async text(maxBytes) {
      const length = headers['content-length'];
      try {
        // The parser lets no body be longer than its Content-Length, so there is nothing to count.
        if (typeof length === 'string' && Number(length) <= maxBytes) return await body.text();
        return await readBounded(body, maxBytes);
      } catch (error) {
        throw toFailure(error);
      }
    },
  };
}

/** By events: an async iterator costs a fifth of the whole request. */
function readBounded(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    body.on('data', (chunk: Uint8Array) => {
      size += chunk.byteLength;
      if (size <= maxBytes) chunks.push(chunk);
      // Ends the connection too: the rest of the body is of no use.
      else body.destroy(new TransportFailure('oversized', ''));
    });
    body.on('end', () => {
      const [only] = chunks;
      const bytes = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
      resolve(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
    });
    body.on('error', reject);
    // After `end` or `error` it changes nothing; alone it is a body that broke off.
    body.on('close', () => reject(new TransportFailure('broken', 'CLOSED')));
  });
}
