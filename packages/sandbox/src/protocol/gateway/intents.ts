/**
 * Owns who sees which dispatch (Discord docs, Gateway: List of Intents). A dispatch that no intent covers goes to
 * everyone it is addressed to.
 */
import { GatewayDispatchEvents as E, GatewayIntentBits as I } from 'discord-api-types/v10';

/** Name of an intent that must be switched on for an application. */
export type PrivilegedIntentName = 'GuildMembers' | 'GuildPresences' | 'MessageContent';

/** The privileged intents' bits. */
export const PRIVILEGED_INTENTS = {
  GuildMembers: I.GuildMembers,
  GuildPresences: I.GuildPresences,
  MessageContent: I.MessageContent,
} as const satisfies Record<PrivilegedIntentName, number>;

/** All privileged intents as bits. */
export const ALL_PRIVILEGED = I.GuildMembers | I.GuildPresences | I.MessageContent;

/** All intents of the API version as bits. */
export const ALL_INTENTS = Object.values(I).reduce<number>(
  (all, bit) => (typeof bit === 'number' ? all | bit : all),
  0,
);

/** Any one of these bits lets the dispatch through. */
const NEEDS: Partial<Record<E, number>> = {
  [E.GuildCreate]: I.Guilds,
  [E.GuildUpdate]: I.Guilds,
  [E.GuildDelete]: I.Guilds,
  [E.GuildRoleCreate]: I.Guilds,
  [E.GuildRoleUpdate]: I.Guilds,
  [E.GuildRoleDelete]: I.Guilds,
  [E.ChannelCreate]: I.Guilds,
  [E.ChannelUpdate]: I.Guilds,
  [E.ChannelDelete]: I.Guilds,
  [E.ChannelPinsUpdate]: I.Guilds | I.DirectMessages,
  [E.ThreadCreate]: I.Guilds,
  [E.ThreadUpdate]: I.Guilds,
  [E.ThreadDelete]: I.Guilds,
  [E.ThreadListSync]: I.Guilds,
  [E.ThreadMemberUpdate]: I.Guilds,
  [E.ThreadMembersUpdate]: I.Guilds | I.GuildMembers,
  [E.StageInstanceCreate]: I.Guilds,
  [E.StageInstanceUpdate]: I.Guilds,
  [E.StageInstanceDelete]: I.Guilds,
  [E.GuildMemberAdd]: I.GuildMembers,
  [E.GuildMemberUpdate]: I.GuildMembers,
  [E.GuildMemberRemove]: I.GuildMembers,
  [E.GuildAuditLogEntryCreate]: I.GuildModeration,
  [E.GuildBanAdd]: I.GuildModeration,
  [E.GuildBanRemove]: I.GuildModeration,
  [E.GuildEmojisUpdate]: I.GuildExpressions,
  [E.GuildStickersUpdate]: I.GuildExpressions,
  [E.GuildSoundboardSoundCreate]: I.GuildExpressions,
  [E.GuildSoundboardSoundUpdate]: I.GuildExpressions,
  [E.GuildSoundboardSoundDelete]: I.GuildExpressions,
  [E.GuildSoundboardSoundsUpdate]: I.GuildExpressions,
  [E.GuildIntegrationsUpdate]: I.GuildIntegrations,
  [E.IntegrationCreate]: I.GuildIntegrations,
  [E.IntegrationUpdate]: I.GuildIntegrations,
  [E.IntegrationDelete]: I.GuildIntegrations,
  [E.WebhooksUpdate]: I.GuildWebhooks,
  [E.InviteCreate]: I.GuildInvites,
  [E.InviteDelete]: I.GuildInvites,
  [E.VoiceChannelStatusUpdate]: I.Guilds,
  [E.VoiceChannelStartTimeUpdate]: I.Guilds,
  [E.VoiceStateUpdate]: I.GuildVoiceStates,
  [E.VoiceChannelEffectSend]: I.GuildVoiceStates,
  [E.PresenceUpdate]: I.GuildPresences,
  [E.MessageCreate]: I.GuildMessages | I.DirectMessages,
  [E.MessageUpdate]: I.GuildMessages | I.DirectMessages,
  [E.MessageDelete]: I.GuildMessages | I.DirectMessages,
  [E.MessageDeleteBulk]: I.GuildMessages,
  [E.MessageReactionAdd]: I.GuildMessageReactions | I.DirectMessageReactions,
  [E.MessageReactionRemove]: I.GuildMessageReactions | I.DirectMessageReactions,
  [E.MessageReactionRemoveAll]: I.GuildMessageReactions | I.DirectMessageReactions,
  [E.MessageReactionRemoveEmoji]: I.GuildMessageReactions | I.DirectMessageReactions,
  [E.TypingStart]: I.GuildMessageTyping | I.DirectMessageTyping,
  [E.GuildScheduledEventCreate]: I.GuildScheduledEvents,
  [E.GuildScheduledEventUpdate]: I.GuildScheduledEvents,
  [E.GuildScheduledEventDelete]: I.GuildScheduledEvents,
  [E.GuildScheduledEventUserAdd]: I.GuildScheduledEvents,
  [E.GuildScheduledEventUserRemove]: I.GuildScheduledEvents,
  [E.AutoModerationRuleCreate]: I.AutoModerationConfiguration,
  [E.AutoModerationRuleUpdate]: I.AutoModerationConfiguration,
  [E.AutoModerationRuleDelete]: I.AutoModerationConfiguration,
  [E.AutoModerationActionExecution]: I.AutoModerationExecution,
  [E.MessagePollVoteAdd]: I.GuildMessagePolls | I.DirectMessagePolls,
  [E.MessagePollVoteRemove]: I.GuildMessagePolls | I.DirectMessagePolls,
};

/** Intents for what happens in a direct conversation. */
const DIRECT = I.DirectMessages | I.DirectMessageReactions | I.DirectMessageTyping | I.DirectMessagePolls;

/** Intent bits of which a session needs one, in a guild or outside of one; 0 when the dispatch needs none. */
export function intentsFor(name: string, inGuild?: boolean): number {
  const needs = NEEDS[name as E] ?? 0;
  if (inGuild === undefined || (needs & DIRECT) === 0) return needs;
  return inGuild ? needs & ~DIRECT : needs & DIRECT;
}

/** What is wrong with the intents of an IDENTIFY. */
export function judgeIntents(intents: unknown, allowedPrivileged: number): 'invalid' | 'disallowed' | undefined {
  if (typeof intents !== 'number' || !Number.isInteger(intents) || intents < 0 || intents > ALL_INTENTS)
    return 'invalid';
  if ((intents & ~ALL_INTENTS) !== 0) return 'invalid';
  return (intents & ALL_PRIVILEGED & ~allowedPrivileged) === 0 ? undefined : 'disallowed';
}
