/** Owns what is read of an upgrade request, which origins may make one, and how one is refused. Refuses to throw on whatever a peer sends. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const STATUS = { 403: 'Forbidden', 503: 'Service Unavailable' } as const;

const claimed = new WeakSet<Duplex>();

/** Takes an upgrade for one listener; `false` when another has it: two answers on one socket would throw, or garble it. */
export function claimUpgrade(socket: Duplex): boolean {
  if (claimed.has(socket)) return false;
  claimed.add(socket);
  return true;
}

/** Answers an upgrade with an HTTP error (protocol document, section 8) and ends the socket. */
export function refuseUpgrade(
  socket: Duplex,
  status: keyof typeof STATUS,
  { code, message }: { readonly code: string; readonly message: string },
  requestId: string,
  retryAfterSeconds?: number,
): void {
  const body = JSON.stringify({ error: { code, message, requestId } });
  const head = [
    `HTTP/1.1 ${status} ${STATUS[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${retryAfterSeconds}`]),
  ];
  // The peer may be gone: there is no one to tell.
  socket.on('error', () => {});
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** The path of a request target, without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

/** What is kept of a request for as long as its connection lives: its lines, not the objects around them. */
export function requestFacts({ url = '', rawHeaders }: IncomingMessage): OriginRequest {
  return {
    url,
    get headers() {
      return headersOf(rawHeaders);
    },
  };
}

function headersOf(lines: readonly string[]): Headers {
  const headers = new Headers();
  for (let at = 0; at + 1 < lines.length; at += 2) {
    try {
      headers.append(lines[at] as string, lines[at + 1] as string);
    } catch {
      // node:http lets some values through that `Headers` refuses; nothing that is read here has them.
    }
  }
  return headers;
}

/** The token of `Authorization: Bearer …` (RFC 6750, section 2.1): what clients outside a browser can send. */
export function bearerOf(headers: Headers): string | undefined {
  return /^Bearer +([\w.~+/-]+=*) *$/i.exec(headers.get('authorization') ?? '')?.[1];
}

/** What `origins` looks at beside the origin. */
export interface OriginRequest {
  /** Path and query. */
  readonly url: string;
  readonly headers: Headers;
}

/** Who may connect from a browser: a list of origins, or a function that decides. */
export type Origins = readonly string[] | ((origin: string | undefined, request: OriginRequest) => boolean);

/** What `authenticate` looks at. */
export interface AuthContext {
  /** From an `auth` frame or `Authorization: Bearer`. Without one, look at the request: its session cookie. */
  readonly token?: string | undefined;
  /** Headers of the request. */
  readonly headers: Headers;
  /** Path and query of the request. */
  readonly url: string;
}

/** Turns `origins` into one question. */
export function originCheck(origins: Origins): (origin: string | undefined, request: OriginRequest) => boolean {
  if (typeof origins === 'function') return origins;
  const allowed = new Set(origins.map((origin) => new URL(origin).origin));
  return (origin) => origin === undefined || allowed.has(origin);
}

function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { origin, pathname, search, hash } = new URL(value);
  return origin !== 'null' && pathname === '/' && search === '' && hash === '';
}

/** A check of an option that holds {@link Origins}. */
export function isOrigins(value: unknown): string | undefined {
  return typeof value === 'function' || (Array.isArray(value) && value.every(isOrigin))
    ? undefined
    : 'must be a function or an array of origins such as "https://app.example"';
}
