/** Owns what a method gets of the client: a way to send, and the guild it stands in for. */
import { DiscordApiError, InvalidInputError } from '../errors.js';
import { parseId } from '../input.js';
import type { HttpMethod, RequestOptions } from '../options.js';

/** What methods are given. */
export interface MethodContext {
  readonly guildId: string | undefined;
  send<T>(method: HttpMethod, route: string, options: RequestOptions): Promise<T>;
}

/** The guild to use. @throws InvalidInputError when none is named anywhere. */
export function guildOf(context: MethodContext, given: unknown): string {
  const guildId = given ?? context.guildId;
  if (guildId !== undefined) return parseId('guildId', guildId);
  const message = 'name a guild, here or in the client’s options';
  throw new InvalidInputError(`Nothing was sent. guildId: ${message}`, [{ path: 'guildId', message }]);
}

/**
 * Resolves, too, when a retry finds the work done: the attempt whose answer was lost has done it.
 *
 * @param discordCode What Discord answers when there is nothing left to do.
 */
export async function doneOnce(sent: Promise<unknown>, discordCode: number): Promise<void> {
  try {
    await sent;
  } catch (error) {
    if (DiscordApiError.is(error) && error.attempts > 1 && error.discordCode === discordCode) return;
    throw error;
  }
}
