/** Owns reading a request's bytes with a bound. Refuses to trust `Content-Length`: it is looked at first and counted anyway. */

/** Bytes, or why there are none. */
export type BodyResult =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'tooLarge' }
  /** The peer went away or the body was read before. */
  | { readonly kind: 'unreadable'; readonly cause: unknown };

/** What is read past of a body that is too large. */
const MAX_DISCARDED_BYTES = 1_048_576;

/** Reads a whole body of at most `maxBytes`. Never rejects. */
export async function readBytes(request: Request, maxBytes: number): Promise<BodyResult> {
  const declared = request.headers.get('content-length');
  // Left untouched: the server reads past it, and the connection stays good for the next request. Cancelling would cut it,
  // often before the answer is read.
  if (declared !== null && Number(declared) > maxBytes) return { kind: 'tooLarge' };
  try {
    if (request.body === null) return { kind: 'bytes', bytes: new Uint8Array(0) };
    const reader = request.body.getReader();
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.byteLength;
      if (size > maxBytes) {
        void discard(reader);
        return { kind: 'tooLarge' };
      }
      chunks.push(value);
    }
    const [only] = chunks;
    return { kind: 'bytes', bytes: chunks.length === 1 && only !== undefined ? only : joined(chunks, size) };
  } catch (cause) {
    return { kind: 'unreadable', cause };
  }
}

/** Reads past a little more, so that the peer gets to read the answer; then lets go. */
async function discard(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  try {
    for (let size = 0; size < MAX_DISCARDED_BYTES; ) {
      const { done, value } = await reader.read();
      if (done) return;
      size += value.byteLength;
    }
    await reader.cancel();
  } catch {
    // The peer went away.
  }
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}
