/** Owns what a change of the world tells the gateway: a dispatch, typed by its name, and who may see it. */
import type { GatewayDispatchPayload } from 'discord-api-types/v10';

/** Every dispatch's data by name. */
export type DispatchData = { readonly [P in GatewayDispatchPayload as P['t']]: P['d'] };

/** Name of a dispatch. */
export type DispatchName = keyof DispatchData;

/** One dispatch on its way to sessions. */
export interface WorldEvent<Name extends DispatchName = DispatchName> {
  readonly name: Name;
  readonly data: DispatchData[Name];
  /** Goes to the shard that holds this guild; empty for what happens outside of guilds, which is shard 0's. */
  readonly guildId: string;
  /** Goes to this gateway session alone. */
  readonly sessionId?: string | undefined;
  /** Bots that may see it; without it every bot of the guild. */
  readonly botIds?: readonly string[] | undefined;
  /** What sessions without MESSAGE_CONTENT get instead, those of the bots in `except` not counted. */
  readonly withoutContent?: { readonly data: DispatchData[Name]; readonly except: readonly string[] } | undefined;
}

/** Makes an event whose data fits its name. */
export function worldEvent<Name extends DispatchName>(
  name: Name,
  guildId: string,
  data: DispatchData[Name],
  sessionId?: string,
): WorldEvent<Name> {
  return { name, guildId, data, sessionId };
}
