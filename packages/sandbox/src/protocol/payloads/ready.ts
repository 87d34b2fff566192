/** Owns what a session gets first: READY and GUILD_CREATE (Discord docs, Gateway Events), and what a bot is told of itself. */
import {
  type APIApplication,
  ApplicationFlags,
  type GatewayGuildCreateDispatchData,
  GatewayIntentBits,
  type GatewayReadyDispatchData,
} from 'discord-api-types/v10';
import { presencesOf } from '../world/presence.js';
import type { Bot, Guild, User, World } from '../world/types.js';
import { memberOf, userOf } from '../world/world.js';
import { channelPayload, guildPayload, memberPayload, ownUserPayload, userPayload } from './guild.js';
import { voiceStatePayload } from './voice.js';

/** Over this size no intent brings more members than those in voice. */
const MAX_MEMBERS_UNASKED = 75_000;

/** An application's flags say which privileged intents it has; the `LIMITED` ones are for under 100 guilds. */
function applicationFlags(bot: Bot): ApplicationFlags {
  let flags = 0;
  if (bot.privilegedIntents & GatewayIntentBits.GuildPresences) flags |= ApplicationFlags.GatewayPresenceLimited;
  if (bot.privilegedIntents & GatewayIntentBits.GuildMembers) flags |= ApplicationFlags.GatewayGuildMembersLimited;
  if (bot.privilegedIntents & GatewayIntentBits.MessageContent) flags |= ApplicationFlags.GatewayMessageContentLimited;
  return flags;
}

/** READY. Its guilds are all unavailable; GUILD_CREATE brings each. */
export function readyPayload(input: {
  readonly bot: Bot;
  readonly user: User;
  readonly version: number;
  readonly sessionId: string;
  readonly resumeUrl: string;
  readonly shard: readonly [number, number] | undefined;
  readonly guildIds: readonly string[];
}): GatewayReadyDispatchData {
  const flags = applicationFlags(input.bot);
  return {
    v: input.version,
    user: ownUserPayload(input.user),
    guilds: input.guildIds.map((id) => ({ id, unavailable: true })),
    session_id: input.sessionId,
    resume_gateway_url: input.resumeUrl,
    ...(input.shard === undefined ? {} : { shard: [input.shard[0], input.shard[1]] }),
    application: { id: input.bot.id, flags, flags_new: String(flags) },
  };
}

/**
 * GUILD_CREATE. Without the GUILD_PRESENCES intent it lists the bot and those in voice only; with it everyone, or in
 * a guild over `largeThreshold` those who are online, have a role or nickname, or are in voice (Discord docs, Gateway
 * Events: Request Guild Members).
 */
export function guildCreatePayload(
  world: World,
  guild: Guild,
  botId: string,
  intents: number,
  largeThreshold: number,
): GatewayGuildCreateDispatchData {
  const withPresences = (intents & GatewayIntentBits.GuildPresences) !== 0;
  const isLarge = guild.members.size > largeThreshold;
  const shown = [botId, ...guild.voiceStates.keys()];
  if (withPresences && guild.members.size <= MAX_MEMBERS_UNASKED) {
    for (const { userId, roles, nick } of guild.members.values()) {
      if (!isLarge || roles.length > 0 || nick !== null || world.presences.has(userId)) shown.push(userId);
    }
  }
  const members = [...new Set(shown)].map((id) => memberPayload(memberOf(guild, id), userOf(world, id)));
  return {
    ...guildPayload(guild),
    joined_at: memberOf(guild, botId).joinedAt,
    large: isLarge,
    unavailable: false,
    member_count: guild.members.size,
    voice_states: [...guild.voiceStates.values()].map((state) => voiceStatePayload(guild, state, state.channelId)),
    members,
    channels: [...guild.channels.values()].map(channelPayload),
    threads: [],
    presences: withPresences ? presencesOf(world, guild) : [],
    stage_instances: [],
    guild_scheduled_events: [],
    soundboard_sounds: [],
  };
}

/** The application object that a bot gets of itself. */
export function applicationPayload(world: World, bot: Bot): APIApplication {
  const user = userOf(world, bot.id);
  const flags = applicationFlags(bot);
  return {
    id: bot.id,
    name: user.username,
    icon: null,
    description: '',
    summary: '',
    bot_public: true,
    bot_require_code_grant: false,
    bot: userPayload(user),
    verify_key: bot.id.padStart(64, '0'),
    team: null,
    flags,
    flags_new: String(flags),
    approximate_guild_count: bot.guildIds.size,
    approximate_user_install_count: 0,
    interactions_endpoint_url: null,
    role_connections_verification_url: null,
  };
}
