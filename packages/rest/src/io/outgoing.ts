/**
 * Owns one exchange as its transport gets it, with the way to end it. Not an AbortController: one per request would cost
 * as much as all the limits together.
 */
import type { PreparedRequest } from './run.js';
import type { TransportRequest } from './transport.js';

/** A request on its way out. Fresh for each exchange. */
export class Outgoing implements TransportRequest {
  readonly method: string;
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
  readonly maxBytes: number;
  private cancelled = false;
  private callback: (() => void) | undefined;
  private controller: AbortController | undefined;

  constructor({ method, origin, path, headers, body }: PreparedRequest, maxBytes: number) {
    this.method = method;
    this.origin = origin;
    this.path = path;
    this.headers = headers;
    this.body = body;
    this.maxBytes = maxBytes;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.cancelled) this.controller.abort();
    }
    return this.controller.signal;
  }

  onCancel(callback: () => void): void {
    this.callback = callback;
    if (this.cancelled) callback();
  }

  /** Ends the exchange. Calling it again does nothing. */
  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.callback?.();
    this.controller?.abort();
  }
}
