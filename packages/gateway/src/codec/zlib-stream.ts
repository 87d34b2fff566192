/**
 * Owns the reading side of `zlib-stream` (Discord docs, Gateway: Transport Compression): one zlib stream over all
 * messages of a connection, a message being complete when its bytes end in 00 00 FF FF. Synchronous, so that order
 * needs no thought. Refuses to look into messages.
 */
import { constants, createInflate, inflateRawSync } from 'node:zlib';
import {
  type Boundary,
  corrupt,
  type Inflated,
  type Inflater,
  type InflaterFactory,
  joined,
  MAX_MESSAGE_BYTES,
  MORE,
} from './inflater.js';
import { driveContext, inflatesAsExpected } from './native-context.js';

/** RFC 1951 section 2: how far back a stream may refer. */
const WINDOW_BYTES = 32 * 1024;

/** One native zlib context. Only as long as {@link nativeInflateWorks}. */
export function createNativeInflater(): Inflater {
  return driveContext(createInflate(), constants.Z_SYNC_FLUSH, trackEnding());
}

/**
 * The same on documented functions alone. A sync flush ends on a byte, so each message can be inflated by itself when
 * the last 32 KiB before it are given as a dictionary. Slower: a context is made for each message.
 */
export function createPortableInflater(): Inflater {
  const ending = trackEnding();
  let pieces: Uint8Array[] = [];
  let size = 0;
  let window: Uint8Array = new Uint8Array(0);
  let headerSeen = false;
  let failure: string | undefined;

  function inflate(whole: Uint8Array): Inflated {
    const body = headerSeen ? whole : withoutHeader(whole);
    if (body === undefined) return corrupt('incorrect header');
    headerSeen = true;
    const data = inflateRawSync(body, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: MAX_MESSAGE_BYTES,
      // An empty one is refused.
      ...(window.length === 0 ? {} : { dictionary: window }),
    });
    const tail = data.subarray(-WINDOW_BYTES);
    window = tail.length < WINDOW_BYTES ? joined([window, tail]).slice(-WINDOW_BYTES) : tail.slice();
    return { status: 'message', data };
  }

  return {
    close() {
      failure ??= 'the stream is closed';
    },
    push(chunk) {
      if (failure !== undefined) return corrupt(failure);
      pieces.push(chunk);
      size += chunk.length;
      if (size > MAX_MESSAGE_BYTES) failure = 'message too large';
      else if (!ending.after(chunk)) return MORE;
      const whole = joined(pieces);
      pieces = [];
      size = 0;
      try {
        const inflated = failure === undefined ? inflate(whole) : corrupt(failure);
        if (inflated.status === 'corrupt') failure = inflated.problem;
        return inflated;
      } catch (error) {
        failure = (error as { code?: string }).code ?? 'invalid data';
        return corrupt(failure);
      }
    },
  };
}

/** Two messages, the second of which refers back into the first. */
const PROBE_TEXT = '{"op":11,"probe":"guildkit"}';
const PROBE = ['789caa56ca2f50b23234d4512a28ca4f4a55b2524a2fcdcc49c9ce2c51aa05000000ffff', 'aac62307000000ffff'];

/** Whether this Node's zlib has inside what {@link createNativeInflater} expects there. */
export function nativeInflateWorks(create: InflaterFactory = createNativeInflater): boolean {
  return inflatesAsExpected(create, PROBE, PROBE_TEXT, 'ff00ff0000ffff');
}

/** The faster inflater that works here. */
export function chooseZlibInflater(): InflaterFactory {
  return nativeInflateWorks() ? createNativeInflater : createPortableInflater;
}

/** Watches for 00 00 FF FF at the end of what has come, even when it comes in pieces. */
function trackEnding(): Boundary {
  let tail = 0;
  return {
    after(chunk) {
      for (let at = Math.max(0, chunk.length - 4); at < chunk.length; at += 1) {
        tail = ((tail << 8) | (chunk[at] ?? 0)) >>> 0;
      }
      const isComplete = tail === 0x0000ffff;
      // What ended one message must not help to end the next.
      if (isComplete) tail = 0xffffffff;
      return isComplete;
    },
  };
}

/** RFC 1950 section 2.2: method 8, a check over both bytes, no preset dictionary. */
function withoutHeader(stream: Uint8Array): Uint8Array | undefined {
  const [method = 0, flags = 0] = stream;
  const isValid = (method & 0x0f) === 8 && ((method << 8) | flags) % 31 === 0 && (flags & 0x20) === 0;
  return isValid ? stream.subarray(2) : undefined;
}
