/** Owns one attempt over HTTP and what its answer means. */
import { messageOf } from '@guildkit/core';

/** What became of an attempt. */
export type PostResult =
  | { readonly kind: 'delivered'; readonly bootId: string | undefined }
  /** Trying again would end the same. */
  | { readonly kind: 'refused'; readonly status: number; readonly bootId: string | undefined }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs: number };

/** Answers of 4xx that say "later": RFC 9110, 15.5.9; RFC 8470, 5.2; RFC 6585, 4. */
const LATER: readonly number[] = [408, 425, 429];
/** A receiver cannot stop its sender for longer. */
const MAX_RETRY_AFTER_MS = 60_000;
const BOOT_ID = /^[\x21-\x7e]{1,128}$/;

/** Sends a signed body. Never rejects. */
export async function post(
  fetchImpl: typeof fetch,
  url: string,
  request: {
    readonly body: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
    readonly bootHeader: string;
  },
): Promise<PostResult> {
  try {
    const { body, headers, signal, bootHeader } = request;
    const response = await fetchImpl(url, { method: 'POST', body, headers, signal, redirect: 'manual' });
    // The connection is given back; what the body says does not matter.
    await response.body?.cancel();
    const given = response.headers.get(bootHeader);
    const bootId = given !== null && BOOT_ID.test(given) ? given : undefined;
    const { status } = response;
    if (status >= 200 && status < 300) return { kind: 'delivered', bootId };
    if (status >= 500 || LATER.includes(status)) {
      return { kind: 'failed', reason: `status ${status}`, retryAfterMs: retryAfter(response) };
    }
    return { kind: 'refused', status, bootId };
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error), retryAfterMs: 0 };
  }
}

function retryAfter({ headers }: Response): number {
  const seconds = Number(headers.get('retry-after') ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) : 0;
}

/** undici says "fetch failed" and keeps the reason in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = Object(error) as { cause?: unknown };
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}`;
}
