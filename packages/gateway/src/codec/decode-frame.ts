/**
 * Owns reading a frame's text into a {@link Frame}. Never throws: what it cannot read comes back as a problem, for
 * the shell to count and report.
 */
import { type Dispatch, type Frame, OPCODES } from '../protocol/frames.js';

/** What became of a frame's text. */
export type DecodedFrame =
  | { readonly ok: true; readonly frame: Frame }
  /** `problem` holds nothing of the frame's content: it may be logged. */
  | { readonly ok: false; readonly problem: string };

/** Reads one frame (Discord docs, Gateway Events: Payload Structure). */
export function decodeFrame(text: string): DecodedFrame {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return malformed('not JSON');
  }
  if (!isRecord(parsed)) return malformed('not an object');
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
      const interval = isRecord(d) ? d.heartbeat_interval : undefined;
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

function decodeDispatch(name: unknown, seq: unknown, data: unknown): DecodedFrame {
  if (typeof name !== 'string') return malformed('op 0: t is not a string');
  if (!isSequence(seq)) return malformed('op 0: s is not a sequence number');
  const payload: Dispatch = { name, data: () => data };
  if (name === 'RESUMED') return frame({ kind: 'resumed', seq, payload });
  if (name !== 'READY') return frame({ kind: 'dispatch', seq, payload });
  const sessionId = isRecord(data) ? data.session_id : undefined;
  const resumeUrl = isRecord(data) ? data.resume_gateway_url : undefined;
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

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
