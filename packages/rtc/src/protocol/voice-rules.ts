/** Owns the numbers and tables that a voice connection follows. Tests pass smaller ones. */
import type { BackoffPolicy } from '@guildkit/core';
import type { EncryptionMode } from '@guildkit/rtp';
import { type VoiceCloseCode, voiceCloseCode } from './voice-close-codes.js';
import type { KeepaliveRules } from './voice-keepalive.js';

/** Every limit of a voice connection. Times in ms. */
export interface VoiceRules extends KeepaliveRules {
  /** From opcode 4 of the main gateway to both of its answers. */
  readonly joinTimeoutMs: number;
  /** From `endpoint: null` to the next endpoint: Discord finds another server. */
  readonly reallocationTimeoutMs: number;
  /** From opening the socket to HELLO: covers DNS, TCP, TLS and the upgrade. */
  readonly helloTimeoutMs: number;
  /** From IDENTIFY to READY, from RESUME to RESUMED, from SELECT PROTOCOL to a session that works. */
  readonly answerTimeoutMs: number;
  /** From the first discovery datagram to the last that is waited for. */
  readonly discoveryTimeoutMs: number;
  /** Between two discovery datagrams: any of them may be lost. */
  readonly discoveryRetryMs: number;
  /** R8: from a 4014 to the voice server update that makes it a move. */
  readonly expelledTimeoutMs: number;
  /** From leaving the channel to the close code that says why. */
  readonly leftGraceMs: number;
  /** From a move to the server update or close that comes with it. */
  readonly moveTimeoutMs: number;
  /** The longest heartbeat interval taken from HELLO, and so the longest life of an unanswered beat. */
  readonly maxHeartbeatMs: number;
  readonly backoff: BackoffPolicy;
  /** Resumes in a row before the main gateway is asked again. */
  readonly maxResumes: number;
  /** A session that lived so long makes failed tries forgotten. */
  readonly stableAfterMs: number;
  /** Failed tries in a row that raise `alert`. */
  readonly alertAfterAttempts: number;
  /** A timer that comes later than that was held up, and with it what has come over the socket. */
  readonly lateTimerMs: number;
  /** How long what has come may then take to be read before the peer counts as silent. */
  readonly lateGraceMs: number;
  /** Encryption modes, best first. */
  readonly modes: readonly EncryptionMode[];
  readonly closeCode: (code: number) => VoiceCloseCode;
}

/** What applies to Discord. `modes` is to be filled in. */
export const VOICE_RULES = {
  joinTimeoutMs: 10_000,
  reallocationTimeoutMs: 60_000,
  helloTimeoutMs: 10_000,
  answerTimeoutMs: 10_000,
  discoveryTimeoutMs: 5_000,
  discoveryRetryMs: 250,
  expelledTimeoutMs: 5_000,
  leftGraceMs: 1_000,
  moveTimeoutMs: 5_000,
  maxHeartbeatMs: 60_000,
  // 1→2→4→8→16→30 s. The floor keeps full jitter from trying again at once.
  backoff: { baseMs: 1_000, capMs: 30_000, minMs: 100 },
  maxResumes: 3,
  stableAfterMs: 30_000,
  alertAfterAttempts: 5,
  lateTimerMs: 100,
  lateGraceMs: 1_000,
  // What Discord recommends where it is offered; the client measures its own machine.
  modes: ['aead_aes256_gcm_rtpsize', 'aead_xchacha20_poly1305_rtpsize'],
  closeCode: voiceCloseCode,
  keepaliveMs: 5_000,
  keepaliveMisses: 3,
  probeTimeoutMs: 3_000,
} as const satisfies VoiceRules;
