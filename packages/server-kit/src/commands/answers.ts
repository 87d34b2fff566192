/** Owns how what was thrown is told: with a status and a code, and nothing of the inside. */
import type { CommandAnswer, CommandRefusal } from '../shared/command.js';
import { COMMAND_ERRORS, CommandError, type CommandErrorCode } from './errors.js';

/** A refusal by a code of this package. */
export function refuse(
  code: CommandErrorCode,
  more: Pick<CommandRefusal, 'fields' | 'retryAfterMs'> = {},
): CommandAnswer & { ok: false } {
  const { status, message } = COMMAND_ERRORS[code];
  return { ok: false, error: { status, code, message, ...more } };
}

/** Statuses of Discord's answers that say something of the command; any other is Discord's or our trouble. */
const TOLD: readonly number[] = [400, 403, 404, 409, 429];

/** What a thrown value is told as. Only a {@link CommandError} chooses its words. */
export function refusalOf(thrown: unknown): CommandAnswer & { ok: false } {
  if (CommandError.is(thrown)) {
    const { status, code, message, fields, retryAfterMs } = thrown;
    const more = { ...(fields && { fields }), ...(retryAfterMs !== undefined && { retryAfterMs }) };
    return { ok: false, error: { status, code, message, ...more } };
  }
  const { status, retryAfterMs } = (thrown ?? {}) as { readonly status?: unknown; readonly retryAfterMs?: unknown };
  if (status === 429) {
    return refuse('ERR_COMMAND_RATE_LIMITED', {
      retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : 1_000,
    });
  }
  if (typeof status !== 'number' || !TOLD.includes(status)) return refuse('ERR_COMMAND_FAILED');
  const { error } = refuse('ERR_COMMAND_REFUSED');
  return { ok: false, error: { ...error, status } };
}
