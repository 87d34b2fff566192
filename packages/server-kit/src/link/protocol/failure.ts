/** Owns how a failed command is told to the app: a code and a sentence, nothing of the inside. */
import { LINK_ERRORS, LinkError } from '../errors.js';
import type { LinkServerFrame } from './frames.js';

/** An answer to a command. */
export type LinkAnswer = Extract<LinkServerFrame, { type: 'result' | 'rateLimited' | 'error' }>;

/** Answers of Discord that say something of the command. */
const TOLD: readonly number[] = [400, 403, 404, 409];

/** What the app is told: a code and a sentence, nothing of the inside. */
export function failureOf(requestId: string, error: unknown): LinkAnswer {
  const { retryAfterMs } = Object(error) as { retryAfterMs?: unknown };
  if (typeof retryAfterMs === 'number' && retryAfterMs >= 0) {
    return {
      v: 1,
      type: 'rateLimited',
      requestId,
      retryAfterMs,
      message: LINK_ERRORS.ERR_LINK_COMMAND_RATE_LIMITED.message,
    };
  }
  const { message } = new LinkError('ERR_LINK_COMMAND_FAILED');
  const { status } = Object(error) as { status?: unknown };
  const told = typeof status === 'number' && TOLD.includes(status) ? { status } : {};
  return { v: 1, type: 'error', requestId, code: codeOf(error), message, ...told };
}

/** The code of what was thrown, if it is one of the suite's. */
export function codeOf(error: unknown): string {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' && /^ERR_[A-Z0-9_]{1,80}$/.test(code) ? code : 'ERR_LINK_COMMAND_FAILED';
}
