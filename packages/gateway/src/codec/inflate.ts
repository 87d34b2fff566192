/**
 * Owns the reading side of `zlib-stream` (Discord docs, Gateway: Transport Compression): one zlib stream over all
 * messages of a connection, a message being complete when its bytes end in 00 00 FF FF. Synchronous, so that order
 * needs no thought. Refuses to look into messages.
 */
import { constants, createInflate, inflateRawSync } from 'node:zlib';

/** What became of some bytes. */
export type Inflated =
  /** A message is complete. */
  | { readonly status: 'message'; readonly data: Uint8Array }
  /** More of it has to come. */
  | { readonly status: 'more' }
  /** The stream cannot be read any further. `problem` holds nothing of its content. */
  | { readonly status: 'corrupt'; readonly problem: string };

/** One connection's stream. */
export interface Inflater {
  push(chunk: Uint8Array): Inflated;
  /** Frees what is held outside of JavaScript's memory. */
  close(): void;
}

/** Makes an inflater for one connection. */
export type InflaterFactory = () => Inflater;

/** A message may not grow beyond that: a few bytes can inflate to gigabytes. */
const MAX_MESSAGE_BYTES = 100 * 1024 * 1024;
const OUTPUT_BYTES = 64 * 1024;
/** RFC 1951 section 2: how far back a stream may refer. */
const WINDOW_BYTES = 32 * 1024;
const MORE: Inflated = { status: 'more' };

/** What is used of `node:zlib` beyond its documented interface: the same that its own synchronous functions use. */
interface InflateInternals {
  readonly _handle: {
    onerror: (message: string) => void;
    writeSync(
      flush: number,
      input: Uint8Array,
      inputOffset: number,
      inputLength: number,
      output: Uint8Array,
      outputOffset: number,
      outputLength: number,
    ): void;
  };
  /** Filled by `writeSync`: room left in the output, bytes left of the input. */
  readonly _writeState: Uint32Array;
  close(): void;
}

/**
 * Drives one native zlib context directly: no stream, no callback, no copy but the message itself. Only as long as
 * {@link nativeInflateWorks}.
 */
export function createNativeInflater(): Inflater {
  const stream = createInflate() as unknown as InflateInternals;
  const { _handle: handle, _writeState: left } = stream;
  const output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  const ending = trackEnding();
  let failure: string | undefined;
  let pieces: Uint8Array[] = [];
  let size = 0;
  handle.onerror = (message) => {
    failure = message;
  };

  return {
    close: () => stream.close(),
    push(chunk) {
      if (failure !== undefined) return corrupt(failure);
      let offset = 0;
      let roomLeft = 0;
      do {
        handle.writeSync(constants.Z_SYNC_FLUSH, chunk, offset, chunk.length - offset, output, 0, OUTPUT_BYTES);
        if (failure !== undefined) return corrupt(failure);
        const [room = 0, rest = 0] = left;
        roomLeft = room;
        offset = chunk.length - rest;
        size += OUTPUT_BYTES - room;
        if (size > MAX_MESSAGE_BYTES) failure = 'message too large';
        else if (room < OUTPUT_BYTES) pieces.push(Buffer.from(output.subarray(0, OUTPUT_BYTES - room)));
        // A full output means that more may come of the same input.
      } while (roomLeft === 0 && failure === undefined);
      if (failure === undefined && offset < chunk.length) failure = 'bytes after the end of the stream';
      if (failure !== undefined) return corrupt(failure);
      if (!ending.after(chunk)) return MORE;
      const data = joined(pieces);
      pieces = [];
      size = 0;
      return { status: 'message', data };
    },
  };
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
    close() {},
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
  try {
    const inflater = create();
    const texts = PROBE.map((hex) => {
      const inflated = inflater.push(Buffer.from(hex, 'hex'));
      return inflated.status === 'message' ? Buffer.from(inflated.data).toString() : undefined;
    });
    const ends = inflater.push(Buffer.from('ff00ff0000ffff', 'hex')).status === 'corrupt';
    inflater.close();
    return ends && texts.every((text) => text === PROBE_TEXT);
  } catch {
    return false;
  }
}

/** The faster inflater that works here. */
export function chooseInflater(): InflaterFactory {
  return nativeInflateWorks() ? createNativeInflater : createPortableInflater;
}

/** Watches for 00 00 FF FF at the end of what has come, even when it comes in pieces. */
function trackEnding(): { after(chunk: Uint8Array): boolean } {
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

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
}

function corrupt(problem: string): Inflated {
  return { status: 'corrupt', problem };
}
