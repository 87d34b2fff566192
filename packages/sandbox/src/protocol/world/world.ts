/** Owns the world's beginning and its look-ups. */
import { PermissionFlagsBits } from 'discord-api-types/v10';
import { createRandom } from '../random.js';
import { createIdSource } from '../snowflake.js';
import type { Bot, Channel, Guild, Role, User, World } from './types.js';

/** Permissions of @everyone in a new guild, as Discord sets them (voice and text basics). */
const EVERYONE_PERMISSIONS =
  PermissionFlagsBits.ViewChannel |
  PermissionFlagsBits.SendMessages |
  PermissionFlagsBits.ReadMessageHistory |
  PermissionFlagsBits.AddReactions |
  PermissionFlagsBits.EmbedLinks |
  PermissionFlagsBits.AttachFiles |
  PermissionFlagsBits.CreateInstantInvite |
  PermissionFlagsBits.ChangeNickname |
  PermissionFlagsBits.MentionEveryone |
  PermissionFlagsBits.UseExternalEmojis |
  PermissionFlagsBits.Connect |
  PermissionFlagsBits.Speak |
  PermissionFlagsBits.Stream |
  PermissionFlagsBits.UseVAD;

/** Creates an empty world. @param now Unix ms, when ids are to carry the time. */
export function createWorld(seed: number, now?: () => number): World {
  return {
    ids: createIdSource(seed, now),
    random: createRandom(seed),
    guilds: new Map(),
    users: new Map(),
    presences: new Map(),
    bots: new Map(),
    dms: new Map(),
    site: { origin: '' },
  };
}

/** Creates a user account. */
export function addUser(
  world: World,
  input: Pick<User, 'username' | 'avatar' | 'bot'> & { globalName?: string | null },
): User {
  const user: User = {
    id: world.ids.next(),
    username: input.username,
    globalName: input.globalName ?? null,
    avatar: input.avatar,
    bot: input.bot,
  };
  world.users.set(user.id, user);
  return user;
}

/** Creates a guild with its @everyone role; its owner becomes a member. */
export function addGuild(world: World, input: { name: string; ownerId: string; joinedAt: string }): Guild {
  const id = world.ids.next();
  const everyone = newRole({ id, name: '@everyone', position: 0, permissions: EVERYONE_PERMISSIONS });
  const guild: Guild = {
    id,
    name: input.name,
    ownerId: input.ownerId,
    systemChannelId: null,
    channels: new Map(),
    roles: new Map([[id, everyone]]),
    members: new Map(),
    voiceStates: new Map(),
    invites: new Map(),
    webhooks: new Map(),
  };
  world.guilds.set(id, guild);
  guild.members.set(input.ownerId, {
    userId: input.ownerId,
    nick: null,
    roles: [],
    joinedAt: input.joinedAt,
    mute: false,
    deaf: false,
  });
  return guild;
}

/** Creates a role record with Discord's defaults. */
export function newRole(input: Pick<Role, 'id' | 'name' | 'position' | 'permissions'> & Partial<Role>): Role {
  return { color: 0, hoist: false, managed: false, mentionable: false, botId: null, ...input };
}

/** A channel of any guild. */
export function findChannel(world: World, channelId: string): { guild: Guild; channel: Channel } | undefined {
  for (const guild of world.guilds.values()) {
    const channel = guild.channels.get(channelId);
    if (channel !== undefined) return { guild, channel };
  }
  return undefined;
}

/** The guild of that id if the bot is in it. */
export function guildOfBot(world: World, bot: Bot, guildId: string): Guild | undefined {
  return bot.guildIds.has(guildId) ? world.guilds.get(guildId) : undefined;
}

/** A user that must exist: members and voice states never outlive their user. */
export function userOf(world: World, userId: string): User {
  const user = world.users.get(userId);
  if (user === undefined) throw new RangeError(`no user ${userId}`);
  return user;
}

/** A member that must exist. */
export function memberOf(guild: Guild, userId: string): Guild['members'] extends Map<string, infer M> ? M : never {
  const member = guild.members.get(userId);
  if (member === undefined) throw new RangeError(`no member ${userId}`);
  return member;
}
