/**
 * Owns the wire shapes of guilds, channels, roles, members and users, with every field that strict clients read
 * (Discord docs, Resources). Typed by discord-api-types, so that a missing field does not compile.
 */
import {
  type APIDMChannel,
  type APIGuild,
  type APIGuildMember,
  type APIRole,
  type APIUser,
  type ChannelFlags,
  ChannelType,
  type GatewayChannelModifyDispatchData,
  GuildDefaultMessageNotifications,
  GuildExplicitContentFilter,
  type GuildMemberFlags,
  GuildMFALevel,
  GuildNSFWLevel,
  GuildPremiumTier,
  type GuildSystemChannelFlags,
  GuildVerificationLevel,
  Locale,
  type RoleFlags,
  type UserFlags,
  type VideoQualityMode,
} from 'discord-api-types/v10';
import type { Channel, DmChannel, Guild, Member, Role, User, World } from '../world/types.js';

const NO_CHANNEL_FLAGS = 0 as ChannelFlags;
const NO_MEMBER_FLAGS = 0 as GuildMemberFlags;
const NO_ROLE_FLAGS = 0 as RoleFlags;
const NO_SYSTEM_CHANNEL_FLAGS = 0 as GuildSystemChannelFlags;
const NO_USER_FLAGS = 0 as UserFlags;

/** User object. Bots keep the old four-digit discriminator, people have `0`. */
export function userPayload(user: User): APIUser {
  return {
    id: user.id,
    username: user.username,
    discriminator: user.bot ? '0000' : '0',
    global_name: user.globalName,
    avatar: user.avatar,
    bot: user.bot,
    public_flags: NO_USER_FLAGS,
    avatar_decoration_data: null,
    collectibles: null,
    primary_guild: null,
  };
}

/** The user object that an account gets of itself. */
export function ownUserPayload(user: User): APIUser {
  return {
    ...userPayload(user),
    flags: NO_USER_FLAGS,
    verified: true,
    email: null,
    mfa_enabled: true,
    locale: Locale.EnglishUS,
    premium_type: 0,
    banner: null,
    accent_color: null,
  };
}

/** Guild member object. */
export function memberPayload(member: Member, user: User): APIGuildMember {
  return {
    user: userPayload(user),
    nick: member.nick,
    avatar: null,
    banner: null,
    roles: [...member.roles],
    joined_at: member.joinedAt,
    premium_since: null,
    deaf: member.deaf,
    mute: member.mute,
    flags: NO_MEMBER_FLAGS,
    pending: false,
    communication_disabled_until: null,
    avatar_decoration_data: null,
    collectibles: null,
  };
}

/** Role object. */
export function rolePayload(role: Role): APIRole {
  return {
    id: role.id,
    name: role.name,
    color: role.color,
    colors: { primary_color: role.color, secondary_color: null, tertiary_color: null },
    hoist: role.hoist,
    icon: null,
    unicode_emoji: null,
    position: role.position,
    permissions: role.permissions.toString(),
    managed: role.managed,
    mentionable: role.mentionable,
    flags: NO_ROLE_FLAGS,
    ...(role.botId === null ? {} : { tags: { bot_id: role.botId } }),
  };
}

/** Channel object with the fields of its type. */
export function channelPayload(channel: Channel): GatewayChannelModifyDispatchData {
  const common = {
    id: channel.id,
    guild_id: channel.guildId,
    name: channel.name,
    position: channel.position,
    permission_overwrites: channel.overwrites.map((overwrite) => ({ ...overwrite })),
    flags: NO_CHANNEL_FLAGS,
  };
  const written = {
    ...common,
    parent_id: channel.parentId,
    nsfw: channel.nsfw,
    rate_limit_per_user: channel.slowmode,
    last_message_id: channel.lastMessageId,
  };
  switch (channel.type) {
    case ChannelType.GuildCategory:
      return { ...common, type: channel.type, parent_id: null };
    case ChannelType.GuildVoice:
    case ChannelType.GuildStageVoice: {
      const voice = {
        ...written,
        bitrate: channel.bitrate,
        user_limit: channel.userLimit,
        rtc_region: channel.rtcRegion,
        video_quality_mode: channel.videoQualityMode as VideoQualityMode,
      };
      return channel.type === ChannelType.GuildVoice
        ? { ...voice, type: channel.type }
        : { ...voice, type: channel.type };
    }
    case ChannelType.GuildText:
    case ChannelType.GuildAnnouncement: {
      const text = { ...written, topic: channel.topic, last_pin_timestamp: null };
      return channel.type === ChannelType.GuildText ? { ...text, type: channel.type } : { ...text, type: channel.type };
    }
  }
}

/** A bot's conversation with a user. */
export function dmPayload(world: World, { id, userId, lastMessageId }: DmChannel): APIDMChannel {
  const user = world.users.get(userId);
  return {
    id,
    type: ChannelType.DM,
    name: null,
    last_message_id: lastMessageId,
    recipients: user === undefined ? [] : [userPayload(user)],
    flags: NO_CHANNEL_FLAGS,
  };
}

/** Guild object. */
export function guildPayload(guild: Guild): APIGuild {
  return {
    id: guild.id,
    name: guild.name,
    icon: null,
    icon_hash: null,
    splash: null,
    discovery_splash: null,
    banner: null,
    description: null,
    vanity_url_code: null,
    owner_id: guild.ownerId,
    region: 'deprecated',
    afk_channel_id: null,
    afk_timeout: 300,
    widget_enabled: false,
    widget_channel_id: null,
    verification_level: GuildVerificationLevel.None,
    default_message_notifications: GuildDefaultMessageNotifications.OnlyMentions,
    explicit_content_filter: GuildExplicitContentFilter.Disabled,
    roles: [...guild.roles.values()].map(rolePayload),
    emojis: [],
    stickers: [],
    features: [],
    mfa_level: GuildMFALevel.None,
    application_id: null,
    system_channel_id: guild.systemChannelId,
    system_channel_flags: NO_SYSTEM_CHANNEL_FLAGS,
    rules_channel_id: null,
    public_updates_channel_id: null,
    safety_alerts_channel_id: null,
    max_presences: null,
    max_members: 500_000,
    max_video_channel_users: 25,
    max_stage_video_channel_users: 50,
    premium_tier: GuildPremiumTier.None,
    premium_subscription_count: 0,
    premium_progress_bar_enabled: false,
    preferred_locale: Locale.EnglishUS,
    nsfw_level: GuildNSFWLevel.Default,
    hub_type: null,
    incidents_data: null,
  };
}
