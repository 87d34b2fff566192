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
  /** Goes to the shard that holds this guild. */
  readonly guildId: string;
  /** Goes to this gateway session alone. */
  readonly sessionId?: string | undefined;
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
