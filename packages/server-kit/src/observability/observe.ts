/** Owns what is seen of a handler: trace id, span, duration. */
import { type Clock, systemClock } from '@guildkit/core';
import type { Metrics } from './metrics.js';
import { type StartSpan, withSpan } from './spans.js';
import { currentTraceId, runWithTrace, traceIdOf } from './trace.js';

/** Settings of {@link observeHandler}. */
export interface ObserveOptions {
  /** Names the handler in metrics and spans: `/api/rooms/:id`, never the path itself. */
  readonly route: string;
  readonly metrics?: Metrics | undefined;
  readonly startSpan?: StartSpan | undefined;
  readonly clock?: Clock | undefined;
}

/** Wraps a Web-standard handler: it runs under the request's trace id, in a span, and is timed by route and status. */
export function observeHandler<Rest extends readonly unknown[]>(
  handler: (request: Request, ...rest: Rest) => Promise<Response>,
  options: ObserveOptions,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const { route, metrics, startSpan, clock = systemClock } = options;
  return (request, ...rest) =>
    runWithTrace(traceIdOf(request.headers), async () => {
      const startedAt = clock.now();
      let status = '500';
      try {
        const attributes = {
          'http.request.method': request.method,
          'http.route': route,
          traceId: currentTraceId() ?? '',
        };
        const response = await withSpan(startSpan, `${request.method} ${route}`, attributes, () =>
          handler(request, ...rest),
        );
        status = String(response.status);
        return response;
      } finally {
        metrics?.observe(
          'http_request_seconds',
          { method: request.method, route, status },
          (clock.now() - startedAt) / 1000,
        );
      }
    });
}
