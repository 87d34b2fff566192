/** Owns who may do what to whom in a guild: permissions of its members, and the order of its roles (Discord docs, Permissions: Hierarchy). */
import { ChannelType, PermissionFlagsBits as P } from 'discord-api-types/v10';
import { basePermissions, type Holder, holds, permissionsIn } from './permissions.js';
import type { Channel, Guild, Role, World } from './types.js';

function holderOf(guild: Guild, userId: string): Holder | undefined {
  const member = guild.members.get(userId);
  const everyone = guild.roles.get(guild.id);
  if (member === undefined || everyone === undefined) return undefined;
  const roles = member.roles.flatMap((id) => guild.roles.get(id) ?? []);
  return { userId, isOwner: guild.ownerId === userId, everyone, roles };
}

/** What a user may do in a guild; nothing when not in it. */
export function guildPermissions(guild: Guild, userId: string): bigint {
  const holder = holderOf(guild, userId);
  return holder === undefined ? 0n : basePermissions(holder);
}

/** What a user may do in a channel; nothing when not in its guild. */
export function channelPermissions(guild: Guild, channel: Channel, userId: string): bigint {
  const holder = holderOf(guild, userId);
  if (holder === undefined) return 0n;
  const isVoice = channel.type === ChannelType.GuildVoice || channel.type === ChannelType.GuildStageVoice;
  return permissionsIn(holder, { overwrites: channel.overwrites, isVoice });
}

/** Whether a user may do something in a channel. */
export function mayIn(guild: Guild, channel: Channel, userId: string, needed: bigint): boolean {
  return holds(channelPermissions(guild, channel, userId), needed);
}

/** The guild's bots that see a channel: its messages go to no other. */
export function viewersOf(world: World, guild: Guild, channel: Channel): readonly string[] {
  const ids: string[] = [];
  for (const bot of world.bots.values()) {
    if (bot.guildIds.has(guild.id) && mayIn(guild, channel, bot.id, P.ViewChannel)) ids.push(bot.id);
  }
  return ids;
}

/** Whether a role stands above another: by position, and of equal ones the older (lower id) is higher. */
export function isAbove(a: Role, b: Role): boolean {
  return a.position === b.position ? BigInt(a.id) < BigInt(b.id) : a.position > b.position;
}

/** A member's highest role; @everyone without any. */
function highestRole(guild: Guild, userId: string): Role | undefined {
  const roles = guild.members.get(userId)?.roles.flatMap((id) => guild.roles.get(id) ?? []) ?? [];
  return roles.reduce<Role | undefined>(
    (best, role) => (best === undefined || isAbove(role, best) ? role : best),
    guild.roles.get(guild.id),
  );
}

/** Position of a member's highest role. */
export const highestPosition = (guild: Guild, userId: string): number =>
  guild.ownerId === userId ? Number.POSITIVE_INFINITY : (highestRole(guild, userId)?.position ?? 0);

/** Whether one member may act on another: only on who stands lower, and nobody on the owner. */
export function outranks(guild: Guild, actorId: string, targetId: string): boolean {
  if (guild.ownerId === targetId) return false;
  if (guild.ownerId === actorId) return true;
  const [own, other] = [highestRole(guild, actorId), highestRole(guild, targetId)];
  return own !== undefined && other !== undefined && own.id !== other.id && isAbove(own, other);
}

/** Whether a member may give, take, change or delete a role: only one below their own highest. */
export function mayManageRole(guild: Guild, actorId: string, role: Role): boolean {
  if (guild.ownerId === actorId) return true;
  const own = highestRole(guild, actorId);
  return own !== undefined && own.id !== role.id && isAbove(own, role);
}
