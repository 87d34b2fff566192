/**
 * Owns reading a frame into a {@link Frame}. Never throws: what it cannot read comes back as a problem, for the shell
 * to count and report. The body of a dispatch that nobody wants is not parsed.
 */
import { fields } from '../protocol/fields.js';
import { type Dispatch, type Frame, OPCODES } from '../protocol/frames.js';
import { readHead } from './frame-head.js';

/** What became of a frame's text. */
export type DecodedFrame =
  | { readonly ok: true; readonly frame: Frame }
  /** `problem` holds nothing of the frame's content: it may be logged. */
  | { readonly ok: false; readonly problem: string };

/**
 * Reads one frame (Discord docs, Gateway Events: Payload Structure).
 *
 * @param wants Whether someone listens to dispatches of that name. Left out, everything is parsed at once.
 */
export function decodeFrame(data: string | Uint8Array, wants?: (name: string) => boolean): DecodedFrame {
  const head = wants && readHead(data);
  if (head !== undefined && wants !== undefined && !isSessionEvent(head.name) && !wants(head.name)) {
    // A body that turns out not to be JSON was wanted by nobody: its number counts all the same.
    const { name, seq } = head;
    return frame({ kind: 'dispatch', seq, payload: { name, wanted: false, data: () => fields(parse(data))?.d } });
  }
  const value = parse(data);
  if (value === undefined) return malformed('not JSON');
  const parsed = fields(value);
  if (parsed === undefined) return malformed('not an object');
  const { op, d, s, t } = parsed;
  switch (op) {
    case OPCODES.dispatch:
      return decodeDispatch(t, s, d);
    case OPCODES.heartbeat:
      return frame({ kind: 'heartbeatRequest' });
    case OPCODES.reconnect:
      return frame({ kind: 'reconnect' });
    case OPCODES.invalidSession:
      if (typeof d !== 'boolean') return malformed('op 9: d is not a boolean');
      return frame({ kind: 'invalidSession', resumable: d });
    case OPCODES.hello: {
      const interval = fields(d)?.heartbeat_interval;
      // Below 1 ms is no interval, and a flood if believed.
      if (typeof interval !== 'number' || !(interval >= 1))
        return malformed('op 10: heartbeat_interval is no interval');
      return frame({ kind: 'hello', heartbeatIntervalMs: interval });
    }
    case OPCODES.heartbeatAck:
      return frame({ kind: 'heartbeatAck' });
    default:
      return malformed(typeof op === 'number' ? 'unknown opcode' : 'op is not a number');
  }
}

/** These two change the session: they are always read. */
function isSessionEvent(name: string): boolean {
  return name === 'READY' || name === 'RESUMED';
}

/** The value, or `undefined` when it is not JSON. */
function parse(data: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof data === 'string' ? data : textOf(data));
  } catch {
    return undefined;
  }
}

function textOf(data: Uint8Array): string {
  return isBuffer(data) ? data.utf8Slice(0, data.length) : UTF8.decode(data);
}

/** What Node's Buffer has beyond a Uint8Array, faster than the portable way. */
interface BufferLike {
  utf8Slice(start: number, end: number): string;
}

function isBuffer(data: Uint8Array): data is Uint8Array & BufferLike {
  return 'utf8Slice' in data;
}

const UTF8 = new TextDecoder();

function decodeDispatch(name: unknown, seq: unknown, data: unknown): DecodedFrame {
  if (typeof name !== 'string') return malformed('op 0: t is not a string');
  if (!isSequence(seq)) return malformed('op 0: s is not a sequence number');
  const payload: Dispatch = { name, wanted: true, data: () => data };
  if (name === 'RESUMED') return frame({ kind: 'resumed', seq, payload });
  if (name !== 'READY') return frame({ kind: 'dispatch', seq, payload });
  const sessionId = fields(data)?.session_id;
  const resumeUrl = fields(data)?.resume_gateway_url;
  if (typeof sessionId !== 'string' || sessionId === '') return malformed('READY: session_id is not a string');
  if (!isSocketUrl(resumeUrl)) return malformed('READY: resume_gateway_url is not a WebSocket address');
  return frame({ kind: 'ready', seq, sessionId, resumeUrl, payload });
}

function frame(value: Frame): DecodedFrame {
  return { ok: true, frame: value };
}

function malformed(problem: string): DecodedFrame {
  return { ok: false, problem };
}

function isSequence(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isSocketUrl(value: unknown): value is string {
  return typeof value === 'string' && /^wss?:\/\/[^\s/?#]+/i.test(value);
}
