/** Owns who is in a guild: people and bots joining and leaving it. */
import { GatewayDispatchEvents, PermissionFlagsBits } from 'discord-api-types/v10';
import { memberPayload, rolePayload, userPayload } from '../payloads/guild.js';
import { type WorldEvent, worldEvent } from './events.js';
import type { Bot, Guild, Member, User, World } from './types.js';
import { leaveVoice, memberVoiceChanged } from './voice.js';
import { addUser, newRole, userOf } from './world.js';

/** Adds a user to a guild; nothing when already there. */
export function addMember(
  guild: Guild,
  user: User,
  input: { joinedAt: string; roles?: readonly string[]; nick?: string | null; mute?: boolean; deaf?: boolean },
): readonly WorldEvent[] {
  if (guild.members.has(user.id)) return [];
  const member = {
    userId: user.id,
    nick: input.nick ?? null,
    roles: [...(input.roles ?? [])],
    joinedAt: input.joinedAt,
    mute: input.mute ?? false,
    deaf: input.deaf ?? false,
  };
  guild.members.set(user.id, member);
  return [
    worldEvent(GatewayDispatchEvents.GuildMemberAdd, guild.id, { ...memberPayload(member, user), guild_id: guild.id }),
  ];
}

/** What can be changed of a member; what is left out stays. */
export interface MemberChange {
  readonly nick?: string | null | undefined;
  readonly roles?: readonly string[] | undefined;
  /** By a moderator. */
  readonly mute?: boolean | undefined;
  readonly deaf?: boolean | undefined;
}

/** Changes a member. Mute and deaf show in its voice state, too. */
export function changeMember(world: World, guild: Guild, member: Member, change: MemberChange): readonly WorldEvent[] {
  if (change.nick !== undefined) member.nick = change.nick === '' ? null : change.nick;
  if (change.roles !== undefined) member.roles = [...new Set(change.roles)];
  const voiceChanged =
    (change.mute !== undefined && change.mute !== member.mute) ||
    (change.deaf !== undefined && change.deaf !== member.deaf);
  if (change.mute !== undefined) member.mute = change.mute;
  if (change.deaf !== undefined) member.deaf = change.deaf;
  return [memberUpdate(world, guild, member), ...(voiceChanged ? memberVoiceChanged(world, guild, member.userId) : [])];
}

/** GUILD_MEMBER_UPDATE. */
export function memberUpdate(world: World, guild: Guild, member: Member): WorldEvent {
  return worldEvent(GatewayDispatchEvents.GuildMemberUpdate, guild.id, {
    ...memberPayload(member, userOf(world, member.userId)),
    avatar: null,
    banner: null,
    guild_id: guild.id,
  });
}

/** Takes a user out of a guild, and out of its voice channels. */
export function removeMember(world: World, guild: Guild, user: User): readonly WorldEvent[] {
  if (!guild.members.has(user.id)) return [];
  const left = leaveVoice(world, guild, user.id);
  guild.members.delete(user.id);
  const bot = world.bots.get(user.id);
  bot?.guildIds.delete(guild.id);
  const told =
    bot === undefined
      ? []
      : [{ ...worldEvent(GatewayDispatchEvents.GuildDelete, guild.id, { id: guild.id }), botIds: [bot.id] }];
  return [
    ...left,
    ...told,
    worldEvent(GatewayDispatchEvents.GuildMemberRemove, guild.id, { guild_id: guild.id, user: userPayload(user) }),
  ];
}

/**
 * Creates an application with a bot that is in the given guild, with a managed role of its own.
 *
 * @param input `permissions`: of its role; an administrator without.
 */
export function addBot(
  world: World,
  guild: Guild,
  input: { name: string; joinedAt: string; privilegedIntents: number; permissions?: bigint | undefined },
): { readonly bot: Bot; readonly user: User; readonly events: readonly WorldEvent[] } {
  const user = addUser(world, { username: input.name, avatar: null, bot: true });
  const role = newRole({
    id: world.ids.next(),
    name: input.name,
    position: guild.roles.size,
    permissions: input.permissions ?? PermissionFlagsBits.Administrator,
    managed: true,
    botId: user.id,
  });
  guild.roles.set(role.id, role);
  const bot: Bot = {
    id: user.id,
    privilegedIntents: input.privilegedIntents,
    guildIds: new Set([guild.id]),
    commands: new Map(),
  };
  world.bots.set(bot.id, bot);
  const joined = addMember(guild, user, { joinedAt: input.joinedAt, roles: [role.id] });
  const roleCreated = worldEvent(GatewayDispatchEvents.GuildRoleCreate, guild.id, {
    guild_id: guild.id,
    role: rolePayload(role),
  });
  return { bot, user, events: [roleCreated, ...joined] };
}
