/** Owns the one listening port: reads requests within bounds, hands each to REST or control, and upgrades to the gateway. */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Clock } from '@guildkit/core';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Compression, compressionProblem } from '../codec/compression.js';
import { consoleFile } from '../console-files.js';
import { SandboxError } from '../errors.js';
import type { UpgradeRefusal } from '../faults.js';
import { failureOf, type RestFault } from '../faults-rest.js';
import { tooLarge } from '../protocol/rest/reply.js';
import type { RestRequest, RestResponse } from '../rest-api.js';
import type { GatewayQuery } from './gateway-hub.js';

/** A request with what only the socket knows. */
export interface SocketRequest extends RestRequest {
  /** Address of the other side. */
  readonly remoteAddress: string;
}

/** Where requests go. */
export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Key and certificates; without them the server is plain HTTP. */
  readonly tls: { readonly key: string; readonly chain: string } | undefined;
  /** Everything under `/api`, and what nothing else answers. */
  rest(request: SocketRequest): RestResponse;
  /** What disturbs a request of `/api`; `undefined` when nothing does. */
  nextRestFault(request: SocketRequest): RestFault | undefined;
  /** Everything under `/control`. */
  control(request: SocketRequest): Promise<RestResponse>;
  /** How the next gateway connection is refused; `undefined` when it is not. */
  nextGatewayRefusal(): UpgradeRefusal | undefined;
  /** `tcp`: the connection below the WebSocket. */
  onGateway(ws: WebSocket, query: GatewayQuery, tcp: Duplex): void;
  onGatewayRefused(why: string): void;
}

/** A listening server. */
export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Largest request body, and largest with files: ten MiB a file, as Discord, and 25 MiB together. */
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_MULTIPART_BYTES = 26 * 1024 * 1024;
/** Largest frame that is read at all; between 4096 bytes and this the gateway answers with 4002. */
const MAX_FRAME_BYTES = 64 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const COMPRESSIONS: readonly Compression[] = ['none', 'zlib-stream', 'zstd-stream'];
const GATEWAY_PATHS: readonly string[] = ['/', '/gateway', '/gateway/'];

/** Starts listening. */
export async function listen(options: HttpServerOptions): Promise<HttpServer> {
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(options, request, response);
  };
  const { tls } = options;
  const server =
    tls === undefined
      ? createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, onRequest)
      : createTlsServer({ requestTimeout: REQUEST_TIMEOUT_MS, key: tls.key, cert: tls.chain }, onRequest);
  const upgrader = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });
  // Every TCP connection: also those that an upgrade took, or that never got to a request.
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.on('upgrade', (request, socket, head) => {
    // A peer that resets while it is refused must not bring the process down.
    socket.on('error', () => socket.destroy());
    const query = readQuery(request.url ?? '/');
    const refusal: UpgradeRefusal | undefined =
      typeof query === 'string' ? { answer: 400, text: query } : options.nextGatewayRefusal();
    if (typeof query === 'string' || refusal !== undefined) {
      options.onGatewayRefused(describeRefusal(refusal));
      refuse(socket, refusal);
      return;
    }
    upgrader.handleUpgrade(request, socket, head, (ws) => options.onGateway(ws, query, socket));
  });
  await listening(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of connections) socket.destroy();
      }),
  };
}

function listening(server: Server, { host, port }: HttpServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new SandboxError('ERR_SANDBOX_PORT_UNAVAILABLE', `Cannot listen on ${host}:${port}.`, error));
    });
    server.listen(port, host, resolve);
  });
}

async function answer(options: HttpServerOptions, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const isMultipart = /^multipart\/form-data\b/i.test(message.headers['content-type'] ?? '');
  const body = await readBody(message, isMultipart ? MAX_MULTIPART_BYTES : MAX_BODY_BYTES);
  if (body === 'aborted') return;
  const request: SocketRequest = {
    method: message.method ?? 'GET',
    target: message.url ?? '/',
    headers: message.headers,
    body: body === 'tooLarge' || isMultipart ? '' : body.toString('utf8'),
    bytes: body === 'tooLarge' || !isMultipart ? undefined : body,
    remoteAddress: message.socket.remoteAddress ?? '',
  };
  if (body === 'tooLarge') {
    // The rest of the body is not read: the connection cannot be used again.
    send(response, { ...jsonResponse(413, tooLarge().body), headers: { connection: 'close' } });
    return;
  }
  const page = consoleFile(request.method, request.target);
  if (page !== undefined) send(response, page);
  else if (/^\/control(\/|$)/.test(request.target)) send(response, await options.control(request));
  else {
    const fault = options.nextRestFault(request);
    if (fault === undefined) send(response, options.rest(request));
    else await disturb(options, fault, request, response);
  }
}

