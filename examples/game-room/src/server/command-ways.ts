/** Owns the two ways on which Discord's commands are carried out: by this process over REST, or by the worker over the link. */
import {
  type CommandContext,
  CommandError,
  type CommandLink,
  createDiscordCommands,
  type DiscordCommandName,
  type DiscordCommandRest,
} from '@guildkit/server-kit/commands';
import { LinkError } from '@guildkit/server-kit/link';

/** Carries out one of Discord's commands whose giver is allowed to. */
export type CarryOut = (name: DiscordCommandName, input: object, context: CommandContext) => Promise<unknown>;

export function overRest(rest: DiscordCommandRest): CarryOut {
  const commands = createDiscordCommands({ rest, allow: () => true });
  return async (name, input, context) => {
    const run = commands[name]?.run as ((input: object, context: CommandContext) => unknown) | undefined;
    if (run === undefined) throw new CommandError('ERR_COMMAND_UNKNOWN');
    return run(input, context);
  };
}

export function overLink(link: CommandLink): CarryOut {
  return async (name, input, { requestId, traceId, sentAt, principal, signal }) => {
    try {
      return await link.send({ name, input, requestId, traceId, sentAt, userId: principal.userId }, signal);
    } catch (error) {
      throw LinkError.is(error) ? told(error) : error;
    }
  };
}

/** As the bus tells of its own queue. */
function told(error: LinkError): unknown {
  switch (error.code) {
    case 'ERR_LINK_QUEUE_FULL':
    case 'ERR_LINK_SATURATED':
    case 'ERR_LINK_CLOSED':
      return new CommandError('ERR_COMMAND_QUEUE_FULL', { cause: error, retryAfterMs: 1_000 });
    case 'ERR_LINK_COMMAND_EXPIRED':
      return new CommandError('ERR_COMMAND_LINK_DOWN', { cause: error });
    case 'ERR_LINK_COMMAND_UNANSWERED':
      return new CommandError('ERR_COMMAND_TIMEOUT', { cause: error });
    default:
      return error;
  }
}
