/**
 * Owns the hooks by which a tracer follows the client, OpenTelemetry's or another: what is called, when, and that a hook
 * that fails costs no request.
 */

/** A request that was taken on. */
export interface TracedRequest {
  readonly method: string;
  /** Route template: `/channels/:id`. */
  readonly route: string;
  /** Unique in this client: `local:42`. */
  readonly id: string;
}

/** How a request ended. */
export interface RequestOutcome {
  /** Attempts made; 0 when nothing was sent. */
  readonly attempts: number;
  /** What the caller got instead of an answer. */
  readonly error: unknown;
}

/** One exchange of a request. */
export interface TracedAttempt {
  /** The object that `onRequest` got. */
  readonly request: TracedRequest;
  /** 1 for the first. */
  readonly attempt: number;
}

/** How an attempt ended. */
export interface AttemptOutcome {
  /** HTTP status, `undefined` when there was no answer. */
  readonly status: number | undefined;
  /** Discord's id of the exchange (`CF-RAY`), or the request's own. */
  readonly requestId: string;
  /** Why there was no answer: a `DiscordRestError`. */
  readonly error: unknown;
}

/**
 * Hooks for spans. All are optional, are called synchronously, and hold no secret. One that throws is logged and changes
 * nothing.
 *
 * @example
 * ```ts no-check
 * const spans = new WeakMap<TracedRequest, Span>();
 * const instrumentation: RestInstrumentation = {
 *   onRequest(request) {
 *     const span = tracer.startSpan(`${request.method} ${request.route}`);
 *     spans.set(request, span);
 *     return ({ error }) => {
 *       if (error !== undefined) span.recordException(error as Error);
 *       span.end();
 *     };
 *   },
 *   onAttempt({ request, attempt }) {
 *     const parent = trace.setSpan(context.active(), spans.get(request)!);
 *     const span = tracer.startSpan('HTTP', { attributes: { attempt } }, parent);
 *     return ({ status }) => span.setAttribute('http.response.status_code', status ?? 0).end();
 *   },
 * };
 * ```
 */
export interface RestInstrumentation {
  /** A request was taken on. What it returns is called when it has settled. */
  onRequest?(request: TracedRequest): ((outcome: RequestOutcome) => void) | undefined;
  /** An attempt goes out. What it returns is called when its answer is in, body included, or it has failed. */
  onAttempt?(attempt: TracedAttempt): ((outcome: AttemptOutcome) => void) | undefined;
}

/** Calls the hooks. Made only when there are any. */
export class Tracing {
  constructor(
    private readonly hooks: RestInstrumentation,
    private readonly onFailure: (error: unknown, hook: string) => void,
  ) {}

  /** @returns What to call when the request has settled. */
  request(request: TracedRequest): (outcome: RequestOutcome) => void {
    const end = this.guarded('onRequest', () => this.hooks.onRequest?.(request));
    return (outcome) => this.guarded('onRequest', () => end?.(outcome));
  }

  /** @returns What to call when the attempt has ended. */
  attempt(attempt: TracedAttempt): (outcome: AttemptOutcome) => void {
    const end = this.guarded('onAttempt', () => this.hooks.onAttempt?.(attempt));
    return (outcome) => this.guarded('onAttempt', () => end?.(outcome));
  }

  private guarded<T>(hook: keyof RestInstrumentation, call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.onFailure(error, hook);
      return undefined;
    }
  }
}
