/** Owns the way of a command from a connection to the app's code and back. Refuses to trust what that throws or gives. */
import { randomUUID } from 'node:crypto';
import { messageOf, toLogText } from '@guildkit/core';
import { HUB_ERRORS } from '../errors.js';
import type { CommandAnswer } from '../shared/command.js';
import type { CommandRequest } from './io/connection-host.js';
import type { HubSettings } from './options.js';

/** Gives what carries out commands. It never rejects. */
export function commandRunner({
  onCommand,
  clock,
  logger,
}: HubSettings): (request: CommandRequest) => Promise<CommandAnswer> {
  return async ({ principal, id, name, input, connectionId }) => {
    if (onCommand === undefined) return unable('ERR_HUB_COMMAND_UNKNOWN', 404);
    const traceId = randomUUID();
    try {
      const sentAt = clock.wallTime();
      const answer = await onCommand({ principal, name, input, requestId: id, sentAt, traceId, connectionId });
      // What JSON cannot hold would break the connection, not only the command.
      JSON.stringify(answer);
      return answer;
    } catch (error) {
      logger.error({ name: toLogText(name), traceId, error: toLogText(messageOf(error)) }, 'hub onCommand failed');
      return unable('ERR_HUB_COMMAND_FAILED', 502);
    }
  };
}

function unable(code: 'ERR_HUB_COMMAND_UNKNOWN' | 'ERR_HUB_COMMAND_FAILED', status: number): CommandAnswer {
  return { ok: false, error: { status, code, message: HUB_ERRORS[code].message } };
}
