/**
 * Owns the way between node:http and the hub's endpoints: paths of a server, bodies in, prepared chunks out. Refuses to
 * touch requests of other paths.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Unsubscribe } from '@guildkit/core';
import { pathOf, requestFacts } from '../../shared/upgrade.js';
import type { BodyText, PostRequest } from './command-endpoint.js';
import type { HttpAnswer } from './http-answers.js';
import type { StreamReply } from './stream-endpoint.js';
import type { StreamSink } from './stream-transport.js';

/** Answers one request. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => void;

interface Routes {
  readonly list: { readonly path: string; readonly handler: NodeHandler }[];
  readonly restore: () => void;
}

/** By server, so that two hubs on one server share one detour. */
const served = new WeakMap<Server, Routes>();

/**
 * Serves a path before the server's own listeners see the request, whenever they were added: both would answer. When a
 * path is routed twice, the first has it.
 */
export function routeRequests(server: Server, path: string, handler: NodeHandler): Unsubscribe {
  const routes = served.get(server) ?? detour(server);
  const route = { path, handler };
  routes.list.push(route);
  return () => {
    const at = routes.list.indexOf(route);
    if (at < 0) return;
    routes.list.splice(at, 1);
    if (routes.list.length > 0) return;
    served.delete(server);
    routes.restore();
  };
}

function detour(server: Server): Routes {
  const list: Routes['list'] = [];
  const before = server.emit;
  const wasOwn = Object.hasOwn(server, 'emit');
  const emit = function (this: Server, name: string, ...args: unknown[]): boolean {
    if (name === 'request') {
      const [request, response] = args as [IncomingMessage, ServerResponse];
      const route = list.find(({ path }) => path === pathOf(request));
      if (route !== undefined) {
        route.handler(request, response);
        return true;
      }
    }
    return Reflect.apply(before, this, [name, ...args]) as boolean;
  };
  server.emit = emit as Server['emit'];
  const restore = (): void => {
    // Whoever wrapped it after us keeps calling ours, which then has no routes.
    if (server.emit !== (emit as Server['emit'])) return;
    if (wasOwn) server.emit = before;
    else Reflect.deleteProperty(server, 'emit');
  };
  const routes = { list, restore };
  served.set(server, routes);
  return routes;
}

/** What the endpoints read of a request. */
export function nodeRequest(request: IncomingMessage): PostRequest {
  const facts = requestFacts(request);
  return {
    method: request.method ?? '',
    url: facts.url,
    get headers() {
      return facts.headers;
    },
    readText: (maxBytes) => readText(request, maxBytes),
  };
}

/** Sends a whole answer. */
export function sendAnswer(request: IncomingMessage, response: ServerResponse, answer: HttpAnswer): void {
  const { status, headers, body } = answer;
  // The peer may be gone: there is no one to tell.
  response.on('error', () => {});
  // A body that nobody reads would hold up the next request of the connection.
  const close = request.complete ? {} : { connection: 'close' };
  const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  response.writeHead(status, { ...headers, ...length, ...close });
  response.end(body);
}

/** A stream as the answer to a request. */
export function nodeReply(request: IncomingMessage, response: ServerResponse): StreamReply {
  // HTTP/1.0 has no chunks.
  const chunked = request.httpVersion === '1.1' && isOwnTurn(response);
  response.on('error', () => {});
  return {
    chunked,
    answer: (answer) => sendAnswer(request, response, answer),
    begin(headers) {
      response.writeHead(200, chunked ? { ...headers, 'transfer-encoding': 'chunked' } : headers);
      response.flushHeaders();
      const { socket } = response;
      // A peer that vanished without a word is noticed by the operating system.
      socket?.setKeepAlive(true, 30_000);
      return chunked && socket !== null ? directSink(response, socket) : bufferedSink(response);
    },
    abort: () => void response.destroy(),
    onClosed: (listener) => void response.once('close', listener),
  };
}

/** Chunks straight into the socket: node would frame the same bytes again for each response. */
function directSink(response: ServerResponse, socket: Socket): StreamSink {
  return {
    get waiting() {
      return socket.writableLength;
    },
    write(bytes) {
      if (socket.writable && !response.writableEnded) socket.write(bytes);
    },
    end: () => void response.end(),
    destroy: () => void socket.destroy(),
  };
}

function bufferedSink(response: ServerResponse): StreamSink {
  return {
    get waiting() {
      return response.writableLength;
    },
    write(bytes) {
      if (!response.writableEnded) response.write(bytes);
    },
    end: () => void response.end(),
    destroy: () => void response.destroy(),
  };
}

/** Whether the socket carries this response now: behind others of a pipeline bytes of ours would stand in theirs. */
function isOwnTurn(response: ServerResponse): boolean {
  const socket = response.socket as (Socket & { readonly _httpMessage?: unknown }) | null;
  return socket !== null && socket._httpMessage === response;
}

async function readText(request: IncomingMessage, maxBytes: number): Promise<BodyText> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes) return { kind: 'tooLarge' };
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) return { kind: 'tooLarge' };
      chunks.push(chunk);
    }
    return decodeText(Buffer.concat(chunks));
  } catch {
    return { kind: 'unreadable' };
  }
}

/** Bytes as UTF-8. */
export function decodeText(bytes: Uint8Array): BodyText {
  try {
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return { kind: 'unreadable' };
  }
}
