/** Owns what each way of losing the voice gateway means. A table. */

/**
 * What follows a lost connection: `resume` it, `signal` again through the main gateway, `await` a voice server update, or
 * `stop`.
 */
export type AfterVoiceLoss = 'resume' | 'signal' | 'await' | 'stop';

/** One close code. */
export interface VoiceCloseCode {
  readonly name: string;
  readonly next: AfterVoiceLoss;
}

/** Discord docs, Opcodes and Status Codes: Voice Close Event Codes. */
export const VOICE_CLOSE_CODES = {
  4001: { name: 'unknown opcode', next: 'signal' },
  4002: { name: 'decode error', next: 'signal' },
  4003: { name: 'not authenticated', next: 'signal' },
  4004: { name: 'authentication failed', next: 'stop' },
  4005: { name: 'already authenticated', next: 'signal' },
  4006: { name: 'session no longer valid', next: 'signal' },
  4009: { name: 'session timeout', next: 'signal' },
  4011: { name: 'server not found', next: 'signal' },
  4012: { name: 'unknown protocol', next: 'signal' },
  // Docs: "should not reconnect". A move and a change of region close with it too: the update that follows tells them apart.
  4014: { name: 'disconnected', next: 'await' },
  4015: { name: 'voice server crashed', next: 'resume' },
  4016: { name: 'unknown encryption mode', next: 'stop' },
  4017: { name: 'end-to-end encryption required', next: 'stop' },
  4020: { name: 'bad request', next: 'signal' },
  4021: { name: 'rate limited', next: 'stop' },
  // Docs: "channel deleted, voice server changed, etc.", so it is waited out like 4014.
  4022: { name: 'call terminated', next: 'await' },
} as const satisfies Readonly<Record<number, VoiceCloseCode>>;

/** A close code after which no retry can help. */
export type FatalVoiceCloseCode = {
  [Code in keyof typeof VOICE_CLOSE_CODES]: (typeof VOICE_CLOSE_CODES)[Code]['next'] extends 'stop' ? Code : never;
}[keyof typeof VOICE_CLOSE_CODES];

/** RFC 6455's own codes say nothing against the session. */
const TRANSPORT: VoiceCloseCode = { name: 'connection lost', next: 'resume' };
const UNKNOWN: VoiceCloseCode = { name: 'unknown code', next: 'signal' };

/** Looks a close code up. */
export function voiceCloseCode(code: number): VoiceCloseCode {
  const known = (VOICE_CLOSE_CODES as Readonly<Record<number, VoiceCloseCode>>)[code];
  return known ?? (code < 4000 ? TRANSPORT : UNKNOWN);
}
