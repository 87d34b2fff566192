/** Owns the wire shapes of invites and webhooks (Discord docs, Resources: Invite, Webhook). */
import {
  type APIExtendedInvite,
  type APIInvite,
  type APIWebhook,
  type GatewayInviteCreateDispatchData,
  InviteType,
  WebhookType,
} from 'discord-api-types/v10';
import type { Channel, Guild, Invite, Webhook, World } from '../world/types.js';
import { userOf } from '../world/world.js';
import { guildPayload, userPayload } from './guild.js';

/** Invite object, as anyone may get it. */
export function invitePayload(
  world: World,
  guild: Guild,
  channel: Channel,
  invite: Invite,
  counts: boolean,
): APIInvite {
  const { id, name, splash, banner, description, icon, features, verification_level, vanity_url_code, nsfw_level } =
    guildPayload(guild);
  return {
    type: InviteType.Guild,
    code: invite.code,
    inviter: userPayload(userOf(world, invite.inviterId)),
    expires_at: invite.expiresStamp,
    flags: 0 as NonNullable<APIInvite['flags']>,
    guild: {
      id,
      name,
      splash,
      banner,
      description,
      icon,
      features,
      verification_level,
      vanity_url_code,
      nsfw_level,
      premium_subscription_count: 0,
    },
    channel: { id: channel.id, name: channel.name, type: channel.type },
    ...(counts
      ? { approximate_member_count: guild.members.size, approximate_presence_count: guild.voiceStates.size }
      : {}),
  };
}

/** Invite object with its metadata, as those who manage the guild get it. */
export const extendedInvitePayload = (
  world: World,
  guild: Guild,
  channel: Channel,
  invite: Invite,
): APIExtendedInvite => ({
  ...invitePayload(world, guild, channel, invite, false),
  uses: invite.uses,
  max_uses: invite.maxUses,
  max_age: invite.maxAge,
  temporary: invite.temporary,
  created_at: invite.createdStamp,
});

/** INVITE_CREATE. */
export const inviteCreatePayload = (world: World, guild: Guild, invite: Invite): GatewayInviteCreateDispatchData => ({
  code: invite.code,
  channel_id: invite.channelId,
  guild_id: guild.id,
  created_at: invite.createdStamp,
  inviter: userPayload(userOf(world, invite.inviterId)),
  max_age: invite.maxAge,
  max_uses: invite.maxUses,
  temporary: invite.temporary,
  uses: 0 as const,
  expires_at: invite.expiresStamp,
});

/** Webhook object. @param withUser Left out where the webhook's token is all that the caller has. */
export function webhookPayload(world: World, guild: Guild, webhook: Webhook, withUser: boolean): APIWebhook {
  return {
    id: webhook.id,
    type: WebhookType.Incoming,
    guild_id: guild.id,
    channel_id: webhook.channelId,
    name: webhook.name,
    avatar: webhook.avatar,
    application_id: world.bots.has(webhook.creatorId) ? webhook.creatorId : null,
    token: webhook.token,
    url: `${world.site.origin}/api/webhooks/${webhook.id}/${webhook.token}`,
    ...(withUser ? { user: userPayload(userOf(world, webhook.creatorId)) } : {}),
  };
}
