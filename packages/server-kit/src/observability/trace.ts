/** Owns the trace id that follows a request or event through every line that is logged on its behalf. */
import { AsyncLocalStorage } from 'node:async_hooks';

const storage = new AsyncLocalStorage<string>();

/** What a peer may name: anything else could forge log lines or labels. */
const TRACE_ID = /^[A-Za-z0-9._-]{8,64}$/;
/** W3C Trace Context, section 3.2: version, trace id, parent id, flags. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

/** A new trace id: 32 hex digits, as W3C Trace Context has them. */
export function newTraceId(): string {
  return crypto.randomUUID().replaceAll('-', '');
}

/** Runs a function so that everything it starts logs under this trace id; a new one when there is none or it is unusable. */
export function runWithTrace<T>(traceId: string | undefined, run: () => T): T {
  return storage.run(traceId !== undefined && TRACE_ID.test(traceId) ? traceId : newTraceId(), run);
}

/** The trace id of what is running; `undefined` outside. */
export function currentTraceId(): string | undefined {
  return storage.getStore();
}

/** The trace id that a request brings: `traceparent` (W3C), else `X-Request-Id`. */
export function traceIdOf(headers: Headers): string | undefined {
  const parent = TRACEPARENT.exec(headers.get('traceparent') ?? '')?.[1];
  // All zeros is invalid (section 3.2.2.3).
  if (parent !== undefined && !/^0+$/.test(parent)) return parent;
  const given = headers.get('x-request-id') ?? '';
  return TRACE_ID.test(given) ? given : undefined;
}
