/** Owns what the app may ask for over the link. Refuses to judge who may: the app has asked that before it sends. */
import type { Logger } from '@guildkit/core';
import type { DiscordRestClient } from '@guildkit/rest';
import { CommandBus, type CommandRefusal, createDiscordCommands } from '@guildkit/server-kit/commands';
import type { LinkCommand } from '@guildkit/server-kit/link';

/** The link tells the app its code, status and delay. */
class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly code: string;
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor({ code, status, message, retryAfterMs }: CommandRefusal) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Carries commands out over REST, each with its input checked. */
export interface Commands {
  run(command: LinkCommand): Promise<unknown>;
  close(): void;
}

export function createCommands(rest: DiscordRestClient, logger: Logger): Commands {
  const discordCommands = createDiscordCommands({ rest, allow: () => true });
  // Roles and token buckets are the app's: only it knows its users.
  const commands = Object.fromEntries(
    Object.entries(discordCommands).map(([name, command]) => [name, { ...command, roles: [], limited: false }]),
  );
  const bus = new CommandBus({ commands, userBucket: false, channelBucket: false, logger });
  return {
    async run({ name, input, requestId, traceId, sentAt, actor = 'app' }) {
      const principal = { userId: actor, roles: [], expiresAt: Number.POSITIVE_INFINITY };
      const answer = await bus.handle({ principal, name, input, requestId, traceId, sentAt });
      if (!answer.ok) throw new CommandFailure(answer.error);
      return answer.result;
    },
    close: () => bus.close(),
  };
}
