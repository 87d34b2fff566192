/** Owns the text of frames that the session itself sends. */
import { type ControlFrame, OPCODES } from '../protocol/frames.js';

/** What IDENTIFY says about us (Discord docs, Gateway Events: Identify Structure). */
export interface Identity {
  readonly token: string;
  readonly intents: number;
  readonly shard: readonly [id: number, count: number];
  readonly largeThreshold: number;
  readonly presence: unknown;
}

/** Writes a control frame. `identity` is asked for only when the frame holds the token, so it need not be kept. */
export function encodeControl(frame: ControlFrame, identity: () => Identity): string {
  switch (frame.kind) {
    case 'heartbeat':
      return `{"op":${OPCODES.heartbeat},"d":${frame.seq}}`;
    case 'resume': {
      const { token } = identity();
      return JSON.stringify({ op: OPCODES.resume, d: { token, session_id: frame.sessionId, seq: frame.seq } });
    }
    case 'identify': {
      const { token, intents, shard, largeThreshold, presence } = identity();
      const properties = { os: 'linux', browser: 'guildkit', device: 'guildkit' };
      const d = { token, intents, shard, properties, large_threshold: largeThreshold, compress: false };
      return JSON.stringify({ op: OPCODES.identify, d: presence === undefined ? d : { ...d, presence } });
    }
  }
}