/** Answers a request as a fault wants it. */
async function disturb(
  { clock, rest }: HttpServerOptions,
  fault: RestFault,
  request: SocketRequest,
  response: ServerResponse,
): Promise<void> {
  const { answer: instead, carriedOut, delayMs, bodyMs, html } = fault;
  if (!(await pause(clock, response, delayMs))) return;
  const proper = instead === undefined || carriedOut ? rest(request) : undefined;
  if (instead === 'silence') return;
  if (instead === 'reset') {
    if (response.socket !== null) reset(response.socket);
    return;
  }
  const reply = instead === undefined ? pageInstead(proper, html) : failureOf({ ...fault, answer: instead });
  if (reply === undefined) return;
  if (bodyMs === 0) {
    send(response, reply);
    return;
  }
  const body = Buffer.from(reply.body);
  response.writeHead(reply.status, { 'content-length': body.length, ...reply.headers });
  response.write(body.subarray(0, body.length >> 1));
  if (await pause(clock, response, bodyMs)) response.end(body.subarray(body.length >> 1));
}

/** An answer whose body a proxy has replaced. */
function pageInstead(proper: RestResponse | undefined, html: string | undefined): RestResponse | undefined {
  if (proper === undefined || html === undefined) return proper;
  return { ...proper, headers: { ...proper.headers, 'content-type': 'text/html' }, body: html };
}

/** Waits; false when the other side has gone meanwhile. */
function pause(clock: Clock, response: ServerResponse, ms: number): Promise<boolean> {
  if (ms === 0) return Promise.resolve(!response.destroyed);
  return new Promise((resolve) => {
    const gone = (): void => {
      clock.clearTimer(timer);
      resolve(false);
    };
    const timer = clock.setTimer(() => {
      response.off('close', gone);
      resolve(!response.destroyed);
    }, ms);
    response.once('close', gone);
  });
}

function send(response: ServerResponse, { status, headers, body }: RestResponse): void {
  if (response.destroyed) return;
  // 204 must not name a length (RFC 9110 §8.6).
  response.writeHead(status, { ...(status === 204 ? {} : { 'content-length': Buffer.byteLength(body) }), ...headers });
  response.end(body);
}

function jsonResponse(status: number, body: unknown): RestResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function readBody(message: IncomingMessage, most: number): Promise<Buffer | 'aborted' | 'tooLarge'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    message.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size <= most) chunks.push(chunk);
      else resolve('tooLarge');
    });
    message.on('end', () => resolve(Buffer.concat(chunks)));
    message.on('error', () => resolve('aborted'));
    message.on('close', () => resolve('aborted'));
  });
}

function refuse(socket: Duplex, refusal: UpgradeRefusal | undefined): void {
  if (refusal === undefined || refusal.answer === 'silence') return;
  if (refusal.answer === 'reset') {
    reset(socket);
    return;
  }
  const { answer, retryAfterSeconds, text = '' } = refusal;
  const head = [
    `HTTP/1.1 ${answer} ${STATUS_CODES[answer] ?? ''}`,
    'connection: close',
    'content-type: text/plain; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    ...(retryAfterSeconds === undefined ? [] : [`retry-after: ${retryAfterSeconds}`]),
  ];
  // Destroyed once written: the peer may leave its half open, and the server could then never close.
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy());
}

/** Resets the TCP connection; below TLS Node only lets it be destroyed. */
function reset(socket: Duplex): void {
  if (socket instanceof Socket && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
  else socket.destroy();
}

const describeRefusal = (refusal: UpgradeRefusal | undefined): string =>
  [String(refusal?.answer ?? ''), refusal?.text ?? ''].join(' ').trim();

/** The gateway's query (Discord docs, Gateway: Connecting); a text that says what is not offered. */
function readQuery(target: string): GatewayQuery | string {
  const mark = target.indexOf('?');
  const path = mark === -1 ? target : target.slice(0, mark);
  if (!GATEWAY_PATHS.includes(path)) return 'The gateway is at /gateway.';
  const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1));
  const compress = query.get('compress') || 'none';
  if ((query.get('encoding') ?? 'json') !== 'json') return 'The only encoding is json.';
  const compression = COMPRESSIONS.find((name) => name === compress);
  if (compression === undefined) return 'compress is zlib-stream or zstd-stream.';
  return compressionProblem(compression) ?? { version: Number(query.get('v') ?? '10'), compression };
}
