/** Owns the voice gateway's close codes (Discord docs, Opcodes and Status Codes: Voice): the reason sent, and what a client should do. */

/** What a close code means. */
export interface VoiceCloseCode {
  /** Sent as the close frame's reason. */
  readonly reason: string;
  /** Whether the session can be resumed on a new connection. */
  readonly resumable: boolean;
  /** When the sandbox sends it. */
  readonly when: string;
}

/** Every code that the voice gateway closes with. */
export const VOICE_CLOSE_CODES = {
  4001: { reason: 'Unknown opcode.', resumable: false, when: 'an opcode that clients do not send' },
  4002: {
    reason: 'Failed to decode payload.',
    resumable: false,
    when: 'no JSON, no opcode, an Identify with wrong fields',
  },
  4003: { reason: 'Not authenticated.', resumable: false, when: 'anything but a heartbeat before Identify or Resume' },
  4004: {
    reason: 'Authentication failed.',
    resumable: false,
    when: 'a token, or a user, that VOICE_SERVER_UPDATE did not name',
  },
  4005: { reason: 'Already authenticated.', resumable: false, when: 'Identify or Resume a second time' },
  4006: {
    reason: 'Session no longer valid.',
    resumable: false,
    when: 'a `session_id` that is not the voice state’s, a Resume of what is over or no longer kept, a second Identify elsewhere',
  },
  4009: { reason: 'Session timeout.', resumable: false, when: 'no heartbeat for an interval and a half' },
  4011: { reason: 'Server not found.', resumable: false, when: 'a `server_id` or `channel_id` without a voice state' },
  4012: { reason: 'Unknown protocol.', resumable: false, when: 'a protocol other than `udp`' },
  4014: { reason: 'Disconnected.', resumable: false, when: 'moved, disconnected, or the main gateway session is over' },
  4015: { reason: 'Voice server crashed.', resumable: true, when: '`faults.voice.closeWith(4015)`' },
  4016: { reason: 'Unknown encryption mode.', resumable: false, when: 'a mode that Ready did not offer' },
  4017: {
    reason: 'E2EE/DAVE protocol required.',
    resumable: false,
    when: 'an Identify without DAVE where it is required',
  },
  4020: {
    reason: 'Bad request.',
    resumable: false,
    when: 'wrong fields, an SSRC of someone else, a version other than 8 and 9',
  },
  4021: {
    reason: 'Disconnected: rate limited.',
    resumable: false,
    when: 'more messages than `voice.messageLimit` in a minute',
  },
  4022: { reason: 'Disconnected: call terminated.', resumable: false, when: 'the channel is deleted' },
} as const satisfies Record<number, VoiceCloseCode>;

/** A code that the voice gateway closes with. */
export type VoiceCloseCodeNumber = keyof typeof VOICE_CLOSE_CODES;

/** Whether a session may go on after the server closed with this code: 4015, and everything below 4000. */
export const isVoiceResumable = (code: number): boolean => code === 4015 || code < 4000;
