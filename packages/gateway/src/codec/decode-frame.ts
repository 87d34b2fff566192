/**
 * Owns reading a frame into a {@link Frame}. Never throws: what it cannot read comes back as a problem, for the shell
 * to count and report. The body of a dispatch that nobody wants is not parsed.
 */
import { fields } from '../protocol/fields.js';
import { type Dispatch, type DispatchFilter, type Frame, OPCODES } from '../protocol/frames.js';
import { readHead } from './frame-head.js';

/** A frame, or why it is none. `problem` holds nothing of its content: it may be logged. */
export type DecodedFrame = Frame | { readonly kind: 'malformed'; readonly problem: string };

/**
 * Reads one frame (Discord docs, Gateway Events: Payload Structure).
 *
 * @param filter Which dispatches are listened to. Left out, all are.
 */
export function decodeFrame(data: string | Uint8Array, filter: DispatchFilter = ALL): DecodedFrame {
  if (!filter.wantsAll) {
    const head = readHead(data, filter, isSessionEvent);
    // A body that turns out not to be JSON was wanted by nobody: its number counts all the same.
    if (head !== undefined) return { kind: 'dispatch', seq: head.seq, payload: unwanted(head.name) };
  }
  const value = parse(data);
  if (value === undefined) return malformed('not JSON');
  const parsed = fields(value);
  if (parsed === undefined) return malformed('not an object');
  const { op, d, s, t } = parsed;
  switch (op) {
    case OPCODES.dispatch:
      return decodeDispatch(t, s, d, filter);
    case OPCODES.heartbeat:
      return { kind: 'heartbeatRequest' };
    case OPCODES.reconnect:
      return { kind: 'reconnect' };
    case OPCODES.invalidSession:
      if (typeof d !== 'boolean') return malformed('op 9: d is not a boolean');
      return { kind: 'invalidSession', resumable: d };
    case OPCODES.hello: {
      const interval = fields(d)?.heartbeat_interval;
      // Below 1 ms is no interval, and a flood if believed.
      if (typeof interval !== 'number' || !(interval >= 1))
        return malformed('op 10: heartbeat_interval is no interval');
      return { kind: 'hello', heartbeatIntervalMs: interval };
    }
    case OPCODES.heartbeatAck:
      return { kind: 'heartbeatAck' };
    default:
      return malformed(typeof op === 'number' ? 'unknown opcode' : 'op is not a number');
  }
}

const ALL: DispatchFilter = { wantsAll: true, wants: () => true };

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

function decodeDispatch(name: unknown, seq: unknown, data: unknown, filter: DispatchFilter): DecodedFrame {
  if (typeof name !== 'string') return malformed('op 0: t is not a string');
  if (!isSequence(seq)) return malformed('op 0: s is not a sequence number');
  if (!isSessionEvent(name)) {
    return { kind: 'dispatch', seq, payload: filter.wants(name) ? { name, wanted: true, data } : unwanted(name) };
  }
  const payload: Dispatch = { name, wanted: true, data };
  if (name === 'RESUMED') return { kind: 'resumed', seq, payload };
  const sessionId = fields(data)?.session_id;
  const resumeUrl = fields(data)?.resume_gateway_url;
  if (typeof sessionId !== 'string' || sessionId === '') return malformed('READY: session_id is not a string');
  if (!isSocketUrl(resumeUrl)) return malformed('READY: resume_gateway_url is not a WebSocket address');
  return { kind: 'ready', seq, sessionId, resumeUrl, payload };
}

function unwanted(name: string): Dispatch {
  return { name, wanted: false, data: undefined };
}

function malformed(problem: string): DecodedFrame {
  return { kind: 'malformed', problem };
}

function isSequence(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isSocketUrl(value: unknown): value is string {
  return typeof value === 'string' && /^wss?:\/\/[^\s/?#]+/i.test(value);
}
