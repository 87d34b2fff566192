/**
 * Owns what each way of losing a connection means: Discord's gateway close codes, the WebSocket codes around them,
 * and HTTP answers that refuse the upgrade. Tables only.
 */

/** What follows a lost connection: come back to the session, start a new one, or give up. */
type AfterLoss = 'resume' | 'identify' | 'stop';

/** One close code. */
export interface CloseCode {
  readonly name: string;
  readonly next: AfterLoss;
}

/** Discord docs, Opcodes and Status Codes: Gateway Close Event Codes; RFC 6455 section 7.4.1 for 1000 and 1001. */
export const CLOSE_CODES = {
  // Docs, Gateway: Disconnecting: "if you close with 1000 or 1001 your session will be invalidated". The server means the same.
  1000: { name: 'normal closure', next: 'identify' },
  1001: { name: 'going away', next: 'identify' },
  4000: { name: 'unknown error', next: 'resume' },
  4001: { name: 'unknown opcode', next: 'resume' },
  4002: { name: 'decode error', next: 'resume' },
  // Docs: "sent a payload prior to identifying, or this session has been invalidated": nothing is left to resume.
  4003: { name: 'not authenticated', next: 'identify' },
  4004: { name: 'authentication failed', next: 'stop' },
  4005: { name: 'already authenticated', next: 'resume' },
  4007: { name: 'invalid sequence', next: 'identify' },
  4008: { name: 'rate limited', next: 'resume' },
  4009: { name: 'session timed out', next: 'identify' },
  4010: { name: 'invalid shard', next: 'stop' },
  4011: { name: 'sharding required', next: 'stop' },
  4012: { name: 'invalid API version', next: 'stop' },
  4013: { name: 'invalid intents', next: 'stop' },
  4014: { name: 'disallowed intents', next: 'stop' },
} as const satisfies Readonly<Record<number, CloseCode>>;

/** A close code after which no retry can help. */
export type FatalCloseCode = {
  [Code in keyof typeof CLOSE_CODES]: (typeof CLOSE_CODES)[Code]['next'] extends 'stop' ? Code : never;
}[keyof typeof CLOSE_CODES];

/** Every other code, 1005 and 1006 among them, says nothing against the session. */
const OTHER: CloseCode = { name: 'connection lost', next: 'resume' };

/** Looks a close code up. */
export function closeCode(code: number): CloseCode {
  return (CLOSE_CODES as Readonly<Record<number, CloseCode>>)[code] ?? OTHER;
}

/** How long to stay away after an HTTP answer instead of an upgrade. */
export type RefusalDelay = 'backoff' | 'cap' | 'retryAfter' | 'never';

/**
 * Reads the HTTP status of a refused upgrade. 401: whatever guards the endpoint wants credentials that we do not have.
 * 403: Cloudflare's temporary blocks; a retry helps, a quick one prolongs them. 429: the server names the delay.
 */
export function refusalDelay(status: number): RefusalDelay {
  if (status === 401) return 'never';
  if (status === 403) return 'cap';
  return status === 429 ? 'retryAfter' : 'backoff';
}

/** What we close with so that Discord keeps the session: anything but 1000 and 1001 (docs, Gateway: Disconnecting). */
export const CLOSE_KEEPING_SESSION = 4900;

/** What we close with so that Discord ends the session and shows the bot offline at once. */
export const CLOSE_ENDING_SESSION = 1000;
