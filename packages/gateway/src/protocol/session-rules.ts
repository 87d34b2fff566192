/** Owns the numbers and tables that the session follows. Tests pass smaller ones. */
import type { BackoffPolicy } from '@guildkit/core';
import { type CloseCode, closeCode } from './close-codes.js';
import type { OutboxRules } from './outbox.js';

/** Every limit of a session. Times in ms. */
export interface SessionRules extends OutboxRules {
  /** From opening the socket to HELLO: covers DNS, TCP, TLS and the upgrade. */
  readonly helloTimeoutMs: number;
  /** From HELLO to leave to identify; other shards may be before us. */
  readonly permitTimeoutMs: number;
  /** From IDENTIFY to READY. */
  readonly readyTimeoutMs: number;
  /** From RESUME to RESUMED. A longer replay goes on from where it got to. */
  readonly resumeTimeoutMs: number;
  /** The longest heartbeat interval taken from HELLO, and so the longest life of an unanswered beat. */
  readonly maxHeartbeatMs: number;
  readonly backoff: BackoffPolicy;
  /** Docs, Gateway: Resuming: wait 1 to 5 s after INVALID_SESSION. */
  readonly invalidSessionWaitMs: { readonly min: number; readonly max: number };
  /** The longest `Retry-After` that is believed. */
  readonly maxRetryAfterMs: number;
  /** The longest wait for a permit that is obeyed: a day's budget comes anew, with some leeway. */
  readonly maxPermitDelayMs: number;
  /** Failed tries in a row that raise `alert`. */
  readonly alertAfterAttempts: number;
  /** Time without a ready session that raises `degraded`. */
  readonly degradedAfterMs: number;
  /** After a new session was started for a gap, for so long further gaps are only reported: IDENTIFYs are scarce. */
  readonly gapRestMs: number;
  /** A timer that comes later than that was held up, and with it what has come over the socket. */
  readonly lateTimerMs: number;
  /** How long what has come may then take to be read before the peer counts as silent. */
  readonly lateGraceMs: number;
  readonly closeCode: (code: number) => CloseCode;
}

/** Shards at most. Docs, Gateway: Sharding: one serves up to 2500 guilds; more than that is a mistake that eats the memory. */
export const MAX_SHARDS = 16_384;

/** What applies to Discord. */
export const SESSION_RULES = {
  helloTimeoutMs: 20_000,
  permitTimeoutMs: 300_000,
  readyTimeoutMs: 30_000,
  resumeTimeoutMs: 30_000,
  // Longer than the send limit's window: what a burst has over waits for the next.
  sendTimeoutMs: 90_000,
  maxQueuedSends: 1_000,
  // Docs, Gateway: Rate Limiting: 120 in 60 s. A second more: frames that left that far apart may arrive closer.
  sendLimit: { limit: 120, windowMs: 61_000 },
  // Docs, Game SDK: Activities, UpdateActivity: 5 in 20 s. Those of the gateway do not name it.
  presenceLimit: { limit: 5, windowMs: 21_000 },
  spareBeats: 3,
  maxHeartbeatMs: 90_000,
  // 1→2→4→8→16→30 s. The floor keeps full jitter from trying again at once.
  backoff: { baseMs: 1_000, capMs: 30_000, minMs: 250 },
  invalidSessionWaitMs: { min: 1_000, max: 5_000 },
  maxRetryAfterMs: 3_600_000,
  maxPermitDelayMs: 90_000_000,
  alertAfterAttempts: 5,
  degradedAfterMs: 300_000,
  gapRestMs: 600_000,
  lateTimerMs: 100,
  lateGraceMs: 1_000,
  closeCode,
} as const satisfies SessionRules;
