/** Owns the gateway's close codes (Discord docs, Opcodes and Status Codes): the reason sent, and whether the session survives. */

/** What a close code means. */
export interface CloseCode {
  /** Sent as the close frame's reason. */
  readonly reason: string;
  /** Whether the session can be resumed on a new connection. */
  readonly resumable: boolean;
}

/** Every code that the gateway closes with. */
export const CLOSE_CODES = {
  4000: { reason: 'Unknown error.', resumable: true },
  4001: { reason: 'Unknown opcode.', resumable: true },
  4002: { reason: 'Error while decoding payload.', resumable: true },
  4003: { reason: 'Not authenticated.', resumable: false },
  4004: { reason: 'Authentication failed.', resumable: false },
  4005: { reason: 'Already authenticated.', resumable: true },
  4007: { reason: 'Invalid seq.', resumable: false },
  4008: { reason: 'Rate limited.', resumable: true },
  4009: { reason: 'Session timed out.', resumable: false },
  4010: { reason: 'Invalid shard.', resumable: false },
  4011: { reason: 'Sharding required.', resumable: false },
  4012: { reason: 'Invalid API version.', resumable: false },
  4013: { reason: 'Invalid intent(s).', resumable: false },
  4014: { reason: 'Disallowed intent(s).', resumable: false },
} as const satisfies Record<number, CloseCode>;

/** A code that the gateway closes with. */
export type GatewayCloseCode = keyof typeof CLOSE_CODES;

/** A client that closes with one of these ends its session; with any other it may resume (Discord docs, Gateway: Resuming). */
export const isSessionEnd = (code: number): boolean => code === 1000 || code === 1001;
