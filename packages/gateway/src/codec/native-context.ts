/**
 * Owns driving one of node:zlib's decompressors directly: no stream, no callback, no copy but the message itself. It
 * uses what the module's own synchronous functions use, which is not documented: only after {@link inflatesAsExpected}.
 */
import { type Boundary, corrupt, type Inflated, type Inflater, MAX_MESSAGE_BYTES, MORE } from './inflater.js';

/** What is used of a decompressor beyond its documented interface. */
interface ContextInternals {
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

const OUTPUT_BYTES = 64 * 1024;

/** @param stream A decompressor of node:zlib. @param flush Its flag for giving out all there is. */
export function driveContext(stream: object, flush: number, boundary: Boundary): Inflater {
  const context = stream as ContextInternals;
  const { _handle: handle, _writeState: left } = context;
  const output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  let failure: string | undefined;
  let pieces: Uint8Array[] = [];
  let size = 0;
  handle.onerror = (message) => {
    failure = message;
  };

  /** All that the chunk yields goes to `pieces`. */
  function inflate(chunk: Uint8Array): void {
    let offset = 0;
    for (;;) {
      handle.writeSync(flush, chunk, offset, chunk.length - offset, output, 0, OUTPUT_BYTES);
      if (failure !== undefined) return;
      const [room = 0, rest = 0] = left;
      const made = OUTPUT_BYTES - room;
      size += made;
      if (size > MAX_MESSAGE_BYTES) failure = 'message too large';
      else if (made > 0) pieces.push(Buffer.from(output.subarray(0, made)));
      const stuck = made === 0 && chunk.length - rest === offset;
      offset = chunk.length - rest;
      // A full output means that more may come of the same input.
      if (failure !== undefined || (room > 0 && rest === 0)) return;
      if (stuck) {
        failure = 'bytes after the end of the stream';
        return;
      }
    }
  }

  return {
    close() {
      // Node ends the process when a closed context is written to.
      failure ??= 'the stream is closed';
      context.close();
    },
    push(chunk) {
      if (failure !== undefined) return corrupt(failure);
      // The bytes are looked at first: what they announce may be more than we take.
      const isComplete = boundary.after(chunk);
      failure = boundary.problem;
      if (failure === undefined) inflate(chunk);
      if (failure !== undefined) {
        pieces = [];
        return corrupt(failure);
      }
      if (!isComplete) return MORE;
      const [first] = pieces;
      const data = pieces.length === 1 && first !== undefined ? first : Buffer.concat(pieces);
      pieces = [];
      size = 0;
      return { status: 'message', data };
    },
  };
}

/** Whether an inflater reads `messages`, each as `text`, and refuses `garbage` after them. */
export function inflatesAsExpected(
  create: () => Inflater,
  messages: readonly string[],
  text: string,
  garbage: string,
): boolean {
  try {
    const inflater = create();
    const read = (hex: string): Inflated => inflater.push(Buffer.from(hex, 'hex'));
    const reads = messages.map(read);
    const refuses = read(garbage).status === 'corrupt';
    inflater.close();
    return (
      refuses &&
      reads.every((inflated) => inflated.status === 'message' && Buffer.from(inflated.data).equals(Buffer.from(text)))
    );
  } catch {
    return false;
  }
}
