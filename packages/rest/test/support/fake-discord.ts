/** A loopback HTTP server that counts like Discord and answers as a test tells it to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly raw: Buffer;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: unknown;
}

/** Answers one request; `undefined` when it answered on the response itself (or never will). */
export type Handler = (
  request: SeenRequest,
  raw: { readonly req: IncomingMessage; readonly res: ServerResponse },
) => Reply | undefined | Promise<Reply | undefined>;

export interface FakeDiscord extends AsyncDisposable {
  readonly apiBase: string;
  readonly port: number;
  readonly seen: SeenRequest[];
  handle: Handler;
}

export async function createFakeDiscord(handle: Handler = () => ({ body: {} })): Promise<FakeDiscord> {
  const seen: SeenRequest[] = [];
  const server: Server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const raw = Buffer.concat(chunks);
      const { method = '', url = '', headers } = req;
      const request = { method, url, headers, body: raw.toString('utf8'), raw };
      seen.push(request);
      void respond(fake.handle, request, req, res);
    });
    req.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const fake: FakeDiscord = {
    apiBase: `http://127.0.0.1:${port}/api/v10`,
    port,
    seen,
    handle,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

async function respond(
  handle: Handler,
  request: SeenRequest,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const reply = await handle(request, { req, res });
  if (reply === undefined) return;
  const { status = 200, headers = {}, body } = reply;
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(text);
}
