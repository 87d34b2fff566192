/** Owns what people read when a command failed. */
import type { CommandError } from '@guildkit/realtime-client';

const BY_DETAIL: Readonly<Record<string, string>> = {
  ERR_COMMAND_FORBIDDEN: 'You may not do that here.',
  ERR_COMMAND_INPUT_INVALID: 'That cannot be sent: it is empty or too long.',
  ERR_COMMAND_LINK_DOWN: 'Discord cannot be reached at the moment. Try again later.',
  ERR_COMMAND_QUEUE_FULL: 'Too much is waiting for Discord. Try again later.',
  ERR_COMMAND_REFUSED: 'Discord refused it.',
};

export function commandProblem({ code, detail, retryAfterMs, isUnsure }: CommandError): string {
  if (retryAfterMs !== undefined) {
    return `That was too fast. Try again in ${Math.max(1, Math.ceil(retryAfterMs / 1000))} s.`;
  }
  if (code === 'ERR_REALTIME_COMMAND_TIMEOUT') {
    return isUnsure
      ? 'No answer came. It may have been done all the same.'
      : 'There is no connection. It was not sent.';
  }
  if (code === 'ERR_REALTIME_COMMAND_OVERFLOW') return 'There is no connection. It was not sent.';
  return BY_DETAIL[detail ?? ''] ?? 'That did not work. Try again in a moment.';
}
