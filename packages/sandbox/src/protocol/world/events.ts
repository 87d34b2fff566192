/** Owns what a change of the world tells the gateway: a dispatch, typed by its name, and who may see it. */
import { GatewayDispatchEvents as E, type GatewayDispatchPayload } from 'discord-api-types/v10';

/** Every dispatch's data by name. */
export type DispatchData = { readonly [P in GatewayDispatchPayload as P['t']]: P['d'] };

/** Every dispatch that the sandbox sends: another one does not compile, and the tests hold each against a schema. */
export const DISPATCHES = [
  E.ChannelCreate,
  E.ChannelDelete,
  E.ChannelInfo,
  E.ChannelUpdate,
  E.GuildCreate,
  E.GuildDelete,
  E.GuildMemberAdd,
  E.GuildMemberRemove,
  E.GuildMemberUpdate,
  E.GuildMembersChunk,
  E.GuildRoleCreate,
  E.GuildRoleDelete,
  E.GuildRoleUpdate,
  E.GuildUpdate,
  E.InviteCreate,
  E.InviteDelete,
  E.MessageCreate,
  E.MessageDelete,
  E.MessageDeleteBulk,
  E.MessageReactionAdd,
  E.MessageReactionRemove,
  E.MessageReactionRemoveAll,
  E.MessageReactionRemoveEmoji,
  E.MessageUpdate,
  E.PresenceUpdate,
  E.RateLimited,
  E.Ready,
  E.Resumed,
  E.SoundboardSounds,
  E.TypingStart,
  E.UserUpdate,
  E.VoiceChannelStartTimeUpdate,
  E.VoiceServerUpdate,
  E.VoiceStateUpdate,
  E.WebhooksUpdate,
] as const satisfies readonly (keyof DispatchData)[];

/** Name of a dispatch that the sandbox sends. */
export type DispatchName = (typeof DISPATCHES)[number];

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
