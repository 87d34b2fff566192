/** Owns the way between Web-standard requests and the hub's endpoints. */
import type { BodyText, PostRequest } from './command-endpoint.js';
import type { HttpAnswer } from './http-answers.js';
import { decodeText } from './node-http.js';
import type { StreamReply } from './stream-endpoint.js';
import type { StreamSink } from './stream-transport.js';

/** What the endpoints read of a request. */
export function webRequest(request: Request): PostRequest {
  const { pathname, search } = new URL(request.url);
  return {
    method: request.method,
    url: pathname + search,
    headers: request.headers,
    readText: (maxBytes) => readText(request, maxBytes),
  };
}

/** A whole answer. */
export function webAnswer({ status, headers, body }: HttpAnswer): Response {
  return new Response(body === '' ? null : body, { status, headers });
}

/** A stream as the answer to a request: what `serve` is given settles the response. */
export function webReply(request: Request, serve: (reply: StreamReply) => void): Promise<Response> {
  return new Promise((resolve) => {
    let onClosed = (): void => {};
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      request.signal.removeEventListener('abort', over);
      onClosed();
    };
    request.signal.addEventListener('abort', over);
    serve({
      chunked: false,
      answer(answer) {
        resolve(webAnswer(answer));
        // A turn later, as a socket would: nobody is told within their own call.
        queueMicrotask(over);
      },
      begin(headers) {
        const { sink, body } = streamSink(over);
        resolve(new Response(body, { status: 200, headers }));
        return sink;
      },
      abort() {
        resolve(new Response(null, { status: 503 }));
        queueMicrotask(over);
      },
      onClosed(listener) {
        onClosed = listener;
        if (request.signal.aborted) queueMicrotask(over);
      },
    });
  });
}

function streamSink(over: () => void): { readonly sink: StreamSink; readonly body: ReadableStream<Uint8Array> } {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given;
      },
      cancel() {
        controller = undefined;
        over();
      },
    },
    // Counts bytes, and pulls nothing ahead: what waits here is what the reader has not taken.
    { highWaterMark: 0, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  const finish = (end: (open: ReadableStreamDefaultController<Uint8Array>) => void): void => {
    const open = controller;
    controller = undefined;
    if (open !== undefined) end(open);
    queueMicrotask(over);
  };
  return {
    body,
    sink: {
      get waiting() {
        return -(controller?.desiredSize ?? 0);
      },
      write: (bytes) => controller?.enqueue(bytes),
      end: () => finish((open) => open.close()),
      destroy: () => finish((open) => open.error(new Error('the stream was ended'))),
    },
  };
}

async function readText(request: Request, maxBytes: number): Promise<BodyText> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) return { kind: 'tooLarge' };
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    const reader = request.body?.getReader();
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done || value === undefined) break;
      size += value.byteLength;
      if (size > maxBytes) {
        void reader?.cancel().catch(() => {});
        return { kind: 'tooLarge' };
      }
      chunks.push(value);
    }
    return decodeText(Buffer.concat(chunks));
  } catch {
    return { kind: 'unreadable' };
  }
}
