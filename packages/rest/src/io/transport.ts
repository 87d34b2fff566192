/** Owns the seam to HTTP. Refuses retries, limits and JSON: a transport does one exchange. */
import type { ResponseHeaders } from '../protocol/rate-limit-headers.js';

/** One HTTP exchange to make. */
export interface TransportRequest {
  readonly method: string;
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
  /** Ends the exchange at once, body included. Made when it is first read: {@link onCancel} costs less. */
  readonly signal: AbortSignal;
  /** Sets what to do when the exchange is to end; done at once when it was cancelled before. One at a time. */
  onCancel(callback: () => void): void;
  /** Largest body to read. */
  readonly maxBytes: number;
}

/** Head of a response, and its body to read. */
export interface TransportResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ResponseHeaders;
  /**
   * The body as UTF-8 text, at once when it is there already. To be called once.
   *
   * @throws TransportFailure `oversized` when it is larger than `maxBytes`, else when the connection fails.
   */
  text(): string | Promise<string>;
}

/** How requests leave the process. */
export interface Transport {
  /**
   * Settles soon after it was cancelled, as `text()` does: deadline, abort and `close()` wait for that.
   *
   * @throws TransportFailure when there is no answer.
   */
  send(request: TransportRequest): Promise<TransportResponse>;
  /** Closes idle connections and refuses new exchanges. */
  close(): Promise<void>;
}

/** Why an exchange failed. Never leaves the package. */
export class TransportFailure extends Error {
  /** `unsent`: no byte of the request went out, so repeating it is safe. */
  readonly kind: 'unsent' | 'broken' | 'oversized';
  /** The system's or library's code. */
  readonly systemCode: string;

  constructor(kind: 'unsent' | 'broken' | 'oversized', systemCode: string, cause?: unknown) {
    super(`exchange failed: ${kind} ${systemCode}`, cause === undefined ? undefined : { cause });
    this.name = 'TransportFailure';
    this.kind = kind;
    this.systemCode = systemCode;
  }
}

/** Failures that happen before anything is sent: no address, no connection. */
const UNSENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Names a failure by the code it, or what caused it, carries. */
export function toFailure(error: unknown): TransportFailure {
  if (error instanceof TransportFailure) return error;
  const code = codeOf(error) ?? codeOf((error as { cause?: unknown } | undefined)?.cause) ?? '';
  return new TransportFailure(UNSENT.has(code) ? 'unsent' : 'broken', code, error);
}

function codeOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null ? (error as { code?: unknown }).code : undefined;
  return typeof code === 'string' ? code : undefined;
}
