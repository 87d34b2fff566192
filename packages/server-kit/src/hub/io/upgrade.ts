/** Owns what is read of an upgrade request and how one is refused. Refuses to throw on whatever a peer sends. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { HUB_ERRORS, type HubErrorCode } from '../../errors.js';

const STATUS = { 403: 'Forbidden', 503: 'Service Unavailable' } as const;

const claimed = new WeakSet<Duplex>();

/** Takes an upgrade for one hub; `false` when another has it: two answers on one socket would throw, or garble it. */
export function claimUpgrade(socket: Duplex): boolean {
  if (claimed.has(socket)) return false;
  claimed.add(socket);
  return true;
}

/** Answers an upgrade with an HTTP error (protocol document, section 8) and ends the socket. */
export function refuseUpgrade(
  socket: Duplex,
  status: keyof typeof STATUS,
  code: HubErrorCode,
  requestId: string,
  retryAfterSeconds?: number,
): void {
  const body = JSON.stringify({ error: { code, message: HUB_ERRORS[code].message, requestId } });
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

/** The request's headers. */
export function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    for (const value of values ?? []) {
      try {
        headers.append(name, value);
      } catch {
        // node:http lets some values through that `Headers` refuses; nothing that is read here has them.
      }
    }
  }
  return headers;
}

/** The token of `Authorization: Bearer …` (RFC 6750, section 2.1): what clients outside a browser can send. */
export function bearerOf(headers: Headers): string | undefined {
  return /^Bearer +([\w.~+/-]+=*) *$/i.exec(headers.get('authorization') ?? '')?.[1];
}
